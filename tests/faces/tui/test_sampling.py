# SPDX-License-Identifier: Apache-2.0
"""Rounds of recorded captures; the thread is waited for, with a deadline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import numpy as np
import pytest
from tests.live.test_packets import seen

from fleutan.column import Column
from fleutan.errors import FilterError, Gone, UsageError
from fleutan.faces.tui import sampling
from fleutan.faces.tui.rounds import Cost, Failed, Round
from fleutan.faces.tui.sampling import Feed, Meter, Sampler
from fleutan.faces.tui.tabs import DETAILS, FIELDS
from fleutan.linux.namespaces import Namespace
from fleutan.live import Question
from fleutan.sources.capture import Capture, Dump, NamespaceDump
from fleutan.sources.counting import Counted
from fleutan.table import Reading, Table

DATA = Path(__file__).parents[2] / "data" / "inetdiag"
HERE = Namespace(7, "host", "/here")
SECOND = 10**9
DEADLINE = 20.0


class Recorded:
    """A reader of what was recorded, one second after the other."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ways: list[str] = []
        self.error: Gone | None = None
        self.notes = ["a note"]

    def answer_by(self, way: str) -> bool:
        self.ways.append(way)
        return way == "netlink"

    def take(self) -> Capture:
        if self.error is not None:
            raise self.error
        self.seconds += 1
        at = int(self.seconds * SECOND)
        dump = Dump(6, "netlink", (DATA / "tcp.bin").read_bytes())
        return Capture(10**18 + at, at, [NamespaceDump(HERE, {1: "lo"}, [dump])], None, "a test", self.notes)

    def take_after(self, before: Capture, seconds: float) -> Capture:
        self.seconds = before.steady_ns / SECOND + seconds - 1
        return self.take()


class Pending:
    """A capture that was begun before."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture

    def result(self) -> Capture:
        return self.capture


class Steps:
    """A clock that goes on by so much with every look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def sampler(reader: Recorded, question: Question | None = None, **others: Any) -> Sampler:
    host: Any = reader
    return Sampler(host, question or Question(), meter=Meter(Steps(0.02), Steps(1.0)), **others)


def test_the_first_look_has_no_rates() -> None:
    reader = Recorded()
    pending: Any = Pending(reader.take())
    found = sampler(reader).first(pending)
    assert (len(found.flows), found.flows.reading.interval_ns, found.cost) == (17, 0, Cost())
    assert set(FIELDS) <= set(found.flows.columns)
    assert (reader.seconds, reader.ways) == (1, ["bpf"])
    assert (found.open, found.detail, found.filter) == (None, None, "")


def test_what_was_begun_the_other_way_is_read_anew() -> None:
    reader = Recorded()
    pending: Any = Pending(reader.take())
    sampler(reader, Question("bbr_bw > 0")).first(pending)
    assert (reader.seconds, reader.ways) == (2, ["netlink"])


def test_a_round_is_about_the_time_since_the_one_before() -> None:
    reader = Recorded()
    rounds = sampler(reader)
    assert rounds.next().flows.reading.interval_ns == 0
    found = rounds.next()
    assert found.flows.reading.interval_ns == SECOND
    assert found.cost.cpu == pytest.approx(0.02)
    assert found.flows.reading.notes == ("a note",)


def test_a_filter_leaves_some_out_and_tells_of_all_that_are_open() -> None:
    rounds = sampler(Recorded(), Question("rtt > 1h"))
    found = rounds.first()
    assert (len(found.flows), found.filter) == (0, "rtt > 1h")
    assert found.open is not None
    assert len(found.open) == 17
    assert rounds.ask("").open is None
    by_process = sampler(Recorded(), Question(also=("pid = 1",))).first()
    assert by_process.open is not None
    assert len(by_process.flows) == 0


def test_a_filter_by_rates_is_answered_over_a_brief_interval() -> None:
    rounds = sampler(Recorded(), Question("tx_rate >= 0"))
    found = rounds.first()
    assert found.flows.reading.interval_ns == sampling.BRIEF * SECOND
    plain = sampler(Recorded())
    plain.first()
    assert plain.ask("tx_rate >= 0").flows.reading.interval_ns == sampling.BRIEF * SECOND
    assert sampler(Recorded()).ask("tcp").flows.reading.interval_ns == 0


def test_a_filter_that_cannot_be_keeps_the_one_before() -> None:
    rounds = sampler(Recorded(), Question("tcp"))
    rounds.first()
    with pytest.raises(FilterError, match="cannot be evaluated"):
        rounds.ask("cong ~ '(a{1000}){1000}'")
    with pytest.raises(FilterError):
        rounds.ask("rtt >>")
    assert rounds.next().filter == "tcp"


def test_the_way_of_reading_is_that_of_the_filter() -> None:
    reader = Recorded()
    rounds = sampler(reader)
    rounds.first()
    rounds.ask("bbr_bw > 0")
    rounds.ask("cpu = 1")
    assert reader.ways == ["bpf", "netlink", "bpf"]


def test_one_flow_is_told_in_detail() -> None:
    rounds = sampler(Recorded(), Question("rtt > 1h"))
    rounds.first()
    cookie = int(sampler(Recorded()).first().flows["cookie"][0])
    found = rounds.watch(cookie)
    assert found.detail is not None
    assert found.detail["cookie"].tolist() == [cookie]
    assert set(DETAILS) <= set(found.detail.columns)
    assert rounds.watch(None).detail is None
    nothing = rounds.watch(1 << 60).detail
    assert nothing is not None
    assert len(nothing) == 0


