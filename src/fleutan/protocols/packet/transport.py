# SPDX-License-Identifier: Apache-2.0
"""Steps over the headers of TCP, UDP, SCTP, DCCP, ICMP and ESP.

What their payload is, is known here only as far as UDP's port suggests a tunnel.
"""

from __future__ import annotations

from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.kinds import PORTS
from fleutan.protocols.packet.level import Follows, Group, Level

_ICMP_HEADER = 8  # of nearly all messages: RFC 792, RFC 4443


def tcp(level: Level, group: Group) -> Follows:
    """RFC 9293 3.1: the options are passed over, captured or not."""
    return _counted(level, layouts.TCP, group)


def udp(level: Level, group: Group) -> Follows:
    """RFC 768."""
    header = level.read(layouts.UDP, group)
    behind = header.group.moved(layouts.UDP.size)
    level.mark("payload_at", behind)
    return ((PORTS.take(header["dport"]), behind),)


def udp_lite(level: Level, group: Group) -> Follows:
    """RFC 3828 3.1."""
    return _fixed(level, layouts.UDP_LITE, group)


def sctp(level: Level, group: Group) -> Follows:
    """RFC 9260 3.1: the payload are chunks."""
    return _fixed(level, layouts.SCTP, group)


def dccp(level: Level, group: Group) -> Follows:
    """RFC 4340 5.1: the data offset counts in units of 4 octets."""
    return _counted(level, layouts.DCCP, group)


def icmp(level: Level, group: Group) -> Follows:
    """RFC 792 and RFC 4443 2.1."""
    header = level.read(layouts.ICMP, group)
    level.mark("payload_at", header.group.moved(_ICMP_HEADER))
    return ()


def esp(level: Level, group: Group) -> Follows:
    """RFC 4303 2: all behind the sequence number is encrypted."""
    return _fixed(level, layouts.ESP, group)


def _counted(level: Level, layout: layouts.Layout, group: Group) -> Follows:
    """A header that says how many units of 4 octets it has."""
    header = level.read(layout, group)
    sizes = header["_words"] * 4
    possible = sizes >= layout.size
    level.reject(~possible, header.group)
    if level.columns.wants("payload_at"):
        level.mark("payload_at", header.group.moved(sizes).take(possible))
    return ()


def _fixed(level: Level, layout: layouts.Layout, group: Group) -> Follows:
    header = level.read(layout, group)
    level.mark("payload_at", header.group.moved(layout.size))
    return ()
