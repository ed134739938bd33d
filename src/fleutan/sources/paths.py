# SPDX-License-Identifier: Apache-2.0
"""Paths of flows, traced: probes go out by raw sockets, what answers becomes hops and routers.

When which probe goes is the tracer's business (``protocols.tracer``); which flows are traced and
how is decided in ``live``.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from fleutan.analysis.paths import Hop, Path, Router
from fleutan.column import Column
from fleutan.errors import NotSupported
from fleutan.linux import ports
from fleutan.linux.egress import Sent, has_rivals, source_for
from fleutan.linux.namespaces import Namespace, entered
from fleutan.linux.probing import RawProber
from fleutan.linux.tcpfilter import Peer
from fleutan.protocols.tracing.hops import REACHED, SILENT, Answer, Rules
from fleutan.protocols.tracing.hops import Hop as Distance
from fleutan.protocols.tracing.probes import ACK, SYN, Flow, Probe, packet
from fleutan.protocols.tracing.replies import Reply, parse
from fleutan.protocols.tracing.trace import Trace
from fleutan.protocols.tracing.tracer import Tracer, W
from fleutan.protocols.tracing.within import Within

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
#: The ways of probing, the best first.
METHODS = ("flow", "syn", "udp", "icmp")
#: Where probes go that no flow tells: of UDP traceroute's first port, at which nobody listens.
_PORTS = {TCP: 443, UDP: 33434}
#: The checksum that all echo requests of a way have.
CHECKSUM = 0xBEEF
#: A host on Ethernet says so much in a SYN; ACKs of a connection say what it does.
_WINDOW = 64240
#: The longest that one wait lasts, so that renewals and interrupts are not held up; seconds.
_LISTEN = 0.1
#: Seconds until a full queue is tried again, and nanoseconds that it may stay full: as long as
#: packets wait for a neighbour that does not answer (three times a second).
_FULL, _FULL_NS = 0.01, 4_000_000_000
#: Seconds after which a connection's sequence numbers are read anew.
RENEW = 0.2

#: How many times longer than a renewal takes the next one is put off.
_RESTS = 10

#: What ICMP refusals are called, as traceroute does: by IP version and code; the rest is !code.
REFUSALS = {
    4: {0: "!N", 1: "!H", 2: "!P", 3: "", 5: "!S", 9: "!X", 10: "!X", 13: "!X"},
    6: {0: "!N", 1: "!X", 2: "!S", 3: "!H", 4: "", 5: "!X", 6: "!X"},
}


class Aim(NamedTuple):
    """One way to be traced: the flow as its packets leave, how it is probed, and TCP's numbers.

    ``cookie`` is the connection's, whose numbers they are; ``device`` is the one it leaves by:
    where there are several ways out, a packet of its own would find another one.  A UDP flow that
    is traced from inside has the distance of its destination, which its probes must not reach, and
    the ``edges``: routers right before it.
    """

    flow: Flow
    method: str
    seq: int = 0
    ack: int = 0
    window: int = _WINDOW
    cookie: int = 0
    device: str = ""
    distance: int = 0
    edges: frozenset[bytes] = frozenset()


class Numbers(NamedTuple):
    """Where a connection is: the first octet that is not acknowledged, and the next one that is expected."""

    una: int
    next: int


class Prober(Protocol):
    """Sends IP packets and gives what comes back; entered in the namespace of the flows."""

    def send(self, packet: bytes) -> Sent:
        """Sends one."""

    def expect(self, peers: Iterable[Peer]) -> None:
        """Whose TCP answers are wanted."""

    def receive(self, seconds: float) -> list[tuple[bytes, int]]:
        """What came, after so many seconds at the most."""

    @property
    def lost(self) -> int:
        """How many packets found no room."""


class Wire(Protocol):
    """Sends probes and gives the replies that come back, with the kernel's times."""

    def send(self, probe: Probe) -> Sent:
        """Sends one."""

    def receive(self, seconds: float) -> list[tuple[Reply, int]]:
        """What came, after so many seconds at the most."""


class Packets(NamedTuple):
    """The wire that a prober of whole packets is."""

    prober: Prober

    def send(self, probe: Probe) -> Sent:
        """Sends one."""
        return self.prober.send(packet(probe))

    def receive(self, seconds: float) -> list[tuple[Reply, int]]:
        """What came and may be a reply, after so many seconds at the most."""
        came = ((parse(data), at_ns) for data, at_ns in self.prober.receive(seconds))
        return [(reply, at_ns) for reply, at_ns in came if reply is not None]


class Kernel(NamedTuple):
    """What is asked of Linux and of the clock; whoever has answers of another origin puts them in its place."""

    prober: Callable[[str], AbstractContextManager[Prober]] = RawProber
    entered: Callable[[Namespace], AbstractContextManager[None]] = entered
    clock: Callable[[], int] = time.monotonic_ns
    has_rivals: Callable[[bytes, bytes, int], bool] = has_rivals


