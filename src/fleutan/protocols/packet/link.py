# SPDX-License-Identifier: Apache-2.0
"""Steps over links' headers: Ethernet and its tags, 802.2, PPP and PPPoE, MPLS, Linux cooked captures.

Each step reads one kind of header in all rows that stand there, and says what follows in each.
What IP and its neighbours look like is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.kinds import ETHERTYPES, FIRST_TYPE, NIBBLES, PPP_PROTOCOLS, Codes, Kind
from fleutan.protocols.packet.level import Follows, Group, Level

Ints = NDArray[np.int64]

#: More tags and labels than these are no stack of a network that exists.
MOST_TAGS: Final = 8
MOST_LABELS: Final = 16
_LLC_TYPE: Final = 4  # of Linux cooked captures: an 802.2 frame
_SAP_SNAP, _SAP_IP, _UNNUMBERED = 0xAA, 0x06, 0x03
#: AF_INET, and AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin; little- or big-endian.
_FAMILIES: Final = (2, 10, 24, 28, 30)
_PPP_ADDRESS, _PPP_CONTROL = 0xFF, 0x03
_HDLC_ADDRESSES: Final = (0x0F, 0x8F)  # unicast, multicast; the octet behind is 0


def ethernet(level: Level, group: Group) -> Follows:
    """IEEE 802.3 3.2: addresses and what they carry."""
    header = level.read(layouts.ETHERNET, group)
    return typed(level, header["_type"], header.group.moved(layouts.ETHERNET.size))


def typed(level: Level, types: Ints, group: Group) -> Follows:
    """What the types say that follows; types before a tag are not the final ones."""
    codes = ETHERTYPES.take(types)
    level.put_where((codes != Kind.TAG) & (types >= FIRST_TYPE), "ethertype", group.rows, types)
    if level.columns.wants("l2_payload_at"):
        level.mark("l2_payload_at", group.take(codes != Kind.TAG))
    return ((codes, group),)


def tags(level: Level, group: Group) -> Iterator[tuple[Codes, Group]]:
    """IEEE 802.1Q 9.6: tags, one behind the other; the identifier of the first was read as a type."""
    for depth in range(MOST_TAGS):
        layout = layouts.TAGS[min(depth, len(layouts.TAGS) - 1)]
        header = level.read(layout, group.moved(-2))
        types, group = header["_type"], header.group.moved(layout.size)
        further = ETHERTYPES.take(types) == Kind.TAG
        ended = group.take(~further)
        level.columns.put("vlan_tags", ended.rows, np.full(len(ended.rows), depth + 1))
        yield from typed(level, types[~further], ended)
        group = group.take(further)
    level.malformed[group.rows] = True


def llc(level: Level, group: Group) -> Follows:
    """IEEE 802.2 3.2 and RFC 1042: SNAP has a type again, for organisation 0 and bridged frames' 0xF8."""
    header = level.read(layouts.LLC, group)
    point = header["llc_dsap"]
    behind = header.group.moved(layouts.LLC.size)
    snap = (point == _SAP_SNAP) & (header["_control"] == _UNNUMBERED)
    codes = np.where((point == _SAP_IP) & (header["_control"] == _UNNUMBERED), Kind.IPV4, Kind.END).astype(np.uint8)
    return ((codes[~snap], behind.take(~snap)), *_snap(level, behind.take(snap)))


def _snap(level: Level, group: Group) -> Follows:
    header = level.read(layouts.SNAP, group)
    known = np.isin(header["_organisation"], (0, 0xF8)) & (header["_type"] >= FIRST_TYPE)
    return typed(level, header["_type"][known], header.group.moved(layouts.SNAP.size).take(known))


def sll(level: Level, group: Group) -> Follows:
    """LINKTYPE_LINUX_SLL."""
    return _cooked(level, layouts.SLL, group)


def sll2(level: Level, group: Group) -> Follows:
    """LINKTYPE_LINUX_SLL2."""
    return _cooked(level, layouts.SLL2, group)


