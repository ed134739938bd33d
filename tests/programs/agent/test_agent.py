# SPDX-License-Identifier: Apache-2.0
"""The loop, with sources that are made up and a clock that is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pytest
from tests.programs.agent.test_stream import AGENT, Kept, packets

from fleutan.observed import Counters, Source
from fleutan.programs.agent import LOOK, REASONS, SOON, TICK, Agent, Parts
from fleutan.programs.agent.schedule import Schedule
from fleutan.programs.agent.stream import Stream
from fleutan.programs.signals import Orders
from fleutan.protocols.sflow.batches import Sampled
from fleutan.sources.collectors import GAP, PIECE

ONE, TWO = Source(0, 1), Source(0, 2)


class Interfaces:
    """Data sources that are there, and some that break."""

    def __init__(self, *present: Source, broken: bool = False) -> None:
        self.present, self.broken = present, broken

    def sources(self) -> Iterable[Source]:
        return self.present

    def read(self, wanted: Collection[Source]) -> Iterable[Counters]:
        for source in wanted:
            if self.broken:
                raise OSError("it is gone")
            yield Counters(source, {"port_name": {"name": f"eth{source.ds_index}"}})

    def notes(self) -> list[str]:
        return []


class Device:
    """Gives these batches, and waits for nothing."""

    def __init__(self, *batches: Sampled | Exception) -> None:
        self.batches, self.waited = [*batches], [0.0]

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def batch(self, now: float) -> Sampled | None:  # noqa: ARG002
        found = self.batches.pop(0) if self.batches else None
        if isinstance(found, Exception):
            raise found
        return found


class Elsewhere:
    """Keeps what it is told."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.kept: list[Source] = []
        self.ticks: list[float] = []
        self.breaks = breaks

    def counters(self, found: Sequence[Counters], at_ns: int) -> None:
        assert at_ns > 0
        if self.breaks:
            raise RuntimeError
        self.kept += [one.source for one in found]

    def tick(self, now: float) -> None:
        self.ticks.append(now)


class Takes:
    """Keeps the packets that it is given, until it breaks."""

    def __init__(self, room: int = 10) -> None:
        self.kept: list[Sampled] = []
        self.collectors = Pieces()
        self._room = room

    def packets(self, sampled: Sampled, now: float) -> None:
        assert now >= 0
        if len(self.kept) == self._room:
            raise RuntimeError("no room")
        self.kept.append(sampled)


def agent(kept: Kept, **parts: object) -> Agent:
    stream = Stream(AGENT, kept, 0.0)
    return Agent(Parts(stream, kept, Schedule(10.0, lambda: 0.0), **parts))  # type: ignore[arg-type]


def told(kept: Kept) -> list[tuple[str, int]]:
    samples = [sample for one in kept.messages() for sample in one.samples]
    return [(one.layout.name, one.named()["ds_index"]) for one in samples if one.layout]


def test_counters_packets_and_discards_go_into_one_stream() -> None:
    kept = Kept()
    found = agent(
        kept, counters=[Interfaces(ONE, TWO)], flows=[Device(packets(7))], discards=[Device(packets(8, discards=True))]
    )
    found.step(0.0)
    found.step(1.0)
    assert told(kept) == [
        ("counters_sample_expanded", 1),
        ("counters_sample_expanded", 2),
        ("flow_sample_expanded", 7),
        ("discarded_packet", 8),
    ]
    assert found.polls == 2


def test_sampled_packets_go_to_others_too_and_dropped_ones_do_not() -> None:
    first, last, first_taker, second = packets(7), packets(9), Takes(room=0), Takes()
    found = agent(
        Kept(),
        flows=[Device(first, last)],
        discards=[Device(packets(8, discards=True))],
        takers=[first_taker, second],
    )
    found.step(0.0)
    assert second.kept == [first]
    assert found.failures == {"Takes: no room": 1}
    orders = Orders()
    orders.stop()
    found.run(orders, lambda: 1.0)
    assert second.kept == [first, last], "what came since is taken before it ends"
    assert found.parts.stream.told["flows"] == 2


