# SPDX-License-Identifier: Apache-2.0
"""The loop over recorded sockets, with clocks, meters, drops and queues made by hand; and once over this host."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.live.test_packets import MINE, seen
from tests.live.test_rounds import Host as Sockets
from tests.programs.recording.test_beside import Counting, devices, dropped
from tests.sources.test_drops import key
from tests.sources.test_lifecycle import LAST_ACK, end
from tests.sources.test_queues import ETH0, MQ, look, space

from fleutan.errors import FleutanError, Gone
from fleutan.linux.drops import Counts
from fleutan.live.rounds import NOT_COUNTED
from fleutan.programs.recording import HOST, Host, length, record, run
from fleutan.programs.recording.beside import Beside
from fleutan.programs.recording.settings import Settings
from fleutan.programs.signals import Signals
from fleutan.sources.counting import Counted
from fleutan.table import Table

SECOND = 10**9
PLAIN = Settings(2.0, netns=None, aligned=False)


class Lake:
    """A sink that remembers what it was told, and ends the recording where it is to."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.tables: list[Table] = []
        self.ticks: list[int] = []
        self.came = False
        self.opened = self.closed = 0
        self._stop_after = stop_after

    def add(self, table: Table) -> None:
        self.tables.append(table)

    def tick(self, now_ns: int) -> None:
        self.ticks.append(now_ns)
        self.came = len(self.ticks) >= self._stop_after

    def kinds(self) -> list[str]:
        return [table.kind for table in self.tables]

    @contextmanager
    def within(self, _: Settings) -> Iterator[Lake]:
        self.opened += 1
        yield self
        self.closed += 1


class Side:
    """Gives a table of its own each time that an interval is over."""

    def __init__(self) -> None:
        self.ready: list[Table] = []
        self.left = False

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def saw(self, flows: Table) -> None:
        self.ready.append(replace(flows, kind="seen"))

    def tables(self) -> list[Table]:
        ready, self.ready = self.ready, []
        return ready


def beside(counts: Sequence[Counts] = (), refused: str = "") -> Beside:
    """Drops as they are given, and queues that carry 100 bytes an interval."""
    octets = iter(range(0, 10**6, 100))
    given = Counting(*(counts or [dropped()] * 50), refused=refused)
    return Beside(None, lambda: given, lambda _: look(space(MQ, ETH0)), lambda _: devices(next(octets)))


def host(sockets: Sockets, **more: Any) -> Host:
    given: dict[str, Any] = {
        "reader": lambda _: sockets.reader(),
        "beside": lambda _: beside(),
        "meters": sockets.meters,
        "steady": lambda: sockets.now / SECOND,
        "now_ns": lambda: sockets.now,
        "sides": lambda *_: [],
        "hidden": list,
    }
    return Host(**given | more)


def recorded(sockets: Sockets, settings: Settings, **more: Any) -> tuple[Lake, list[str]]:
    """What came into the lake, and what was said."""
    lake = Lake()
    said: list[str] = []
    record(settings, lake, lake, said.append, host(sockets, **more))
    return lake, said


def test_an_interval_gives_a_table_of_each_kind_that_has_rows() -> None:
    sockets = Sockets(seen(MINE), seen(MINE, MINE, ends=(end(LAST_ACK, begun=1),)), seen())
    counts = [dropped(key()), dropped(key(sport=7)), dropped()]
    lake, said = recorded(sockets, replace(PLAIN, count=2), beside=lambda _: beside(counts))
    assert lake.kinds() == ["flows", "lifecycle", "drops", "queues", "queues"], "the second interval was quiet"
    flows, lives, drops, queues, _ = lake.tables
    assert flows.column("tx_packets").objects() == [3], "what came before the first interval is of none"
    assert flows.column("interval").objects() == [2_000_000]
    assert lives.column("cookie").objects() == [1]
    assert drops.column("sport").objects() == [7]
    assert queues.column("bytes").objects()[-1] == 100, "the device by its own count"
    times = {table.column("time").objects()[0] for table in (flows, drops, queues)}
    assert times == {flows.reading.at_ns - 2 * SECOND}
    assert said == []


def test_time_passes_in_slices_and_the_sink_is_told_of_it_once_a_second() -> None:
    sockets = Sockets(seen(), seen(), seen())
    lake, _ = recorded(sockets, replace(PLAIN, count=2))
    assert [word for word in sockets.said if word.startswith("counting")] == ["counting for 0.5"] * 8
    assert [tick / SECOND for tick in lake.ticks] == [6, 7, 8, 9]


def test_it_ends_early_where_it_is_told_to_and_keeps_what_the_interval_began() -> None:
    sockets = Sockets(seen(), seen(MINE))
    lake = Lake(stop_after=1)
    record(replace(PLAIN, seconds=60), lake, lake, print, host(sockets))
    flows = lake.tables[0]
    assert flows.column("interval").objects() == [1_000_000]
    assert sockets.said[-1] == "unload"


