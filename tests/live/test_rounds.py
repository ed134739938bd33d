# SPDX-License-Identifier: Apache-2.0
"""Rounds over recorded sockets, with meters, clocks and looks made by hand; and one over this host."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.live.test_packets import AFTER, MINE, seen
from tests.sources.test_capture import Clock, Programs, linux

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux.namespaces import Namespace
from fleutan.linux.sockdiag import Dump
from fleutan.live import Asked, Question, ask
from fleutan.live.rounds import Rounds
from fleutan.sources.capture import TCP, WORTH_BPF, Capture, Choice, Reader
from fleutan.sources.counting import Counted, Meters
from fleutan.table import Table

MOVED = Question(fields=("sport", "tx_packets", "change"))
PLAIN = Question(fields=("sport", "change"))
RECORDED = AFTER.namespaces[0]


class Host(Clock):
    """Reads the recorded sockets and says, with the meters and the looks, what happened in which order."""

    def __init__(self, *readings: Counted, refused: str = "", broken: bool = False) -> None:
        super().__init__()
        self.said: list[str] = []
        self._readings, self._refused, self._broken = list(readings), refused, broken

    def dump(self, protocol: int) -> Dump:
        if protocol == TCP:
            self.say("sockets")
            if self._broken:
                raise FleutanError("the kernel does not answer")
        data = [part.data for part in RECORDED.dumps if part.protocol == protocol]
        return Dump(memoryview(data[0]), False)

    def say(self, what: str) -> None:
        self.said.append(what)

    def next(self) -> Counted:
        self.say("counts")
        return self._readings.pop(0)

    def wait(self, seconds: float) -> None:
        self.say(f"counting for {seconds}")
        self.sleep(seconds)

    def meters(self) -> Meters:
        return Kept(self)

    def refuse(self) -> None:
        self.say("load")
        if self._refused:
            raise NotSupported("BPF", self._refused)

    def reader(self, source: Choice = "auto") -> Reader:
        space = RECORDED.namespace
        given: dict[str, Any] = {"dump": self.dump, "current": lambda: space, "steady_ns": self.steady_ns}
        given["load"] = lambda: Programs(b"", b"", b"")
        return Reader(source=source, kernel=linux(**given, sleep=self.slept_for))

    def slept_for(self, seconds: float) -> None:
        self.say(f"waiting for {seconds}")
        self.sleep(seconds)

    def rounds(self, question: Question, **more: Any) -> Rounds:
        return Rounds(Asked(question), self.reader(), meters=self.meters, **more)


class Kept(Meters):
    """Gives the readings of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __enter__(self) -> Meters:
        self._host.refuse()
        return self

    def __exit__(self, *_: object) -> None:
        self._host.say("unload")

    def wait(self, seconds: float) -> None:
        self._host.wait(seconds)

    def read(self, spaces: Iterable[Namespace] | None = None) -> Counted:
        assert spaces == [RECORDED.namespace]
        return self._host.next()


