# SPDX-License-Identifier: Apache-2.0
"""Drops, queues and devices made by hand, from one look to the next."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from tests.sources.test_drops import NETNS, NOTHING, Pair, count, counts, key
from tests.sources.test_queues import ETH0, HOST, MQ, look, space
from tests.test_live import capture

from fleutan.column import Column, text_column
from fleutan.errors import NotSupported
from fleutan.linux.drops import Counts
from fleutan.linux.interfaces import Side
from fleutan.programs.recording.beside import Beside, busy, whole
from fleutan.sources import interfaces
from fleutan.sources.queues import Snapshot
from fleutan.table import Table


class Counting:
    """Gives readings one after the other."""

    def __init__(self, *readings: Counts, refused: str = "") -> None:
        self._readings, self._refused = list(readings), refused
        self.left = False

    def __enter__(self) -> Counting:
        if self._refused:
            raise NotSupported("BPF", self._refused)
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def read(self) -> Counts:
        return self._readings.pop(0)


def devices(octets: int) -> Table:
    side = Side("eth0", "tx", octets, octets // 100, 0, 0)
    return interfaces.table([HOST], interfaces.Kernel(lambda: [side], lambda _: nullcontext()))


def beside(counting: Counting, *looks: tuple[Snapshot, int]) -> Beside:
    given = list(looks)

    def take(netns: str | None) -> Snapshot:
        assert netns == "web"
        return given[0][0]

    return Beside("web", lambda: counting, take, lambda _: devices(given.pop(0)[1]))


def dropped(*keys: bytes, rest: Pair = NOTHING) -> Counts:
    return counts(*((one, count()) for one in keys), rest=rest)


MORE = [MQ[0], MQ[1]._replace(bytes=25), *MQ[2:]]
EARLY, LATE = (replace(look(space(qdiscs, ETH0)), steady_ns=at) for qdiscs, at in ((MQ, 0), (MORE, 10)))
EVERY = replace(capture("tcp"), every=True)


def test_drops_are_those_since_the_look_before_and_queues_the_difference() -> None:
    counting = Counting(dropped(key(), key(sport=9)), dropped(key(sport=7)))
    with beside(counting, (EARLY, 1_000), (LATE, 5_000)) as looked:
        looked.look(EVERY)
        assert looked.carried(None) is None, "there is nothing to compare it with"
        looked.look(EVERY)
        found, carried = looked.dropped([]), looked.carried(None)
    assert counting.left
    assert found is not None
    assert found.column("sport").objects() == [7]
    assert carried is not None
    rows = [(row["dev"], row["queue"], row["qdisc_bytes"], row["bytes"], row["packets"]) for row in carried.rows()]
    assert rows == [("eth0", 0, 15, None, None), ("eth0", None, None, 4_000, 40)]


def test_queues_have_what_traffic_says_they_carried() -> None:
    words = {"netns": "host", "dev": "eth0", "direction": "tx"}
    columns = {name: text_column([word]) for name, word in words.items()}
    numbers = {"queue": 1, "bytes": 300, "packets": 3, "segments": 5}
    traffic = Table("traffic", {**columns, **{name: Column(np.array([n])) for name, n in numbers.items()}})
    with beside(Counting(*[dropped()] * 2), (EARLY, 1), (EARLY, 1)) as looked:
        looked.look(EVERY)
        looked.look(EVERY)
        carried = looked.carried(traffic)
    assert carried is not None
    assert [(row["queue"], row["bytes"], row["segments"]) for row in carried.rows()] == [(1, 300, 5)]


@pytest.mark.parametrize(("every", "found"), [(True, [1, 2, 3]), (False, [1, 2])])
def test_drops_of_other_namespaces_are_left_out_unless_all_are_meant(every: bool, found: list[int]) -> None:
    seen = dropped(key(sport=1), key(sport=2, netns=0), key(sport=3, netns=9))
    with beside(Counting(seen), (EARLY, 1)) as looked:
        looked.look(replace(EVERY, every=every))
        table = looked.dropped([])
    assert table is not None
    assert table.column("sport").objects() == found
    assert EVERY.namespaces[0].namespace.inode == NETNS


def test_where_drops_are_not_counted_it_says_why_and_the_rest_goes_on() -> None:
    with beside(Counting(refused="needs CAP_BPF"), (EARLY, 1), (LATE, 2)) as looked:
        looked.look(EVERY)
        looked.look(EVERY)
        assert looked.why == "BPF: needs CAP_BPF"
        assert looked.dropped([]) is None
        assert looked.carried(None)


def test_devices_stand_behind_queues_without_a_queue_and_what_was_idle_is_left_out() -> None:
    queues = Table(
        "queues", {"dev": text_column(["eth0"]), "queue": Column(np.array([3])), "interrupts": Column(np.array([1]))}
    )
    found = whole(queues, devices(100))
    assert found.column("queue").objects() == [3, None]
    assert found.column("bytes").objects() == [None, 100]
    assert busy(found).column("queue").objects() == [3, None]
    assert len(busy(whole(queues.take(np.array([], np.int64)), devices(0)))) == 0