def test_what_has_a_pace_of_its_own_gives_tables_too() -> None:
    side = Side()
    sockets = Sockets(seen(), seen(MINE), seen(MINE))
    lake, _ = recorded(sockets, replace(PLAIN, count=2), sides=lambda *_: [side])
    assert lake.kinds() == ["flows", "queues", "seen"] * 2
    assert side.left


def test_what_is_not_counted_is_said_at_the_start_and_sockets_are_read_all_the_same() -> None:
    sockets = Sockets(refused="needs CAP_BPF")
    lake, said = recorded(
        sockets, replace(PLAIN, count=2), beside=lambda _: beside(refused="no"), hidden=lambda: ["own processes only"]
    )
    assert lake.kinds() == ["queues"] * 2, "nothing moved in the recorded sockets"
    (first, second) = said
    assert first.startswith("recording by netlink alone")
    assert first.endswith("own processes only")
    assert second.startswith(NOT_COUNTED), "a note of the readings, once"


def test_notes_of_readings_are_said_once() -> None:
    sockets = Sockets(seen(), seen(missed=4), seen(missed=9))
    _, (note,) = recorded(sockets, replace(PLAIN, count=2))
    assert note.startswith("4 packets")


class Broken(Sockets):
    """Cannot be read the second time."""

    def __init__(self, error: FleutanError, *readings: Counted) -> None:
        super().__init__(*readings)
        self._error: FleutanError | None = error

    def next(self) -> Counted:
        found = super().next()
        if self.said.count("counts") == 2 and self._error:
            raise self._error
        return found


def test_a_reading_that_fails_is_said_and_the_next_interval_is_tried() -> None:
    sockets = Broken(FleutanError("the kernel does not answer"), seen(), seen(), seen(MINE))
    lake, said = recorded(sockets, replace(PLAIN, count=2))
    assert said == ["the kernel does not answer"]
    assert lake.tables[0].column("interval").objects() == [4_000_000], "from the last reading that was whole"


def test_a_namespace_that_is_gone_ends_the_recording() -> None:
    with pytest.raises(Gone):
        recorded(Broken(Gone("network namespace web is gone"), seen(), seen()), replace(PLAIN, count=2))


# -- the daemon


def test_after_a_signal_to_reload_all_begins_again_with_the_settings_as_they_are() -> None:
    lake, signals = Lake(), Signals()
    seconds = iter([60.0, 1.0])
    sockets = Sockets(*[seen(MINE)] * 4)

    class Asking(Side):
        def tables(self) -> list[Table]:
            signals.asked = lake.opened == 1
            return []

    def configured(again: bool) -> Settings:
        assert again == bool(lake.opened)
        return replace(PLAIN, seconds=next(seconds), count=None if not lake.opened else 1)

    run(configured, lake.within, signals, print, host(sockets, sides=lambda *_: [Asking()]))
    assert (lake.opened, lake.closed) == (2, 2)
    lengths = [table.column("interval").objects()[0] for table in lake.tables if table.kind == "flows"]
    assert lengths == [500_000, 1_000_000]


def test_a_signal_to_end_ends_the_daemon() -> None:
    lake, signals = Lake(), Signals()
    signals.stopped = True
    run(lambda _: PLAIN, lake.within, signals, print, host(Sockets(seen(), seen())))
    assert (lake.opened, lake.closed) == (1, 1)


@pytest.mark.parametrize(
    ("began", "expected"),
    [(0.0, 10.0), (0.002, 9.998), (4.9, 5.1), (5.1, 14.9), (9.999, 10.001)],
)
def test_intervals_begin_at_whole_multiples_of_their_length(began: float, expected: float) -> None:
    at_ns = 1_800_000_000 * SECOND + round(began * SECOND)
    assert length(Settings(10.0), at_ns) == pytest.approx(expected)
    assert length(Settings(10.0, aligned=False), at_ns) == 10.0


# -- this host


@needs_bpf
def test_this_host_is_recorded() -> None:
    def see() -> None:
        lake = Lake()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

            class Talking(Side):
                def tables(self) -> list[Table]:
                    with socket.create_connection(("127.0.0.1", port)) as client:
                        client.send(bytes(100))
                    return []

            made = HOST._replace(sides=lambda *_: [Talking()])
            record(Settings(1.0, netns=None, count=1, aligned=False), lake, lake, print, made)
        kinds = {table.kind: table for table in lake.tables}
        rows = [row for row in kinds["flows"].rows() if row["dport"] == port]
        assert rows, "short-lived ones"
        assert {row["comm"] for row in rows} != {None}
        assert port in kinds["lifecycle"].column("dport").objects()
        assert "lo" in kinds["queues"].column("dev").objects()

    agrees(see)


def test_what_is_asked_for_is_read_beside() -> None:
    made = HOST.sides(Settings(paths=1.0, packets=64, one_in=3), print)
    assert [type(side).__name__ for side in made] == ["Packets", "Paths"]
    assert list(HOST.sides(Settings(), print)) == []
