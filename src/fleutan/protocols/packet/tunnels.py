# SPDX-License-Identifier: Apache-2.0
"""Steps over the headers of tunnels, each of which ends where a packet of the next level begins.

What is inside is not read here.  RFC 2784, 2890 and 2637 (GRE), draft-foschiano-erspan (ERSPAN),
RFC 7637 (NVGRE), RFC 7348 (VXLAN), RFC 8926 (Geneve), 3GPP TS 29.281 (GTP-U), RFC 4385 (control
word of pseudowires), RFC 2003, 2473 and 4213 (IP in IP), RFC 3378 (EtherIP).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.kinds import ETHERTYPES, GPE_PROTOCOLS, INSIDE, NIBBLES, Codes, Kind
from fleutan.protocols.packet.level import Follows, Group, Header, Level
from fleutan.protocols.packet.names import Tunnel

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Extension headers of GTP-U that are passed over: TS 29.281 5.2.1 has fewer than these.
MOST_GTP_EXTENSIONS: Final = 8
_BRIDGED, _ERSPAN2, _ERSPAN3 = 0x6558, 0x88BE, 0x22EB
_ERSPAN_ETHERNET, _ERSPAN_IP, _ERSPAN_MORE = 0, 2, 8
_USER_PACKET = 255  # G-PDU
_CONTROL_WORD = 4


def _all(kind: Kind, group: Group) -> Codes:
    return np.full(len(group.rows), kind, np.uint8)


def ipv4_inside(level: Level, group: Group) -> Follows:
    """RFC 2003, RFC 2473."""
    level.enter(Tunnel.IP_IN_IP, _all(Kind.IPV4, group), group)
    return ()


def ipv6_inside(level: Level, group: Group) -> Follows:
    """RFC 4213 3, RFC 2473."""
    level.enter(Tunnel.IP_IN_IP, _all(Kind.IPV6, group), group)
    return ()


def ethernet_inside(level: Level, group: Group) -> Follows:
    """RFC 8986 4.9: an Ethernet frame directly behind IPv6 and its extensions."""
    level.enter(Tunnel.ETHER_IP, _all(Kind.ETHERNET, group), group)
    return ()


def ether_ip(level: Level, group: Group) -> Follows:
    """RFC 3378 2."""
    header = level.read(layouts.ETHER_IP, group)
    return ethernet_inside(level, header.group.moved(layouts.ETHER_IP.size))


def mpls_inside(level: Level, group: Group) -> Follows:
    """RFC 4023, RFC 7510."""
    level.enter(Tunnel.MPLS_IN_IP, _all(Kind.MPLS, group), group)
    return ()


def pseudowire(level: Level, group: Group) -> Follows:
    """Ethernet behind labels, with RFC 4385's control word or without.

    Nothing in the packet says which, both ends know: it is Ethernet where its type, at one of the
    two places, is one that is read here.
    """
    header = level.read(layouts.PSEUDOWIRE, group)
    controlled = (header["_nibble"] == 0) & (ETHERTYPES.take(header["_type_behind_control"]) > Kind.LLC)
    frames = controlled | (ETHERTYPES.take(header["_type"]) > Kind.LLC)
    carried = header.group.take(frames)
    label = level.read(layouts.FURTHER_LABEL, carried.moved(-layouts.FURTHER_LABEL.size))
    inside = carried.moved(np.where(controlled, _CONTROL_WORD, 0)[frames])
    level.enter(Tunnel.PSEUDOWIRE, _all(Kind.ETHERNET, inside), inside, label["_label"])
    return ()


def gre(level: Level, group: Group) -> Iterator[tuple[Codes, Group]]:
    """RFC 2784 2.1 and RFC 2890 2, and version 1, which carries PPP (RFC 2637 4.1)."""
    header = level.read(layouts.GRE, group)
    readable = (header["_version"] <= 1) & (header["_routing"] == 0)
    level.malformed[header.group.rows[~readable]] = True
    words = header["_checksum"] + header["_key"] + header["_sequence"] + header["_acknowledged"]
    whole = readable & level.passable(header.group, 4 + 4 * words, layouts.GRE.size)
    types, sequenced = header["gre_protocol"][whole], (header["_sequence"] == 1)[whole]
    group = header.group.take(whole)
    _gre_options(level, header, whole)
    group = group.moved(4 + 4 * words[whole])
    codes = INSIDE.take(types)
    codes[types == _ERSPAN2] = Kind.ETHERNET  # type I, which has no header of its own
    for kind, chosen in ((Kind.ERSPAN2, (types == _ERSPAN2) & sequenced), (Kind.ERSPAN3, types == _ERSPAN3)):
        yield _all(kind, group)[chosen], group.take(chosen)
        codes[chosen] = Kind.END
    mirrored = (types == _ERSPAN2) | (types == _ERSPAN3)
    level.enter(Tunnel.ERSPAN, codes[mirrored], group.take(mirrored))
    level.enter(Tunnel.GRE, codes[~mirrored], group.take(~mirrored))


def _gre_options(level: Level, header: Header, whole: Mask) -> None:
    """Key and sequence number, behind the checksum, of the rows that have all of the header."""
    group = header.group.take(whole).moved(4 + 4 * header["_checksum"][whole])
    keyed, sequenced = ((header[name] == 1)[whole] for name in ("_key", "_sequence"))
    level.read(layouts.GRE_SEQUENCE, group.moved(4 * keyed).take(sequenced))
    types = header["gre_protocol"][whole][keyed]
    key = level.read(layouts.GRE_KEY, group.take(keyed))
    keys, rows = key["gre_key"], key.group.rows
    level.put_where(~np.isin(types, (_ERSPAN2, _ERSPAN3)), "tunnel_id", rows, keys)
    plain = (header["_checksum"] + header["_sequence"] + header["_version"])[whole][keyed] == 0
    level.put_where(plain & (types == _BRIDGED), "nvgre_vsid", rows, keys >> 8)


def erspan2(level: Level, group: Group) -> Follows:
    """draft-foschiano-erspan 4.2."""
    header = level.read(layouts.ERSPAN2, group)
    level.columns.put("tunnel_id", header.group.rows, header["_session"])
    frames = header.group.moved(layouts.ERSPAN2.size)
    level.enter(Tunnel.ERSPAN, _all(Kind.ETHERNET, frames), frames)
    return ()


def erspan3(level: Level, group: Group) -> Follows:
    """draft-foschiano-erspan 4.3: Ethernet or IP, perhaps behind a header of the platform."""
    header = level.read(layouts.ERSPAN3, group)
    level.columns.put("tunnel_id", header.group.rows, header["_session"])
    inside = header.group.moved(layouts.ERSPAN3.size + _ERSPAN_MORE * header["_more"])
    codes = np.zeros(len(inside.rows), np.uint8)
    codes[header["_frame"] == _ERSPAN_ETHERNET] = Kind.ETHERNET
    codes[header["_frame"] == _ERSPAN_IP] = Kind.IP
    level.enter(Tunnel.ERSPAN, codes, inside)
    return ()


def vxlan(level: Level, group: Group) -> Follows:
    """RFC 7348 5."""
    header = level.read(layouts.VXLAN, group)
    frames = header.group.moved(layouts.VXLAN.size)
    level.enter(Tunnel.VXLAN, _all(Kind.ETHERNET, frames), frames, header["_vni"])
    return ()


def vxlan_gpe(level: Level, group: Group) -> Follows:
    """draft-ietf-nvo3-vxlan-gpe 3."""
    header = level.read(layouts.VXLAN_GPE, group)
    inside = header.group.moved(layouts.VXLAN_GPE.size)
    level.enter(Tunnel.VXLAN, GPE_PROTOCOLS.take(header["_next"]), inside, header["_vni"])
    return ()


def geneve(level: Level, group: Group) -> Follows:
    """RFC 8926 3.4: options are passed over."""
    header = level.read(layouts.GENEVE, group)
    sizes = layouts.GENEVE.size + 4 * header["_words"]
    whole = level.passable(header.group, sizes, layouts.GENEVE.size)
    inside = header.group.moved(sizes).take(whole)
    level.enter(Tunnel.GENEVE, INSIDE.take(header["_type"])[whole], inside, header["_vni"][whole])
    return ()


def gtp_u(level: Level, group: Group) -> Follows:
    """3GPP TS 29.281 5.1: a user's packet, perhaps behind extension headers; signalling has none."""
    header = level.read(layouts.GTP_U, group)
    user = header["gtp_type"] == _USER_PACKET
    level.put_where(user, "tunnel_id", header.group.rows, header["_teid"])
    optional = header["_optional"] > 0
    _user_packets(level, header.group.moved(layouts.GTP_U.size).take(user & ~optional))
    longer = level.read(layouts.GTP_U_LONG, header.group.take(user & optional))
    behind = longer.group.moved(layouts.GTP_U_LONG.size)
    extended = (longer["_extended"] == 1) & (longer["_next"] > 0)
    _user_packets(level, behind.take(~extended))
    _gtp_extensions(level, behind.take(extended))
    return ()


def _gtp_extensions(level: Level, group: Group) -> None:
    """TS 29.281 5.2.1: the length in units of 4 octets comes first, the next type last."""
    for _ in range(MOST_GTP_EXTENSIONS):
        start = level.read(layouts.OCTET, group)
        sizes = 4 * start["_octet"]
        whole = level.passable(start.group, sizes, 4)
        group = start.group.moved(sizes).take(whole)
        last = level.read(layouts.OCTET, group.moved(-1))["_octet"] == 0
        _user_packets(level, group.take(last))
        group = group.take(~last)
    level.malformed[group.rows] = True


def _user_packets(level: Level, group: Group) -> None:
    start = level.read(layouts.NIBBLE, group)
    level.enter(Tunnel.GTP_U, NIBBLES.take(start["_nibble"]), start.group)