def test_counters_are_told_once_in_an_interval_to_all() -> None:
    kept, elsewhere = Kept(), Elsewhere()
    found = agent(kept, counters=[Interfaces(ONE)], outlets=[elsewhere])
    for tenth in range(201):
        found.step(tenth / 10)
    assert elsewhere.kept == [ONE] * 3
    assert len(elsewhere.ticks) == pytest.approx(21, abs=2)
    assert len(told(kept)) == 3 or found.parts.stream.told["counters"] == 3


def test_what_one_part_does_wrong_is_counted_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    kept, elsewhere = Kept(), Elsewhere()
    found = agent(
        kept,
        counters=[Interfaces(ONE, broken=True), Interfaces(TWO)],
        flows=[Device(RuntimeError("no ring")), Device(packets(5))],
        outlets=[Elsewhere(breaks=True), elsewhere],
    )
    for second in range(3):
        found.step(float(second * 11))
    found.parts.stream.flush(40.0)
    assert ("flow_sample_expanded", 5) in told(kept)
    assert elsewhere.kept == [TWO] * 3
    assert found.failures == {"Interfaces: it is gone": 3, "Device: no ring": 1, "Elsewhere: RuntimeError": 3}
    assert len(caplog.records) == 3, "each is said once"


def test_data_sources_that_are_gone_begin_anew() -> None:
    kept, interfaces = Kept(), Interfaces(ONE)
    found = agent(kept, counters=[interfaces])
    for present, now in (((ONE,), 0.0), ((ONE,), 10.0), ((), 11.0), ((ONE,), 12.0)):
        interfaces.present = present
        found.step(now)
    found.parts.stream.flush(20.0)
    numbers = [sample.named()["sequence_number"] for one in kept.messages() for sample in one.samples]
    assert numbers == [1, 2, 1]


def test_it_goes_on_until_it_is_ordered_to_stop_and_sends_what_waits() -> None:
    kept, orders, device = Kept(), Orders(), Device(packets(1))
    clock = iter(range(100))
    seen = []

    def looked(one: Agent) -> None:
        seen.append(one.polls)
        if len(seen) == 3:
            orders.stop()

    agent(kept, flows=[device], looked=looked).run(orders, lambda: float(next(clock)) / 2)
    assert told(kept) == [("flow_sample_expanded", 1)]
    assert SOON < max(device.waited) <= LOOK


def test_what_would_wait_until_the_next_look_goes_at_once() -> None:
    kept = Kept()
    found = agent(kept, flows=[Device(packets(1))])
    found.step(5.0)
    assert told(kept) == [("flow_sample_expanded", 1)]


class Listens:
    """An application that tells nothing."""

    def samples(self, now: float) -> list[bytes]:  # noqa: ARG002
        return []


def test_where_it_is_looked_often_packets_wait_for_others_a_little() -> None:
    kept = Kept()
    found = agent(kept, flows=[Device(packets(1))], ready=[Listens()])
    for tenth in range(50, 54):
        found.step(tenth / 10)
        assert bool(told(kept)) == (tenth >= 52)


def test_where_applications_tell_of_themselves_they_are_listened_to_more_often() -> None:
    orders, device = Orders(), Device()
    clock = iter(range(100))

    def looked(_: Agent) -> None:
        if len(device.waited) > 4:
            orders.stop()

    found = agent(Kept(), flows=[device], ready=[Listens()], looked=looked)
    found.run(orders, lambda: float(next(clock)) / 2)
    assert 0 < max(device.waited) <= SOON


def test_samples_that_are_ready_go_as_they_are() -> None:
    class Applications:
        def samples(self, now: float) -> list[bytes]:
            return [bytes.fromhex("0010000100000000")] if now == 0 else []

    kept = Kept()
    found = agent(kept, ready=[Applications()])
    found.step(0.0)
    found.step(1.0)
    assert [one.samples[0].tag for one in kept.messages()] == [0x100001]


