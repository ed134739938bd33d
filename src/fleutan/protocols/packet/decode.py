# SPDX-License-Identifier: Apache-2.0
"""The walk over headers, level by level, and the columns that it gives.

Rows that stand at the same kind of header take a step together; each step says what follows in
which rows.  Which header looks how is known to the steps alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet import link, network, transport, tunnels
from fleutan.protocols.packet.kinds import Codes, Kind, beginnings
from fleutan.protocols.packet.kinds import layer_of as layer_of_kind
from fleutan.protocols.packet.level import Follows, Group, Level, Place, gathered
from fleutan.protocols.packet.names import INNER, Layer, layer_of
from fleutan.protocols.spans import Spans
from fleutan.records import Records, Values, concatenate

Ints = NDArray[np.int64]
#: What to give; None: every name.
Names: TypeAlias = "frozenset[str] | None"

#: Kinds that may stand behind themselves, and how many headers of these a row's level may have.
_REPEATED: Final = frozenset((Kind.LLC, Kind.TAG, Kind.EXTENSION, Kind.FRAGMENT, Kind.AUTHENTICATION))
MOST_REPEATED: Final = 16
#: Rows that are walked at once: what they need stays in a CPU's cache.
_BLOCK: Final = 1 << 14

_STEPS: Final[Mapping[int, Callable[[Level, Group], Follows]]] = {
    Kind.ETHERNET: link.ethernet,
    Kind.SLL: link.sll,
    Kind.SLL2: link.sll2,
    Kind.LLC: link.llc,
    Kind.TAG: link.tags,
    Kind.PPPOE: link.pppoe,
    Kind.PPPOE_DISCOVERY: link.pppoe_discovery,
    Kind.PPP: link.ppp,
    Kind.NULL: link.null,
    Kind.MPLS: link.mpls,
    Kind.IP: link.by_version,
    Kind.IPV4: network.ipv4,
    Kind.IPV6: network.ipv6,
    Kind.EXTENSION: network.extension,
    Kind.FRAGMENT: network.fragment,
    Kind.AUTHENTICATION: network.authentication,
    Kind.ARP: network.arp,
    Kind.TCP: transport.tcp,
    Kind.UDP: transport.udp,
    Kind.UDP_LITE: transport.udp_lite,
    Kind.SCTP: transport.sctp,
    Kind.DCCP: transport.dccp,
    Kind.ICMP: transport.icmp,
    Kind.ESP: transport.esp,
    Kind.PSEUDOWIRE: tunnels.pseudowire,
    Kind.IPV4_INSIDE: tunnels.ipv4_inside,
    Kind.IPV6_INSIDE: tunnels.ipv6_inside,
    Kind.ETHERNET_INSIDE: tunnels.ethernet_inside,
    Kind.ETHER_IP: tunnels.ether_ip,
    Kind.MPLS_INSIDE: tunnels.mpls_inside,
    Kind.GRE: tunnels.gre,
    Kind.ERSPAN2: tunnels.erspan2,
    Kind.ERSPAN3: tunnels.erspan3,
    Kind.VXLAN: tunnels.vxlan,
    Kind.VXLAN_GPE: tunnels.vxlan_gpe,
    Kind.GENEVE: tunnels.geneve,
    Kind.GTP_U: tunnels.gtp_u,
}


def decode(spans: Spans, kinds: Ints, wanted: Iterable[str] | None = None, depth: int = 1) -> Records:
    """What the headers of captured packets say, a row a packet, under the names of ``names.NAMES``.

    ``kinds`` is ``(n,)`` int64: what each row begins with, by sFlow's ``header_protocol`` (sFlow
    version 5, 5.3) or ``kinds.LINK_TYPE`` plus a link type; of other numbers nothing is known.
    ``wanted`` are the names to give (None: all), and no row is walked further than they need.
    Tunnels are entered ``depth`` times: ``inner_src`` is of the packet in the outermost tunnel,
    ``inner_inner_src`` of one in a tunnel within.  Values are int64, addresses ``(n, 2)`` halves,
    ``truncated`` and ``malformed`` bool.  A name that no row knows is absent.  Nothing raises
    but a name in ``wanted`` that is none (KeyError), nothing is read beyond a row's own octets.
    """
    names = None if wanted is None else frozenset(wanted)
    for name in names or ():
        layer_of(name)
    blocks = (slice(start, start + _BLOCK) for start in range(0, spans.rows, _BLOCK))
    return concatenate(
        _block(Spans(spans.octets, spans.starts[block], spans.sizes[block]), kinds[block], names, depth)
        for block in blocks
    )


def headers(spans: Spans, kinds: Ints, depth: int = 1) -> list[Place]:
    """Where the headers of captured packets lie, one ``Place`` for those of a layout that are read together.

    Arguments are those of ``decode``.  A header that a packet ends inside is there too.
    """
    places: list[Place] = []
    for start in range(0, spans.rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        some = Spans(spans.octets, spans.starts[block], spans.sizes[block])
        _block(some, kinds[block], frozenset(), depth, places)
    return places


def _block(spans: Spans, kinds: Ints, names: Names, depth: int, places: list[Place] | None = None) -> Records:
    everything = np.arange(spans.rows)
    whole = Group(everything, spans.starts, spans.starts + spans.sizes)
    codes, group, origin = beginnings(kinds), whole, everything
    found, prefix = Records(spans.rows, {}, {}), ""
    for deeper in reversed(range(depth + 1)):
        own, names = _own(names), _inside(names)
        level = Level(spans.octets, spans.starts[origin], group.rows, own, places)
        farthest = Layer.INNER if places is not None else _farthest(own, names if deeper else frozenset())
        _walk(level, codes, group, farthest)
        _add(found, level.records(), prefix, origin)
        if not level.inner:
            break
        codes, group, origin = _renumbered(level.inner, origin)
        prefix += INNER
    return found


def _own(names: Names) -> Names:
    return None if names is None else frozenset(name for name in names if not name.startswith(INNER))


def _inside(names: Names) -> Names:
    return None if names is None else frozenset(name.removeprefix(INNER) for name in names if name.startswith(INNER))


def _farthest(own: Names, inside: Names) -> Layer:
    """How far the rows of a level are walked."""
    if own is None or inside is None or inside:
        return Layer.INNER
    return max(map(layer_of, own), default=Layer.LINK)


def _walk(level: Level, codes: Codes, group: Group, farthest: Layer) -> None:
    """Steps, lowest kinds first, until nothing is left that stands at a header that is to be read."""
    pending: dict[int, list[Group]] = {}
    repeated = np.zeros(len(group.rows), np.uint8)
    level.mark("l2_at", group)
    _divide(pending, codes, group)
    while (kind := min(pending, default=Kind.END)) and layer_of_kind(kind) <= farthest:
        group = gathered(pending.pop(kind))
        if kind in _REPEATED:
            group = _bounded(level, repeated, group)
        for follows in _STEPS[kind](level, group):
            _divide(pending, *follows)


def _bounded(level: Level, repeated: NDArray[np.uint8], group: Group) -> Group:
    """The rows that had fewer such headers than are read; the walk ends, since only these come again."""
    repeated[group.rows] += 1
    possible = repeated[group.rows] <= MOST_REPEATED
    level.malformed[group.rows[~possible]] = True
    return group.take(possible)


def _divide(pending: dict[int, list[Group]], codes: Codes, group: Group) -> None:
    """Each row to those that stand at the same kind of header."""
    if not len(codes):
        return
    present = [int(codes[0])] if codes.min() == codes.max() else np.flatnonzero(np.bincount(codes)).tolist()
    for kind in present:
        if kind != Kind.END:
            pending.setdefault(kind, []).append(group.take(codes == kind))


def _renumbered(inner: list[tuple[Codes, Group]], origin: Ints) -> tuple[Codes, Group, Ints]:
    """The packets in tunnels as rows of a level of their own, and which rows of the batch they are."""
    group = gathered([group for _, group in inner])
    codes = np.concatenate([codes for codes, _ in inner])
    return codes, group._replace(rows=np.arange(len(codes))), origin[group.rows]


def _add(found: Records, level: Records, prefix: str, origin: Ints) -> None:
    """The columns of a level, which has the rows ``origin`` of all."""
    for name, values in level.values.items():
        known = level.known.get(name)
        if not prefix:
            found.values[name] = values
        else:
            column: Values = np.zeros((found.rows, *values.shape[1:]), values.dtype)
            column[origin] = values
            found.values[prefix + name] = column
            mask = np.zeros(found.rows, np.bool_)
            mask[origin] = True if known is None else known
            known = mask
        if known is not None and not known.all():
            found.known[prefix + name] = known
