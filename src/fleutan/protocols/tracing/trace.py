# SPDX-License-Identifier: Apache-2.0
"""One trace: which of its probes may go next, and what the answers mean.

No socket and no clock, of which two are told apart: ``now_ns`` is one that nobody sets (waiting),
``at_ns`` is the one that the kernel stamps packets with (round-trip times).
"""

from __future__ import annotations

from typing import NamedTuple

from fleutan.protocols.tracing.hops import (
    CLOSED,
    LAST,
    LOOP,
    REACHED,
    REFUSED,
    SILENT,
    UNSENT,
    Answer,
    Hop,
    Rules,
    Under,
    together,
)
from fleutan.protocols.tracing.probes import SYN, Probe, number_in
from fleutan.protocols.tracing.replies import Reply

#: Answers of the destination itself.
OF_DESTINATION = ("echo", "syn-ack", "reset", "ack")
#: Answers of one that does not send it on.
REFUSALS = ("unreachable", "too-big")
#: An address that answers at so many distances is on a circle.
_ROUND = 3
#: Numbers of probes, after which they begin anew.
_NUMBERS = 1 << 16
#: Acknowledgements that are remembered; more come of a connection that is busy.
_MOST_BARE = 64
#: A host acknowledges what is out of its window twice a second at the most (tcp_invalid_ratelimit).
_REST_NS = 700_000_000
#: Sequence numbers of a connection that are remembered beside its latest.
_RENEWALS = 16
_TCP = 6


class _Bare(NamedTuple):
    """An answer of the destination that does not say to which probe; the nearest that waited went at ``since_ns``."""

    reply: Reply
    at_ns: int
    since_ns: int