def test_without_packets_it_sleeps() -> None:
    orders = Orders()
    found = agent(Kept(), looked=lambda _: orders.stop())
    found.run(orders)
    assert found.polls == 0


def test_whatever_else_goes_wrong_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Kept):
        def tick(self, now: float) -> None:
            raise OSError(f"no way at {now}")

    class Ring(Device):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            raise OSError("no ring")

    def looked(_: Agent) -> None:
        if len(slept) == 5:
            orders.stop()
        raise BrokenPipeError

    slept, orders, ring, clock = list[float](), Orders(), Ring(), iter(range(100))
    monkeypatch.setattr("fleutan.programs.agent.time.sleep", slept.append)
    found = agent(Away(), flows=[ring], looked=looked)
    found.run(orders, lambda: float(next(clock)) * 0.75)
    assert len(slept) == len(ring.waited) - 1, "who cannot wait must not run without a pause"
    assert {"Away: no way at 0.0", "Agent: BrokenPipeError", "Ring: no ring"} <= set(found.failures)


def test_reasons_without_end_are_counted_together() -> None:
    found = agent(Kept(), flows=[Device(*(OSError(f"device {number}") for number in range(2 * REASONS)))])
    for tenth in range(2 * REASONS):
        found.step(tenth / 10)
    assert (len(found.failures), found.failures["others"]) == (REASONS + 1, REASONS)


class Pieces(Kept):
    """Keeps how many are sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once: list[int] = []

    def send(self, datagrams: Sequence[bytes], now: float) -> None:
        super().send(datagrams, now)
        self.at_once.append(len(datagrams))


class Transactions:
    """Gives so many samples that fill a datagram each, once."""

    def __init__(self, many: int) -> None:
        self.many = many

    def samples(self, now: float) -> list[bytes]:  # noqa: ARG002
        many, self.many = self.many, 0
        return [bytes.fromhex("00100001000004b0") + bytes(1200)] * many


def test_what_is_sent_is_spread_over_half_of_the_time_to_the_next_look() -> None:
    kept, device = Pieces(), Device()
    found = agent(kept, ready=[Transactions(4 * PIECE)], flows=[device])
    found.step(0.0)
    assert kept.at_once == [PIECE]
    found._wait(0.0)
    assert kept.at_once == [PIECE] * 3 + [PIECE - 1], "the last one is not full yet"
    assert device.waited[1:] == [*[pytest.approx(SOON / 6)] * 3, pytest.approx(SOON / 2)]
    numbers = [one.sequence_number for one in kept.messages()]
    assert numbers == [*range(1, 4 * PIECE)]


def test_others_that_packets_go_to_send_a_piece_at_a_time_too() -> None:
    other, device = Takes(), Device()
    found = agent(Kept(), flows=[device], takers=[other])
    found.step(0.0)
    other.collectors.spread([b"x"] * 3 * PIECE, 0.0)
    found._wait(0.0)
    assert other.collectors.at_once == [PIECE] * 3
    assert device.waited[1:] == [*[pytest.approx(LOOK / 4)] * 2, pytest.approx(LOOK / 2)]


def test_what_waits_at_the_end_is_sent_with_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    slept, orders, kept = list[float](), Orders(), Pieces()
    monkeypatch.setattr("fleutan.sources.collectors.time.sleep", slept.append)
    monkeypatch.setattr("fleutan.programs.agent.time.sleep", slept.append)
    found = agent(kept, ready=[Transactions(100 * PIECE)])
    found.step(0.0)
    orders.stop()
    found.run(orders, lambda: 0.0)
    assert sum(kept.at_once) == 100 * PIECE
    assert slept == [GAP] * (len(kept.at_once) - 1)
    found.parts.ready = [Transactions(1000 * PIECE)]
    slept.clear()
    found.step(TICK / 2)
    found._wait(TICK / 2)
    assert set(slept) == {GAP}, "however many there are, no piece follows at once"