class Looks:
    """Looks at what lies beside; a look in the middle of each wait."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.captures: list[Capture] = []

    def look(self, capture: Capture) -> None:
        self._host.say("look")
        self.captures.append(capture)

    def wait(self, seconds: float, wait: Callable[[float], None]) -> None:
        for _ in range(2):
            wait(seconds / 2)

    def joined(self, answer: Table) -> Table:
        return replace(answer, related={**answer.related, "beside": Table("beside", {})})


def packets(table: Table, sport: int = MINE["sport"]) -> list[int | None]:
    return [row["tx_packets"] for row in table.rows() if row["sport"] == sport]


# -- counted


def test_each_round_has_the_packets_since_the_one_before() -> None:
    host = Host(seen(MINE, MINE, MINE), seen(MINE), seen(), seen(MINE, MINE))
    with host.rounds(MOVED) as rounds:
        tables = [rounds.after(2), rounds.after(3), rounds.after(2)]
    assert [packets(table) for table in tables] == [[1], [0], [3]], "what came before the first is of no round"
    assert [table.reading.interval_ns / 1e9 for table in tables] == [2, 3, 2]
    assert [table.reading.notes for table in tables] == [()] * 3


def test_counting_begins_before_the_first_reading_and_ends_when_it_is_left() -> None:
    host = Host(seen(), seen())
    with host.rounds(MOVED) as rounds:
        assert host.said == ["load", "sockets", "counts"]
        rounds.after(2)
        assert host.said[3:] == ["counting for 2.0", "sockets", "counts"]
    assert host.said[-1] == "unload"


def test_the_first_reading_is_looked_at_while_its_processes_are_there() -> None:
    host = Host(seen(), seen())

    class Watched(Asked):
        def look(self, capture: Capture) -> Table:
            host.say("look")
            return super().look(capture)

    with Rounds(Watched(MOVED), host.reader(), meters=host.meters):
        assert host.said == ["load", "sockets", "counts", "look"]


def test_a_reading_from_before_the_programs_were_loaded_is_old() -> None:
    host = Host(seen(), seen())
    first = replace(AFTER, steady_ns=host.now)
    with host.rounds(MOVED, first=first):
        assert "sockets" in host.said


def test_the_first_reading_fails_and_nothing_stays() -> None:
    host = Host(broken=True)
    with pytest.raises(FleutanError, match="does not answer"), host.rounds(MOVED):
        pytest.fail("it began")
    assert host.said == ["load", "sockets", "unload"]


@pytest.mark.parametrize(
    ("source", "demanded", "readings", "way"),
    [
        ("auto", "", 2, "netlink"),
        ("auto", "", WORTH_BPF, "bpf"),
        ("auto", "", inf, "bpf"),
        ("netlink", "", inf, "netlink"),
        ("auto", "dctcp_alpha", inf, "netlink"),
    ],
)
def test_who_counts_for_long_reads_through_bpf_too(source: Choice, demanded: str, readings: float, way: str) -> None:
    host = Host(seen())
    reader = host.reader(source)
    asked = Asked(replace(MOVED, demanded=frozenset({demanded} - {""})))
    with Rounds(asked, reader, meters=host.meters, readings=readings):
        assert reader.way == way


def test_who_may_not_count_does_not_try_to_read_through_bpf() -> None:
    host = Host(refused="no")
    reader = host.reader()
    with Rounds(Asked(MOVED), reader, meters=host.meters, readings=inf):
        assert reader.way == "netlink"


# -- not counted


def test_where_packets_cannot_be_counted_a_note_says_why_and_they_are_unknown() -> None:
    host = Host(refused="there is no libbpf.so.1")
    with host.rounds(MOVED) as rounds:
        first, second = rounds.after(2), rounds.after(2)
    for table in (first, second):
        assert packets(table) == [None]
        (note,) = table.reading.notes
        assert note == "packets are not counted: BPF: there is no libbpf.so.1"
    assert host.said == ["load", *["sockets", "waiting for 2.0"] * 2, "sockets"]


def test_a_question_without_packets_counts_nothing() -> None:
    host = Host(refused="nobody should try")
    with host.rounds(PLAIN) as rounds:
        table = rounds.after(2)
    assert host.said == ["sockets", "waiting for 2.0", "sockets"]
    assert (table.reading.interval_ns, table.reading.notes) == (2 * 10**9, ())


@pytest.mark.parametrize(("question", "refused"), [(PLAIN, ""), (MOVED, "no")])
def test_a_reading_that_is_there_is_the_first_where_nothing_is_counted(question: Question, refused: str) -> None:
    host = Host(refused=refused)
    first = replace(AFTER, steady_ns=host.now)
    host.now += 500_000_000
    with host.rounds(question, first=first) as rounds:
        table = rounds.after(2)
    assert [word for word in host.said if word != "load"] == ["waiting for 1.5", "sockets"]
    assert table.reading.interval_ns == 2 * 10**9


# -- beside


def test_what_lies_beside_is_looked_at_after_each_reading() -> None:
    host = Host(seen(), seen())
    looks = Looks(host)
    with host.rounds(MOVED, besides=looks) as rounds:
        table = rounds.after(2)
    assert host.said == [
        *("load", "sockets", "counts", "look"),
        *("counting for 1.0", "counting for 1.0", "sockets", "counts", "look", "unload"),
    ]
    assert [capture.steady_ns for capture in looks.captures] == [5_000_000_000, 7_000_000_000]
    assert {"beside", "traffic"} <= set(table.related)


def test_looks_go_on_where_packets_cannot_be_counted() -> None:
    host = Host(refused="no")
    with host.rounds(MOVED, besides=Looks(host)) as rounds:
        table = rounds.after(2)
    assert host.said == ["load", "sockets", "look", *["waiting for 1.0"] * 2, "sockets", "look"]
    assert "beside" in table.related
    assert len(table.reading.notes) == 1


# -- this host


@needs_bpf
def test_this_host_is_counted() -> None:
    def look() -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
            there.bind(("127.0.0.1", 0))
            here.connect(there.getsockname())
            question = Question(f"sport {here.getsockname()[1]}", fields=("tx_packets", "rx_packets", "pid"))
            with Reader(source="netlink") as reader, Rounds(Asked(question), reader) as rounds:
                here.send(b"x")
                first = rounds.after(0.1)
                second = rounds.after(0.1)
        assert first.column("tx_packets").objects() == [1]
        assert second.column("tx_packets").objects() == [0]

    agrees(look)


def test_asking_with_an_interval_is_one_round() -> None:
    table = ask(PLAIN, source="netlink", interval=0.05)
    assert table.reading.interval_ns >= 0.05 * 1e9