class Trace:
    """One flow's way: ``template`` is its probe but for distance and number."""

    def __init__(self, template: Probe, rules: Rules = Rules()) -> None:  # noqa: B008 - it is a value
        self.template = template
        self.rules = rules
        self.hops: list[Hop] = []
        self.ended = ""
        self.errno = 0
        self.distance: int | None = None
        self._under: dict[int, Under] = {}
        self._bare: list[_Bare] = []
        self._seqs = [template.seq]
        self._moves = False
        self._number = template.number
        self._farthest = 0
        self._silent = 0
        #: The distance at which the destination is looked for, and whether its probe is out.
        self._asking, self._asked = 0, False
        self._beyond_ns = 0

    def due(self, now_ns: int) -> Probe | None:
        """The next probe that may go now; it counts as sent."""
        hop = self._next(now_ns)
        if hop is None:
            return None
        hop.sent += 1
        hop.last_ns = now_ns
        if hop.ttl > self._farthest:
            self._beyond_ns = now_ns
        number = self._number
        self._number = (number + 1) % _NUMBERS
        self._under[number] = Under(hop.ttl, now_ns, self.template.seq)
        return self.template._replace(ttl=hop.ttl, number=number)

    def _next(self, now_ns: int) -> Hop | None:
        """Of the distances that may be probed the nearest of those with the fewest probes."""
        if self.ended:
            return None
        if self._asking:
            return self._ask(now_ns)
        self._grow()
        ready = [hop for hop in self.hops if self._wants(hop) and self._may_ns(hop, now_ns) <= now_ns]
        return min(ready, key=lambda hop: (hop.sent, hop.ttl), default=None)

    def _wants(self, hop: Hop) -> bool:
        if self.distance is not None and hop.ttl > self.distance:
            return False
        if sum(one.sent for one in self._same(hop)) < self.rules.queries:
            return True
        return not hop.answers and hop.sent < self.rules.tries and hop.ttl <= self._farthest

    def _same(self, hop: Hop) -> list[Hop]:
        """The distances whose probes end where this one's do: all that lie behind the destination."""
        if hop.ttl != self.distance or not self._tells:
            return [hop]
        return [hop, *(one for one in self.hops[hop.ttl :] if one.sent)]

    @property
    def _tells(self) -> bool:
        """Whether the destination says which probe it answers: it does not of a connection's own."""
        return not self.template.bare and (self.template.flow.proto != _TCP or bool(self.template.flags & SYN))

    def _may_ns(self, hop: Hop, now_ns: int) -> int:
        """When the next probe of a distance may go."""
        if not hop.sent:
            return now_ns
        is_known = hop.answers or hop.ttl <= self._farthest
        return hop.last_ns + max(self.rules.spacing_ns, 0 if is_known else self.rules.pause_ns)

    def _grow(self) -> None:
        """Distances up to the destination, or a few beyond what answered or was given up."""
        if self._bare and self.distance is None:  # the destination has been reached somewhere
            return
        reach = min(self.distance or self.rules.last, max(self._farthest, self._silent) + self.rules.ahead)
        while len(self.hops) < reach:
            self.hops.append(Hop(len(self.hops) + 1))

    def next_ns(self, now_ns: int) -> int | None:
        """When the next probe may go, or the next wait is over, at the earliest; None where it ended."""
        if self.ended:
            return None
        if self._asking and not self._asked:
            return self._beyond_ns + _REST_NS
        self._grow()
        spaced = [] if self._asking else [self._may_ns(hop, now_ns) for hop in self.hops if self._wants(hop)]
        waits = [self._until(under) for under in self._under.values() if not under.over]
        return min([*spaced, *waits], default=now_ns)

    def sent(self, number: int, at_ns: int) -> None:
        """When a probe went out."""
        self._under[number].at_ns = at_ns

    def unsent(self, errno: int) -> None:
        """A probe could not be sent: that ends the trace."""
        self.ended, self.errno = UNSENT, errno

    def close(self) -> None:
        """The flow is gone: nothing more may be sent."""
        self.ended = self.ended or CLOSED

    # -- answers

    def heard(self, reply: Reply, at_ns: int) -> bool:
        """An answer; whether it is one to a probe of this trace that had none yet."""
        if reply.number_as(self.template) is None and reply.kind in OF_DESTINATION:
            return self._heard_of_none(reply, at_ns)
        number, under = self._meant(reply)
        if under is None:
            return False
        del self._under[number]
        answer = Answer(
            *(reply.source, max(at_ns - under.at_ns, 0), reply.kind, reply.code, reply.ttl, under.over),
            *(reply.quoted, reply.mtu, reply.labels, reply.interfaces),
            reply.quoted is not None and reply.flow.src != self.template.flow.src,
        )
        self._take(self.hops[under.ttl - 1], answer)
        return True

    def _meant(self, reply: Reply) -> tuple[int, Under | None]:
        """The probe that is answered, whatever the flow's sequence numbers were when it went out."""
        for seq in self._seqs:
            probe = self.template._replace(seq=seq)
            number = reply.number_as(probe) if _is_believed(reply, probe) else None
            under = self._under.get(number) if number is not None else None
            if number is not None and under is not None and under.at_ns and under.seq == seq:
                return number, under
        return 0, None

    def renew(self, seq: int, ack: int) -> None:
        """The connection has moved on: probes have these numbers from now on."""
        self._moves |= (seq, ack) != (self.template.seq, self.template.ack)
        if seq not in self._seqs:
            self._seqs = [seq, *self._seqs[:_RENEWALS]]
        self.template = self.template._replace(seq=seq, ack=ack)

    def _heard_of_none(self, reply: Reply, at_ns: int) -> bool:
        """An acknowledgement, of a probe or of the connection's own: what it answers is told at the end."""
        beyond = [under for under in self._under.values() if under.at_ns and under.ttl > self._farthest]
        waiting = [under for under in beyond if not under.over]
        if not waiting:
            return False
        if len(self._bare) < _MOST_BARE:
            self._bare.append(_Bare(reply, at_ns, min(waiting, key=lambda under: under.ttl).at_ns))
        if self._asked:
            self._accept(self._asking)
        return True

    def _take(self, hop: Hop, answer: Answer) -> None:
        hop, answer = self._placed(hop, answer)
        hop.answers.append(answer)
        if answer.kind == "time-exceeded":
            self._farthest = max(self._farthest, hop.ttl)
            if self._asking <= hop.ttl:
                self._asking, self._asked = 0, False
            if self.distance is not None and self.distance <= hop.ttl:  # it was not the destination that answered
                self.distance = None
            if self._circles(answer.source):
                self.ended = LOOP
            return
        ends = answer.kind in OF_DESTINATION or answer.source == self.template.flow.dst
        if ends or answer.kind in REFUSALS:
            self.distance = min(self.distance or hop.ttl, hop.ttl)
            self._farthest = max(self._farthest, self.distance)

    def _placed(self, hop: Hop, answer: Answer) -> tuple[Hop, Answer]:
        """One who refuses is where a probe ended at it before, however far this one was to go."""
        nearer = next((one for one in self.hops[: hop.ttl - 1] if answer.source in one.sources), None)
        if answer.kind not in REFUSALS or nearer is None or answer.source == self.template.flow.dst:
            return hop, answer
        hop.lost += not answer.late
        return nearer, answer._replace(late=True)

    def _circles(self, source: bytes) -> bool:
        return sum(source in hop.sources for hop in self.hops) >= _ROUND and source != self.template.flow.dst

    # -- waiting

    def _until(self, under: Under) -> int:
        """When an answer is given up."""
        wait = self.rules.wait_ns
        place = min(under.ttl, self.distance or under.ttl)
        here = [answer for hop in self._same(self.hops[place - 1]) for answer in hop.answers]
        if here:
            wait = min(wait, self.rules.here * max(answer.rtt_ns for answer in here))
        elif self._bare and self.distance is None:
            wait = min(wait, self.rules.near * max(self._bare[0].at_ns - self._bare[0].since_ns, 0))
        elif beyond := [answer.rtt_ns for hop in self.hops[under.ttl :] for answer in hop.answers]:
            wait = min(wait, self.rules.near * max(beyond))
        return under.now_ns + max(wait, self.rules.wait_ns // 50)

    def expire(self, now_ns: int) -> None:
        """Gives up what was waited for long enough, and ends where nothing is left to do."""
        for under in self._under.values():
            if not under.over and self._until(under) <= now_ns:
                under.over = True
                self.hops[under.ttl - 1].lost += 1
        while self._silent < len(self.hops) and self._is_silent(self.hops[self._silent]):
            self._silent += 1
        if self._asked and not self.hops[self._asking - 1].waiting:
            self._ask_farther()
        if not self.ended:
            self.ended = self._end()

    def _waits(self, hop: Hop) -> bool:
        """Whether answers of a distance are still to come, and wanted."""
        same = self._same(hop)
        return any(one.waiting for one in same) and sum(one.sent - one.waiting for one in same) < self.rules.queries

    def _is_silent(self, hop: Hop) -> bool:
        """Whether a distance is done with, or at least told of: then the next may be probed."""
        return bool(hop.answers) or (hop.sent > 0 and not hop.waiting)

    def _end(self) -> str:
        rules = self.rules
        if self._asking:
            return ""
        upto = self.distance or min(self._farthest + rules.gap, rules.last)
        if self._bare and self.distance is None:
            upto = min(upto, len(self.hops))
        hops = self.hops[:upto]
        if len(hops) < upto or any(self._waits(hop) or self._wants(hop) for hop in hops):
            return ""
        if self.distance is None and self._bare:
            self._settle()
            return self._end()
        if self.distance is None:
            if rules.inferred and self._moves and self._farthest < rules.last:
                self.distance = self._farthest + 1
            return LAST if self._farthest + rules.gap > rules.last else SILENT
        if self.distance > len(self.hops):
            return ""
        kinds = {answer.kind for answer in self.hops[self.distance - 1].answers}
        refused = bool(kinds.intersection(REFUSALS)) and not self._is_from_destination(self.distance)
        return REFUSED if refused else REACHED

    # -- a destination that acknowledges, and does not say what

    def _settle(self) -> None:
        """It is behind the last router that answered, if it is as far away as its packets say: else it is asked.

        Of a connection that is busy, which of its acknowledgements answers a probe is not known.
        """
        candidate = self._farthest + 1
        if len(self._bare) > sum(hop.sent for hop in self.hops[self._farthest :]):
            self.distance = candidate
            self._bare = []
            self._grow()
        elif _hops_away(self._bare[0].reply.ttl) == candidate or candidate == len(self.hops):
            self._accept(candidate)
        else:
            self._asking, self._asked = candidate, False

    def _ask(self, now_ns: int) -> Hop | None:
        """One probe alone, when the destination may acknowledge again."""
        if self._asked or now_ns - self._beyond_ns < _REST_NS:
            return None
        self._asked = True
        self._bare = self._bare[:1]
        return self.hops[self._asking - 1]

    def _ask_farther(self) -> None:
        """Nobody answered at the distance that was asked: a router that keeps silent."""
        if self._asking == len(self.hops):
            self._accept(self._asking)
        else:
            self._asking, self._asked = self._asking + 1, False

    def _accept(self, distance: int) -> None:
        """The destination is so far away; it answered the probe that went there shortest before an acknowledgement."""
        bare, self._bare = self._bare, []
        self._asking, self._asked, self.distance = 0, False, distance
        hop = self.hops[distance - 1]
        pairs = [
            (one.at_ns - under.at_ns, place)
            for place, one in enumerate(bare)
            for under in self._under.values()
            if under.ttl == distance and 0 < under.at_ns <= one.at_ns
        ]
        took, place = min(pairs, default=(self.rules.wait_ns + 1, 0))
        if took <= self.rules.wait_ns:
            reply = bare[place].reply
            for under in self._under.values():
                if under.ttl == distance and not under.over:
                    under.over = True
                    hop.lost += 1
            hop.lost -= 1
            hop.answers.append(Answer(reply.source, took, reply.kind, reply.code, reply.ttl))

    def _is_from_destination(self, distance: int) -> bool:
        answers = self.hops[distance - 1].answers
        return any(answer.kind in OF_DESTINATION or answer.source == self.template.flow.dst for answer in answers)

    def path(self) -> list[Hop]:
        """The hops up to the destination, without those that were probed beyond it or beyond what answered."""
        known = self.hops[: self.distance or self._farthest]
        return [*known[:-1], together(self._same(known[-1]))] if known else []


def _is_believed(reply: Reply, probe: Probe) -> bool:
    """Of a connection only who saw a segment knows its sequence number: other errors may be forged."""
    known = probe.flow.proto != _TCP or probe.flags & SYN or reply.seq is None
    return bool(known) or number_in(reply.seq or 0, probe) is not None


def _hops_away(ttl: int) -> int:
    """How far away one is whose packets come with this hop limit, if they come the way that ours go."""
    return next(start for start in (64, 128, 255) if ttl <= start) - ttl + 1
