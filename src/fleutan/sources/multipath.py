# SPDX-License-Identifier: Apache-2.0
"""All ways to destinations: many flow ids at once go out, what answers becomes hops with their links.

Which flow ids go how far is the business of ``protocols.branches``; which destinations are traced is
decided in ``live``.  Flow ids of UDP and TCP are source ports, which are kept while they are used, of
ICMP the constant checksum; of IPv6 the flow label, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import ip_address

from fleutan.analysis.paths import Hop, Path
from fleutan.linux import ports
from fleutan.linux.egress import Sent
from fleutan.linux.namespaces import Namespace
from fleutan.linux.tcpfilter import Peer
from fleutan.protocols.tracing.hops import Rules
from fleutan.protocols.tracing.multipath import Multipath
from fleutan.protocols.tracing.probes import Flow, Probe
from fleutan.protocols.tracing.replies import Reply
from fleutan.protocols.tracing.tracer import Tracer
from fleutan.sources.paths import LINUX, TCP, UDP, Aim, Kernel, Packets, Traced, missed_by, peer, routers, run, template

#: So many ports are kept at once when those there are have been used.
_BLOCK = 16
#: 2**32 divided by the golden ratio: flow labels that follow one another are far apart.
_SCATTER = 0x9E3779B1


class FlowIds:
    """The probes of a way's flow ids: the first is the way's own, further ones are made when they are needed."""

    def __init__(self, aim: Aim, held: ExitStack) -> None:
        self.aim = aim
        self._probe = template(aim)
        self._ports = [aim.flow.sport]
        self._held = held

    def __call__(self, number: int) -> Probe:
        """The probe of a flow id, but for distance and number; to be called in the way's network namespace."""
        return self._probe._replace(flow=self._flow(number))

    def _flow(self, number: int) -> Flow:
        flow = self.aim.flow
        label = (flow.label + number * _SCATTER) & 0xF_FFFF if flow.family == 6 else 0
        if flow.proto not in (TCP, UDP):
            sport, dport = (flow.sport + number) & 0xFFFF, (flow.dport - number) % 0xFFFF
            return flow._replace(sport=sport, dport=dport, label=label)
        while number >= len(self._ports):
            self._ports += self._held.enter_context(ports.held(flow.family, flow.proto, _BLOCK))
        return flow._replace(sport=self._ports[number], label=label)

    def peers(self) -> Iterator[Peer]:
        """Whose TCP answers are wanted by now."""
        flow = self.aim.flow
        yield from (peer(flow._replace(sport=port)) for port in self._ports if flow.proto == TCP)


class _Wire:
    """Sends by the device of a way, and has the ears told of ports that are new."""

    def __init__(self, out: Packets, expect: Callable[[Flow], None]) -> None:
        self._out, self._expect = out, expect

    def send(self, probe: Probe) -> Sent:
        self._expect(probe.flow)
        return self._out.send(probe)

    def receive(self, seconds: float) -> list[tuple[Reply, int]]:
        return self._out.receive(seconds)


def trace(
    wanted: Sequence[Aim],
    space: Namespace,
    rules: Mapping[str, Rules],
    pps: float,
    confidence: float,
    kernel: Kernel = LINUX,
) -> list[Traced]:
    """Traces all ways to the destinations of these, side by side; ``rules`` are by method.

    Raises NotSupported without the right to raw sockets, Gone where the namespace vanished, and
    FleutanError where there are not enough ports.
    """
    with kernel.entered(space), ExitStack() as held:
        flows = [FlowIds(aim, held) for aim in wanted]
        traces = [Multipath(one, rules[one.aim.method], confidence) for one in flows]
        devices = sorted({aim.device for aim in wanted})
        out = {device: Packets(held.enter_context(kernel.prober(device))) for device in devices}
        ears = next(iter(out.values()))  # each hears what comes by any device
        known: set[Peer] = set()

        def expect(flow: Flow) -> None:
            if flow.proto == TCP and peer(flow) not in known:
                known.update(found for one in flows for found in one.peers())
                ears.prober.expect(known)

        by_trace = {id(one): _Wire(out[aim.device], expect) for one, aim in zip(traces, wanted, strict=True)}
        run(Tracer(traces, pps), by_trace, ears, _nothing, kernel)
        missed = missed_by(ears)
    return [Traced(path_of(one, aim), one.errno, missed=missed) for one, aim in zip(traces, wanted, strict=True)]


def _nothing() -> None:
    """No flow's numbers have to be read anew."""


def path_of(one: Multipath, aim: Aim) -> Path:
    """All ways as one path, whose hops have their routers and the links between them."""
    hops = tuple(_hop(one, place, aim.flow) for place in range(len(one.path())))
    return Path("", aim.method, hops, one.ended, _text(aim.flow.dst))


def _hop(one: Multipath, place: int, flow: Flow) -> Hop:
    hop, found = one.hops[place], one.branches
    links = ((_text(tail), _text(head)) for tail, head in found.links(hop.ttl))
    return Hop(hop.ttl, tuple(routers(hop, flow)), hop.sent, hop.lost, found.balancing(hop.ttl), tuple(links))


def _text(address: bytes) -> str:
    return str(ip_address(address))