def test_other_readings_stand_beside() -> None:
    drops = Table("drops", {})

    def gone() -> Table:
        raise Gone("the device is gone")

    found = sampler(Recorded(), beside={"queues": gone, "drops": lambda: drops}).first()
    assert found.others == {"drops": drops}


def test_a_clock_that_stands_still_has_no_share() -> None:
    assert Meter(Steps(1.0), lambda: 5.0).share() is None
    share = Meter().share()
    assert share is None or share >= 0


# -- the thread


class Posted:
    """What a feed posted, in order."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[Round | Failed] = SimpleQueue()

    def next(self) -> Round | Failed:
        return self.queue.get(timeout=DEADLINE)

    def next_round(self) -> Round:
        found = self.next()
        assert isinstance(found, Round)
        return found


@pytest.fixture
def posted() -> Posted:
    return Posted()


def test_rounds_come_by_themselves(posted: Posted) -> None:
    feed = Feed(sampler(Recorded()), 0.01, posted.queue.put)
    feed.start()
    intervals = [posted.next_round().flows.reading.interval_ns for _ in range(3)]
    feed.stop()
    feed.join()
    assert intervals == [0, SECOND, SECOND]


def test_orders_are_carried_out_at_once(posted: Posted) -> None:
    feed = Feed(sampler(Recorded()), 3600, posted.queue.put)
    feed.start()
    feed.ask("udp")
    feed.watch(5)
    feed.reset()
    assert posted.next_round().filter == "udp"
    assert posted.next_round().detail is not None
    assert posted.next_round().flows.reading.interval_ns == 0
    feed.stop()
    feed.join()
    assert posted.queue.empty()


def test_what_goes_wrong_is_posted_and_the_next_round_tried(posted: Posted) -> None:
    reader = Recorded()
    reader.error = Gone("network namespace web is gone")
    feed = Feed(sampler(reader), 0.01, posted.queue.put)
    feed.start()
    found = posted.next()
    assert isinstance(found, Failed)
    assert "web is gone" in str(found.error)
    reader.error = None
    while isinstance(posted.next(), Failed):
        pass
    feed.ask("rtt >>")
    while isinstance(found := posted.next(), Round):
        pass
    assert isinstance(found.error, UsageError)
    feed.stop()
    feed.join()


def test_a_pause_has_no_rounds_but_orders(posted: Posted) -> None:
    feed = Feed(sampler(Recorded()), 0.01, posted.queue.put)
    feed.pause(True)
    feed.start()
    feed.ask("tcp")
    assert posted.next_round().filter == "tcp"
    feed.ask("udp")
    assert posted.next_round().filter == "udp"
    assert posted.queue.empty()
    feed.pause(False)
    assert posted.next_round().filter == "udp"
    feed.stop()
    feed.join()


def test_a_feed_ends_also_inside_a_round(posted: Posted) -> None:
    inside, go_on = Event(), Event()
    reader = Recorded()
    take: Callable[[], Capture] = reader.take

    def slow() -> Capture:
        inside.set()
        assert go_on.wait(DEADLINE)
        return take()

    host: Any = reader
    host.take = slow
    feed = Feed(sampler(reader), 0.0, posted.queue.put)
    feed.start()
    assert inside.wait(DEADLINE)
    feed._stopped = True
    go_on.set()
    feed.stop()
    feed.join()
    assert posted.queue.empty()
    Feed(sampler(reader), 1, posted.queue.put).join()  # one that never began


def test_captures_of_equal_flows_have_no_rates() -> None:
    rounds = sampler(Recorded())
    rounds.first()
    assert not np.asarray(rounds.next().flows["tx_rate"]).any()


class Metered:
    """Meters that counted nothing, and say how often they were read."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, spaces: list[Namespace] | None) -> Counted:
        assert spaces, "one namespace is meant"
        self.reads += 1
        return seen()

    def cost(self) -> float:
        return 120.0


def test_packets_are_counted_from_look_to_look() -> None:
    meters: Any = Metered()
    rounds = sampler(Recorded(), meters=meters)
    first = rounds.first()
    assert (meters.reads, first.cost) == (1, Cost())
    found = rounds.next()
    assert (meters.reads, found.cost.bpf_ns) == (2, 120.0)
    assert set(found.flows["tx_bytes"]) == {0}
    assert "traffic" in found.flows.related
    assert rounds.ask("rtt > 0").flows["tx_bytes"].sum() == 0
    assert meters.reads == 2  # the answer of now to what was counted before


def test_places_are_looked_at_with_each_reading() -> None:
    class Places:
        looks = 0

        def look(self) -> None:
            self.looks += 1

        def tables(self, _: Table) -> dict[str, Table]:
            return {"cpus": Table("cpus", {})}

    places: Any = Places()
    rounds = sampler(Recorded(), places=places)
    assert set(rounds.first().others) == {"cpus"}
    rounds.next()
    rounds.ask("rtt > 0")
    assert places.looks == 2


def test_flows_that_only_packets_tell_of_have_the_rates_of_those() -> None:
    def column(*values: int | None) -> Column:
        known = np.array([value is not None for value in values])
        return Column(np.array([value or 0 for value in values], np.int64), known)

    columns = {
        "tx_rate": column(5, None, None),
        "rx_rate": column(None, None, 7),
        "tx_bytes": column(9, 100, None),
        "rx_bytes": column(1, 0, 1),
    }
    table = Table("flows", columns, Reading(interval_ns=2 * SECOND))
    found = sampling.with_rates(table)
    assert found.columns["tx_rate"].objects() == [5, 400, None]
    assert found.columns["rx_rate"].objects() == [4, 0, 7]
    once = Table("flows", columns)
    assert sampling.with_rates(once) is once
