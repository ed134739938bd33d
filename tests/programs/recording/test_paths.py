# SPDX-License-Identifier: Apache-2.0
"""New peers, traced by a tracer made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

import pytest
from tests.faces.cli.conftest import table_of
from tests.namespaces.conftest import until

from fleutan.analysis.paths import Hop, Path, Router
from fleutan.column import text_column
from fleutan.errors import FleutanError
from fleutan.lake.kinds_host import HOST
from fleutan.live.paths import Answer
from fleutan.programs.recording.paths import MOST, Paths, asking, found, peers
from fleutan.table import Table

NOW = 1_800_000_000_000_000_000
_FLOW = {
    "proto": "tcp",
    "src": "192.0.2.1",
    "sport": 1,
    "dport": 443,
    "netns": "web",
    "netns_inode": 7,
    "forwarded": False,
}


def flows(*ends: str, **more: object) -> Table:
    return table_of([{**_FLOW, "dst": dst, **more} for dst in ends])


def path(name: str, end: str) -> Path:
    hops = (
        Hop(1, (Router("192.0.2.254", (900.0, 1_200.0)),), 2),
        Hop(2, (), 2, 2),
        Hop(3, (Router(end, (5_000.4,)),), 2),
    )
    return Path(name, "udp", hops, destination=end)


def traced(ends: Sequence[str]) -> Answer:
    names = [f"p{place}" for place in range(len(ends))]
    table = flows(*ends).with_columns({"path": text_column(names)})
    return Answer(table, [path(*pair) for pair in zip(names, ends, strict=True)])


class Tracer:
    """Traces when it is let to, and knows the time."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[list[str]] = []
        self.said: list[str] = []
        self.now = 0.0
        self.may = Event()
        self.may.set()
        self._error = error

    def __call__(self, ends: Sequence[str]) -> Answer:
        self.asked.append(list(ends))
        assert self.may.wait(10)
        if self._error:
            raise self._error
        return traced(ends)

    def paths(self, minutes: float = 1.0) -> Paths:
        return Paths(minutes, self, self.said.append, lambda: self.now, lambda: NOW)


def next_of(paths: Paths) -> Table:
    """The next table, as soon as it is there."""
    ready = until(lambda: list(paths.tables()), "a path is found")
    (table,) = ready
    assert isinstance(table, Table)
    return table


def test_new_peers_are_traced_when_the_time_has_come_and_each_once() -> None:
    tracer = Tracer()
    with tracer.paths() as paths:
        paths.saw(flows("198.51.100.1", "198.51.100.2", "198.51.100.1"))
        assert list(paths.tables()) == []
        tracer.now = 60.0
        assert list(paths.tables()) == [], "it begins, in a thread"
        assert next_of(paths).column("dst").objects() == ["198.51.100.1", "198.51.100.2"]
        paths.saw(flows("198.51.100.2", "198.51.100.3"))
        assert list(paths.tables()) == [], "a minute after the turn before"
        tracer.now = 120.0
        next_of(paths)
    assert tracer.asked == [["198.51.100.1", "198.51.100.2"], ["198.51.100.3"]]


def test_while_it_traces_nothing_else_is_begun() -> None:
    tracer = Tracer()
    tracer.may.clear()
    with tracer.paths() as paths:
        paths.saw(flows("198.51.100.1"))
        tracer.now = 60.0
        assert list(paths.tables()) == []
        paths.saw(flows("198.51.100.2"))
        tracer.now = 180.0
        assert list(paths.tables()) == []
        until(lambda: tracer.asked, "it is asked")
        assert tracer.asked == [["198.51.100.1"]]
        tracer.may.set()
        next_of(paths)


def test_of_many_peers_so_many_are_traced_in_a_turn() -> None:
    tracer = Tracer()
    ends = [f"198.51.{number // 200}.{number % 200 + 1}" for number in range(MOST + 3)]
    with tracer.paths() as paths:
        paths.saw(flows(*ends))
        tracer.now = 60.0
        assert len(next_of(paths)) == MOST
        tracer.now = 120.0
        assert len(next_of(paths)) == 3


@pytest.mark.parametrize("error", [FleutanError("it is refused"), OSError(1, "it is refused")])
def test_what_goes_wrong_is_said_and_the_next_turn_comes(error: Exception) -> None:
    tracer = Tracer(error)
    with tracer.paths() as paths:
        paths.saw(flows("198.51.100.1"))
        tracer.now = 60.0
        until(lambda: list(paths.tables()) or tracer.said, "it is said")
        assert tracer.said == ["paths: it is refused"]


def test_peers_are_other_hosts_that_a_flow_of_this_one_goes_to() -> None:
    found_ = peers(flows("198.51.100.1", "127.0.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255", "2001:db8::1"))
    assert sorted(found_) == ["198.51.100.1", "2001:db8::1"]
    assert peers(flows("198.51.100.1", dport=0)) == []
    assert peers(flows("198.51.100.1", forwarded=True)) == []


def test_a_path_is_a_row_with_its_hops_and_their_times() -> None:
    table = found(traced(["198.51.100.1"]), NOW)
    assert (table.kind, tuple(table.columns)) == ("paths", HOST["paths"])
    (row,) = table.rows()
    expected = {
        "time_ns": NOW,
        "netns": "web",
        "netns_inode": 7,
        "dst": "198.51.100.1",
        "method": "udp",
        "hop_count": 3,
    }
    expected |= {
        "via": "192.0.2.254 * 198.51.100.1",
        "via_rtt": "0.900 * 5.000",
        "path_end": "reached",
        "connections": 1,
    }
    assert {name: row[name] for name in expected} == expected


def test_a_path_without_a_flow_has_no_namespace() -> None:
    answer = traced(["198.51.100.1"])
    lone = Answer(answer.flows.with_columns({"path": text_column([None])}), answer.paths)
    (row,) = found(lone, NOW).rows()
    assert (row["netns"], row["netns_inode"], row["connections"]) == (None, None, 0)


def test_this_host_is_asked_about_addresses_only() -> None:
    with pytest.raises(FleutanError, match="no network namespace"):
        asking("no-such-namespace-of-tests")(["198.51.100.1"])
