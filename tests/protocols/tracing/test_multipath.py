# SPDX-License-Identifier: Apache-2.0
"""All ways of flows through networks that are functions: who is found, with how many probes, how sure."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from itertools import count

import pytest

from fleutan.protocols.tracing.hops import SECOND, Rules
from fleutan.protocols.tracing.multipath import Multipath
from fleutan.protocols.tracing.probes import Flow, Probe
from fleutan.protocols.tracing.replies import Reply
from fleutan.protocols.tracing.tracer import Tracer

MS = 1_000_000
HERE, FAR = bytes([192, 0, 2, 1]), b"far."
WALL = 1_800_000_000 * SECOND
EXPIRED = ("time-exceeded", 0)
Ways = Mapping[str, Sequence[str]]


#: What each router sends to; ``.`` is the destination, and the first one is that of this host.
LINE: Ways = {"r": "s", "s": "."}
FOUR: Ways = {"r": "abcd", **dict.fromkeys("abcd", "m"), "m": "n", "n": "."}
COLUMNS: Ways = {"r": "abcd", **{one: one.upper() for one in "abcd"}, **dict.fromkeys("ABCD", "m"), "m": "."}
LAST: Ways = {"r": "abcd", **dict.fromkeys("abcd", ".")}
TWICE: Ways = {"r": "ab", "a": "m", "b": "m", "m": "cd", "c": "n", "d": "n", "n": "."}
MESH: Ways = {"r": "ab", "a": "cd", "b": "cd", "c": "n", "d": "n", "n": "."}
RING: Ways = {"r": "abc", "a": "de", "b": "ef", "c": "fd", "d": "n", "e": "n", "f": "n", "n": "."}
PARTLY: Ways = {"r": "ab", "a": "c", "b": "cde", "c": "n", "d": "n", "e": "n", "n": "."}
TREE: Ways = {"r": "ab", "a": "cd", "b": "ef", **dict.fromkeys("cdef", "n"), "n": "."}
UNEVEN: Ways = {"r": "ab", "a": "m", "b": "c", "c": "m", "m": "n", "n": "."}
SHORT: Ways = {"r": "ab", "a": ".", "b": "c", "c": "."}
SIXTEEN: Ways = {"r": "ABCDEFGHIJKLMNOP", **dict.fromkeys("ABCDEFGHIJKLMNOP", "m"), "m": "."}


class Network:
    """Routers that hash flows with a seed of their own, or (``packets``) choose anew for each packet."""

    def __init__(
        self,
        ways: Ways,
        seed: int = 1,
        packets: Collection[str] = (),
        silent: Collection[str] = (),
        loss: float = 0,
        limited: Collection[str] = (),
        refuses: str = "",
    ) -> None:
        self.ways, self.seed, self.packets, self.silent, self.loss = ways, seed, packets, silent, loss
        self.limited, self.refuses = limited, refuses
        self.seen: list[Probe] = []
        self.now = 0
        #: Of each router that answers seldom: how many answers it may give, and since when.
        self.credit: dict[str, tuple[float, int]] = {}

    def __call__(self, sent: Probe) -> list[tuple[Reply, int]]:
        self.seen.append(sent)
        at, distance = "r", 1
        while at != "." and distance < sent.ttl:
            at, distance = self._next(at, sent.flow), distance + 1
        if (
            at in self.silent
            or (at in self.limited and not self._may_answer(at))
            or self._any() % 1000 < 1000 * self.loss
        ):
            return []
        kind, code = ("unreachable", 3) if at == "." else ("unreachable", 13) if at == self.refuses else EXPIRED
        return [(Reply(address(at), kind, code, sent.flow, sent.number, 60), distance * MS)]

    def _next(self, at: str, flow: Flow) -> str:
        nexts = self.ways[at]
        chosen = self._any(at) if at in self.packets else scattered(self.seed, at, flow.sport)
        return nexts[chosen % len(nexts)]

    def _any(self, at: str = "") -> int:
        return scattered(self.seed, "packet", at, len(self.seen))

    def _may_answer(self, at: str) -> bool:
        """As Linux does (icmp_ratelimit): six answers at once, then one a second."""
        if at not in self.limited:
            return True
        credit, since = self.credit.get(at, (6.0, self.now))
        credit = min(6.0, credit + (self.now - since) / SECOND)
        self.credit[at] = (credit - (credit >= 1), self.now)
        return credit >= 1


def scattered(*words: object) -> int:
    return int.from_bytes(blake2b(repr(words).encode(), digest_size=8).digest(), "big")


def address(name: str) -> bytes:
    return FAR if name == "." else bytes([10, 0, 0, ord(name)])


def name(source: bytes) -> str:
    return "." if source == FAR else chr(source[3])


def probe_of(flow: int) -> Probe:
    return Probe(Flow(4, HERE, FAR, 17, 40000 + flow, 33434), 0, 0)


def run(network: Network, rules: Rules = Rules(), confidence: float = 0.95) -> Multipath:  # noqa: B008 - a value
    """Runs a trace to its end."""
    return together([Multipath(probe_of, rules, confidence)], network)[0]


def together(traces: list[Multipath], network: Network) -> list[Multipath]:
    tracer, now, order = Tracer(traces, 0.0), 0, count()
    coming: list[tuple[int, int, Reply]] = []
    while not tracer.done:
        for trace, sent in tracer.due(now):
            trace.sent(sent.number, WALL + now)
            network.now = now
            for answer, after in network(sent):
                heapq.heappush(coming, (now + after, next(order), answer))
        seconds = tracer.seconds(now)
        if seconds is not None:
            now = max(now + 1, min([now + int(seconds * SECOND), *(at for at, _, _ in coming[:1])]))
        assert now < 600 * SECOND, "it does not end"
        while coming and coming[0][0] <= now:
            at, _, answer = heapq.heappop(coming)
            tracer.heard(answer, WALL + at)
        tracer.expire(now)
    return traces


def found(trace: Multipath) -> list[str]:
    """The routers of each hop, in the order of the alphabet."""
    return ["".join(sorted(map(name, hop.sources))) for hop in trace.path()]


def links(trace: Multipath) -> set[str]:
    return {name(tail) + name(head) for hop in trace.path() for tail, head in trace.branches.links(hop.ttl)}


def balancing(trace: Multipath) -> list[str]:
    return [trace.branches.balancing(hop.ttl) for hop in trace.path()]


@pytest.mark.parametrize(
    ("ways", "hops", "linked", "most"),
    [
        (LINE, "r s .", "rs s.", 8),
        (FOUR, "r abcd m n .", "ra rb rc rd am bm cm dm mn n.", 35),
        (COLUMNS, "r abcd ABCD m .", "ra rb rc rd aA bB cC dD Am Bm Cm Dm m.", 50),
        (LAST, "r abcd .", "ra rb rc rd a. b. c. d.", 26),
        (TWICE, "r ab m cd n .", "ra rb am bm mc md cn dn n.", 36),
        (MESH, "r ab cd n .", "ra rb ac ad bc bd cn dn n.", 60),
        (RING, "r abc def n .", "ra rb rc ad ae be bf cd cf dn en fn n.", 80),
        (PARTLY, "r ab cde n .", "ra rb ac bc bd be cn dn en n.", 80),
        (TREE, "r ab cdef n .", "ra rb ac ad be bf cn dn en fn n.", 45),
        (UNEVEN, "r ab cm mn .n .", "ra rb am bc mn cm n. ", 47),
        (SHORT, "r ab .c .", "ra rb a. bc c.", 25),
        (SIXTEEN, "r ABCDEFGHIJKLMNOP m .", "", 104),
    ],
)
def test_all_next_hops_and_links_are_found(ways: Ways, hops: str, linked: str, most: int) -> None:
    trace = run(Network(ways, seed=7))
    assert (trace.ended, found(trace)) == ("reached", hops.split())
    assert trace.probes - sum(hop.again for hop in trace.branches.hops) <= most
    if linked:
        assert links(trace) == set(linked.split())
    assert balancing(trace) == ["per flow" if len(one) > 1 else "" for one in hops.split()]


@pytest.mark.parametrize("ways", [FOUR, TWICE, COLUMNS, TREE, MESH, SIXTEEN])
def test_routers_are_missed_no_more_often_than_is_said(ways: Ways) -> None:
    """At the hops behind ``r``, where all next hops are equally likely; the error of 400 runs is 1 %."""
    runs = 400
    missed = sum(len(found(run(Network(ways, seed)))[1]) < len(ways["r"]) for seed in range(runs))
    assert missed / runs <= 0.05 + 0.022


def test_more_confidence_takes_more_probes_and_misses_less() -> None:
    missed = {
        confidence: sum(len(found(run(Network(FOUR, seed), confidence=confidence))[1]) < 4 for seed in range(400))
        for confidence in (0.8, 0.99)
    }
    assert missed[0.99] <= 10 < missed[0.8]
    assert run(Network(FOUR), confidence=0.99).probes > run(Network(FOUR)).probes


def test_packets_that_go_by_turns_are_told_from_flows() -> None:
    tellings = [run(Network(FOUR, seed, packets="r")) for seed in range(200)]
    right = sum(balancing(trace)[1] == "per packet" for trace in tellings)
    assert right >= 190
    assert all(set(balancing(run(Network(FOUR, seed)))) <= {"", "per flow"} for seed in range(200))


def test_links_between_hops_that_packets_take_at_random_are_not_told() -> None:
    trace = run(Network(COLUMNS, packets="r"))
    assert balancing(trace) == ["", "per packet", "per packet", "", ""]
    assert links(trace) == {"ra", "rb", "rc", "rd", "Am", "Bm", "Cm", "Dm", "m."}


def test_a_silent_hop_is_one_hop_and_costs_few_probes() -> None:
    trace = run(Network(FOUR, silent="m"))
    assert found(trace) == ["r", "abcd", "", "n", "."]
    assert trace.path()[2].sent == trace.path()[2].lost == 6


def test_a_router_that_keeps_silent_beside_others_hides_nothing_behind_it() -> None:
    trace = run(Network(COLUMNS, seed=3, silent="b"))
    assert (trace.ended, found(trace)) == ("reached", ["r", "acd", "ABCD", "m", "."])


def test_a_destination_that_keeps_silent() -> None:
    network = Network(FOUR, silent=".")
    trace = run(network, Rules(gap=3))
    assert (trace.ended, found(trace)) == ("silent", ["r", "abcd", "m", "n"])
    assert max(sent.ttl for sent in network.seen) == 7
    assert balancing(run(Network(LAST, silent="."), Rules(gap=2)))[1] == "per flow"


@pytest.mark.parametrize("ways", [LINE, FOUR, LAST, UNEVEN, SHORT])
def test_probes_that_are_lost_are_sent_again(ways: Ways) -> None:
    for seed in range(20):
        expected, trace = found(run(Network(ways, seed))), run(Network(ways, seed, loss=0.1))
        assert trace.ended == "reached"
        assert len(trace.path()) == len(expected)


def test_a_router_that_answers_seldom_is_asked_slowly() -> None:
    network = Network(SIXTEEN, seed=5, limited="mABCDEFGH")
    trace = run(network)
    assert (trace.ended, found(trace)) == ("reached", ["r", "ABCDEFGHIJKLMNOP", "m", "."])
    assert trace.hops[1].lost < 40
    assert network.now < 20 * SECOND


def test_a_circle_ends_it() -> None:
    trace = run(Network({"r": "a", "a": "b", "b": "a"}))
    assert trace.ended == "loop"
    assert len(trace.hops) < 9


def test_the_last_distance_ends_it() -> None:
    trace = run(Network(COLUMNS), Rules(last=3))
    assert (trace.ended, found(trace)) == ("last", ["r", "abcd", "ABCD"])


def test_refusals_end_it() -> None:
    trace = run(Network(FOUR, refuses="m"))
    assert (trace.ended, found(trace)) == ("refused", ["r", "abcd", "m"])


def test_what_cannot_be_sent_ends_it() -> None:
    trace = Multipath(probe_of, Rules())
    assert trace.due(0) is not None
    trace.unsent(113)
    assert (trace.ended, trace.errno, trace.due(1), trace.next_ns(1)) == ("unsent", 113, None, None)


def test_answers_that_are_none_of_it() -> None:
    trace = Multipath(probe_of, Rules())
    sent = trace.due(0)
    assert sent is not None
    answer = Reply(address("r"), "time-exceeded", 0, sent.flow, sent.number, 60)
    assert not trace.heard(answer, WALL), "it was not sent yet"
    trace.sent(sent.number, WALL)
    assert not trace.heard(answer._replace(kind="other"), WALL)
    assert not trace.heard(answer._replace(number=99), WALL)
    assert not trace.heard(answer._replace(number=None), WALL)
    assert trace.heard(answer, WALL)
    assert not trace.heard(answer, WALL), "a second answer"


def test_destinations_side_by_side() -> None:
    def of_other(flow: int) -> Probe:
        return Probe(Flow(4, HERE, bytes([10, 9, 9, 9]), 17, 50000 + flow, 33434), 0, 0)

    first, second = together([Multipath(probe_of, Rules()), Multipath(of_other, Rules())], Network(TWICE, seed=2))
    assert found(first) == ["r", "ab", "m", "cd", "n", "."]
    assert [len(hop.sources) for hop in second.path()] == [1, 2, 1, 2, 1, 1]