LINUX = Kernel()
#: The numbers of connections by cookie; those that are not there any more have closed.
Renew = Callable[[Collection[int]], Mapping[int, Numbers]]


def refused(kernel: Kernel = LINUX) -> NotSupported | None:
    """Why this process may not use raw sockets; None where it may."""
    try:
        with kernel.prober(""):
            return None
    except NotSupported as error:
        return error


def octets(column: Column) -> list[bytes]:
    """Addresses of a column as octets in network order: 4 of IPv4, 16 of IPv6."""
    rows = column.values.astype(">i8").tobytes()
    whole = (rows[at : at + 16] for at in range(0, len(rows), 16))
    return [address[12:] if address[:12] == bytes(10) + b"\xff\xff" else address for address in whole]


@contextmanager
def aim(space: Namespace, destination: bytes, method: str, dport: int = 0) -> Iterator[Aim]:
    """A way to a destination without a flow, with a port of its own that is held meanwhile.

    ``method`` is syn, udp or icmp.  Raises Unsendable where nothing can be sent there.
    """
    family = 4 if len(destination) == 4 else 6
    proto = {"syn": TCP, "udp": UDP}.get(method)
    with ExitStack() as stack:
        with entered(space):
            sport = stack.enter_context(ports.held(family, proto, 1))[0] if proto is not None else _identifier()
            dport = (dport or _PORTS[proto]) if proto is not None else 0
            ours = proto or (ICMP if family == 4 else ICMPV6)
            out = source_for(destination, proto=ours, sport=sport, dport=dport)
            device = socket.if_indextoname(out.device) if out.device else ""
        flow = Flow(family, out.src, destination, ours, sport, dport or CHECKSUM)
        yield Aim(flow, method, device=device)


def _identifier() -> int:
    return int.from_bytes(os.urandom(2), "big")


def template(aim: Aim) -> Probe:
    """The probe of a way but for distance and number, which begins at 1."""
    if aim.method == "flow":
        tcp = aim.flow.proto == TCP
        return Probe(aim.flow, 0, 1, aim.seq, aim.ack, aim.window, ACK) if tcp else Probe(aim.flow, 0, 1, bare=True)
    if aim.method == "syn":
        start = int.from_bytes(os.urandom(2), "big") << 16
        return Probe(aim.flow, 0, 1, start, 0, aim.window, SYN)
    return Probe(aim.flow, 0, 1)


class Traced(NamedTuple):
    """A way's path, and when nothing could be sent why.

    ``expired`` is the farthest distance at which probes ran out, so that the destination is behind.
    ``missed`` counts the packets for which the sockets had no room while it was traced: answers,
    perhaps.  ``rivals`` says that several next hops behind one device share its flows.
    """

    path: Path
    errno: int = 0
    expired: int = 0
    missed: int = 0
    rivals: bool = False


def trace(
    wanted: Sequence[Aim],
    space: Namespace,
    rules: Mapping[str, Rules],
    pps: float,
    renew: Renew | None = None,
    kernel: Kernel = LINUX,
    wire: Wire | None = None,
) -> list[Traced]:
    """Traces the ways in a network namespace, all side by side; ``rules`` are by method.

    By raw sockets, unless there is a ``wire`` of other ones, which was opened there.
    Raises NotSupported without the right to raw sockets, Gone where the namespace vanished.
    """
    traces = [_begun(aim, rules[aim.method]) for aim in wanted]
    with kernel.entered(space), ExitStack() as held:
        devices = sorted({aim.device for aim in wanted})
        out = {device: wire or Packets(held.enter_context(kernel.prober(device))) for device in devices}
        ears = next(iter(out.values()))  # each hears what comes by any device
        if isinstance(ears, Packets):
            ears.prober.expect(peer(aim.flow) for aim in wanted if aim.flow.proto == TCP)
        by_trace = {id(one): out[aim.device] for one, aim in zip(traces, wanted, strict=True)}
        run(Tracer(traces, pps), by_trace, ears, _renewing(wanted, traces, renew, kernel), kernel)
        missed, rivals = missed_by(ears), [_has_rivals(aim, kernel) for aim in wanted]
    return [
        Traced(path_of(one, aim.method), one.errno, _expired(one), missed, rival)
        for one, aim, rival in zip(traces, wanted, rivals, strict=True)
    ]


def missed_by(ears: Wire) -> int:
    """How many packets found no room in the sockets that hear."""
    return ears.prober.lost if isinstance(ears, Packets) else 0


def _has_rivals(aim: Aim, kernel: Kernel) -> bool:
    """Whether probes may leave by another next hop than their flow: not where no ports count."""
    flow = aim.flow
    return flow.proto in (TCP, UDP) and kernel.has_rivals(flow.dst, flow.src, flow.tos)