def _cooked(level: Level, layout: layouts.Layout, group: Group) -> Follows:
    header = level.read(layout, group)
    ethernet_like = header["_size"] == 6
    level.put_where(ethernet_like, "src_mac", header.group.rows, header["_sender"])
    types = header["_type"]
    types[types == _LLC_TYPE] = 0  # a length to ``typed``
    behind = header.group.moved(layout.size)
    known = (types == 0) | (types >= FIRST_TYPE)
    return typed(level, types[known], behind.take(known))


def null(level: Level, group: Group) -> Follows:
    """LINKTYPE_NULL and LINKTYPE_LOOP: an address family in an unknown order of octets, and a packet."""
    header = level.read(layouts.NULL, group)
    known = np.isin(header["_first"] | header["_last"], _FAMILIES)
    behind = header.group.moved(layouts.NULL.size).take(known)
    level.mark("l2_payload_at", behind)
    return ((np.full(len(behind.rows), Kind.IP, np.uint8), behind),)


def pppoe(level: Level, group: Group) -> Follows:
    """RFC 2516 4: of a session, PPP without address and control follows."""
    header = level.read(layouts.PPPOE, group)
    return _ppp_protocol(level, header.group.moved(layouts.PPPOE.size).take(header["pppoe_code"] == 0))


def pppoe_discovery(level: Level, group: Group) -> Follows:
    """RFC 2516 5."""
    level.read(layouts.PPPOE, group)
    return ()


def ppp(level: Level, group: Group) -> Iterator[tuple[Codes, Group]]:
    """RFC 1662 3.1, with address and control or without, or Cisco's HDLC, which begins differently."""
    header = level.read(layouts.PPP_START, group)
    address, control = header["_address"], header["_control"]
    cisco = np.isin(address, _HDLC_ADDRESSES) & (control == 0)
    framed = (address == _PPP_ADDRESS) & (control == _PPP_CONTROL)
    hdlc = level.read(layouts.CISCO_HDLC, header.group.take(cisco))
    yield from typed(level, hdlc["_type"], hdlc.group.moved(layouts.CISCO_HDLC.size))
    plain = header.group.moved(np.where(framed, layouts.PPP_START.size, 0)).take(~cisco)
    yield from _ppp_protocol(level, plain)


def _ppp_protocol(level: Level, group: Group) -> Iterator[tuple[Codes, Group]]:
    """RFC 1661 2: two octets, or one, which is odd, where the ends agreed to compress it."""
    start = level.read(layouts.OCTET, group)
    short = start["_octet"] & 1 == 1
    for layout, chosen in ((layouts.PPP_SHORT, short), (layouts.PPP, ~short)):
        header = level.read(layout, start.group.take(chosen))
        behind = header.group.moved(layout.size)
        level.mark("l2_payload_at", behind)
        yield PPP_PROTOCOLS.take(header["ppp_protocol"]), behind


def mpls(level: Level, group: Group) -> Iterator[tuple[Codes, Group]]:
    """RFC 3032 2.1: labels down to the bottom; what follows says its first four bits (RFC 4928 3)."""
    for depth in range(MOST_LABELS):
        layout = layouts.FURTHER_LABEL if depth else layouts.LABEL
        header = level.read(layout, group)
        group = header.group.moved(layout.size)
        bottom = header["_bottom" if depth else "mpls_bottom"] == 1
        ended = group.take(bottom)
        level.columns.put("mpls_depth", ended.rows, np.full(len(ended.rows), depth + 1))
        yield from _labelled(level, ended)
        group = group.take(~bottom)
    level.malformed[group.rows] = True


def _labelled(level: Level, group: Group) -> Follows:
    header = level.read(layouts.NIBBLE, group)
    codes = NIBBLES.take(header["_nibble"])
    codes[codes == Kind.END] = Kind.PSEUDOWIRE
    return ((codes, header.group),)


def by_version(level: Level, group: Group) -> Follows:
    """A packet of which nothing says the version of IP but its first four bits."""
    header = level.read(layouts.NIBBLE, group)
    return ((NIBBLES.take(header["_nibble"]), header.group),)
