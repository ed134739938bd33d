# SPDX-License-Identifier: Apache-2.0
"""Many traces side by side, paced together: which of them sends next, and whose an answer is.

No socket and no clock: ``due`` gives probes, ``sent`` and ``heard`` are told when (the two clocks
are those of ``protocols.trace``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from fleutan.protocols.tracing.hops import SECOND
from fleutan.protocols.tracing.probes import Flow, Probe
from fleutan.protocols.tracing.replies import Reply

#: IPPROTO_ICMP and IPPROTO_ICMPV6: an answer to an echo does not bring its checksum back.
_ICMP = (1, 58)


class Way(Protocol):
    """What is traced beside others: a ``Trace``, or one that has several flows."""

    ended: str

    def due(self, now_ns: int) -> Probe | None:
        """The next probe that may go now; its flow is the way's from then on."""

    def sent(self, number: int, at_ns: int) -> None:
        """When a probe went out."""

    def unsent(self, errno: int) -> None:
        """A probe could not be sent."""

    def heard(self, reply: Reply, at_ns: int) -> bool:
        """An answer; whether it is one to a probe of this way."""

    def expire(self, now_ns: int) -> None:
        """Gives up what was waited for long enough."""

    def next_ns(self, now_ns: int) -> int | None:
        """When something is to be done; None where it ended."""


W = TypeVar("W", bound=Way)


class Tracer(Generic[W]):
    """Traces side by side; at most ``pps`` probes a second leave for all of them together (0: no limit)."""

    def __init__(self, traces: Iterable[W], pps: float = 200.0, burst: int = 20) -> None:
        self.traces = list(traces)
        self._active = list(self.traces)
        self._gap_ns = SECOND / pps if pps > 0 else 0.0
        self._burst = burst
        self._next_ns = 0.0
        self._by_flow: dict[Sequence[object], W] = {}
        self.strangers = 0

    def due(self, now_ns: int) -> Iterator[tuple[W, Probe]]:
        """The probes to send now, in turns; to be asked until it gives none."""
        self._next_ns = max(self._next_ns, now_ns - self._burst * self._gap_ns)
        turning = list(self._active)
        while turning:
            still = []
            for trace in turning:
                if self._next_ns > now_ns:
                    return
                probe = trace.due(now_ns)
                if probe is not None:
                    self._next_ns += self._gap_ns
                    still.append(trace)
                    self._by_flow[_key(probe.flow)] = trace
                    yield trace, probe
            turning = still

    def heard(self, reply: Reply, at_ns: int) -> bool:
        """An answer that came in; whether it was one to a probe.  Others are counted as strangers."""
        trace = self._by_flow.get(_key(reply.flow))
        known = trace is not None and trace.heard(reply, at_ns)
        self.strangers += not known
        return known

    def expire(self, now_ns: int) -> None:
        """Gives up what was waited for long enough."""
        for trace in self._active:
            trace.expire(now_ns)
        self._active = [trace for trace in self._active if not trace.ended]

    def seconds(self, now_ns: int) -> float | None:
        """How long nothing is to be done but to listen; None where all traces ended."""
        times = [at for trace in self._active if (at := trace.next_ns(now_ns)) is not None]
        if not times:
            return None
        first = min(times)
        if first <= now_ns:
            first = int(self._next_ns)
        return max(first - now_ns, 0) / SECOND

    @property
    def done(self) -> bool:
        """Whether all traces ended."""
        return not self._active


def _key(flow: Flow) -> Sequence[object]:
    """What tells traces apart in replies: routers may have changed the rest."""
    return (flow.family, flow.proto, flow.dst, flow.sport, 0 if flow.proto in _ICMP else flow.dport)