def _expired(one: Trace) -> int:
    return max((hop.ttl for hop in one.hops if any(it.kind == "time-exceeded" for it in hop.answers)), default=0)


def _begun(aim: Aim, rules: Rules) -> Trace:
    one = template(aim)
    return Within(one, rules, aim.distance, aim.edges) if one.bare else Trace(one, rules)


def peer(flow: Flow) -> Peer:
    """Whose TCP answers probes of a flow may bring."""
    return Peer(flow.family, flow.dst, flow.dport, flow.sport)


def run(tracing: Tracer[W], out: Mapping[int, Wire], ears: Wire, renew: Callable[[], None], kernel: Kernel) -> None:
    """Sends what is due and listens until all traces ended; ``out`` is each one's wire by its id()."""

    def hear(seconds: float) -> None:
        for reply, at_ns in ears.receive(seconds):
            tracing.heard(reply, at_ns)

    send = _patient(hear, kernel)
    while not tracing.done:
        renew()
        for one, probe in tracing.due(kernel.clock()):
            sent = send(out[id(one)], probe)
            if sent.errno:
                one.unsent(sent.errno)
            else:
                one.sent(probe.number, sent.at_ns)
        asked_ns = kernel.clock()
        seconds = tracing.seconds(asked_ns)
        if seconds is not None:
            hear(min(seconds, _LISTEN))
        tracing.expire(asked_ns)  # all that came before has been heard, however late this process gets its turn


def _patient(hear: Callable[[float], None], kernel: Kernel) -> Callable[[Wire, Probe], Sent]:
    """Sends, and listens a while where a queue of this host is full, before it is sent again."""
    full_ns = 0

    def send(wire: Wire, probe: Probe) -> Sent:
        nonlocal full_ns
        while (sent := wire.send(probe)).errno == errno.ENOBUFS:
            full_ns = full_ns or kernel.clock()
            if kernel.clock() >= full_ns + _FULL_NS:
                return sent
            hear(_FULL)
        full_ns = 0
        return sent

    return send


def _renewing(
    wanted: Sequence[Aim], traces: Sequence[Trace], renew: Renew | None, kernel: Kernel
) -> Callable[[], None]:
    """Reads the numbers of live connections now and then; what has closed gets no more probes."""
    live = {aim.cookie: one for aim, one in zip(wanted, traces, strict=True) if aim.method == "flow" and aim.cookie}
    due_ns = kernel.clock() + int(RENEW * 1e9)

    def renewed() -> None:
        nonlocal due_ns
        if renew is None or not live or kernel.clock() < due_ns:
            return
        running = [cookie for cookie, one in live.items() if not one.ended]
        began_ns = kernel.clock()
        known = renew(running)
        for cookie in running:
            numbers = known.get(cookie)
            if numbers is None:
                live[cookie].close()
            else:
                live[cookie].renew(numbers.una, numbers.next)
        now_ns = kernel.clock()
        due_ns = now_ns + max(int(RENEW * 1e9), _RESTS * (now_ns - began_ns))  # of a crowd it takes longer

    return renewed


# -- what was heard, as a path


def path_of(one: Trace, method: str) -> Path:
    """A trace as a path."""
    flow = one.template.flow
    hops = tuple(Hop(hop.ttl, tuple(routers(hop, flow)), hop.sent, hop.lost) for hop in one.path())
    ended = REACHED if one.distance is not None and one.ended == SILENT else one.ended
    return Path("", method, hops, ended, _text(flow.dst))


def routers(hop: Distance, flow: Flow) -> Iterator[Router]:
    """Who answered at a hop to probes of this flow, or such as differ from it in ports only."""
    for source in hop.sources:
        answers = [answer for answer in hop.answers if answer.source == source]
        last = answers[-1]
        yield Router(
            _text(source),
            tuple(answer.rtt_ns / 1000 for answer in answers),
            ttl=last.ttl,
            refusal=_refusal(last, flow.family),
            labels=tuple(f"{label.label} ttl {label.ttl}" for label in last.labels),
            changes=tuple(_changes(last, flow)),
            mtu=last.mtu,
        )


def _refusal(answer: Answer, family: int) -> str:
    if answer.kind == "too-big":
        return "!F"
    return REFUSALS[family].get(answer.code, f"!{answer.code}") if answer.kind == "unreachable" else ""


def _changes(answer: Answer, flow: Flow) -> Iterator[str]:
    quoted = answer.quoted
    if quoted is None:
        return
    if quoted.intact is False or answer.translated:
        yield "nat"
    if quoted.tos != flow.tos:
        yield f"tos {quoted.tos:#04x}"


def _text(address: bytes) -> str:
    return str(ip_address(address))
