# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.linux.test_sampling import frame, frames
from tests.sources.test_tapped import ethernet

from fleutan.linux.sampling import Captured, captured
from fleutan.programs.recording.packets import Packets
from fleutan.sources.tapped import Uppers
from fleutan.table import Table


class Sampling:
    """Gives frames, and says how many found no room so far."""

    one_in = 5

    def __init__(self, *readings: tuple[list[bytes], int]) -> None:
        self._readings = list(readings)
        self._dropped = 0
        self.is_open = False

    def __enter__(self) -> Sampling:
        self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False

    def read(self) -> Captured:
        given, self._dropped = self._readings.pop(0)
        return captured(frames(*given) if given else frames(frame(b""))[:0])

    def dropped(self) -> int:
        return self._dropped


def sampled(sampling: Sampling, said: list[str], above: Iterator[Uppers]) -> Packets:
    made: Any = sampling
    return Packets(made, said.append, lambda: next(above))


def test_what_came_is_a_table_and_nothing_is_none() -> None:
    sampling = Sampling(([frame(ethernet())], 0), ([], 0))
    said: list[str] = []
    with sampled(sampling, said, iter([{}])) as packets:
        (table,) = packets.tables()
        assert list(packets.tables()) == []
    assert (table.kind, table.column("dport").objects(), table.column("sampling_rate").objects()) == (
        "samples",
        [53],
        [5],
    )
    assert not sampling.is_open
    assert said == []


def test_what_found_no_room_is_said_once() -> None:
    one = [frame(ethernet())]
    said: list[str] = []
    with sampled(Sampling((one, 0), (one, 3), (one, 9)), said, iter([{}])) as packets:
        drops = [next(iter(packets.tables())).column("sampler_drops").objects() for _ in range(3)]
    assert drops == [[0], [3], [9]]
    (line,) = said
    assert line.startswith("3 sampled packets")


def test_devices_that_were_put_above_others_are_known_after_an_interval() -> None:
    both = [frame(ethernet(), ifindex=index) for index in (2, 7)]
    above: list[Uppers] = [{}, {2: frozenset({7})}]
    with sampled(Sampling((both, 0), (both, 0)), [], iter(above)) as packets:
        (before,) = packets.tables()
        packets.saw(Table("flows", {}))
        (after,) = packets.tables()
    assert (before.column("in_if").objects(), after.column("in_if").objects()) == ([2, 7], [7])
