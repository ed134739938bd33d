# SPDX-License-Identifier: Apache-2.0
"""What sampled headers say in sflowtool's sense, many at once: ``packets`` has them one by one.

The room of packets reads further than sflowtool does: behind MPLS, PPPoE and extension headers, and
up to the end that IP names.  Headers where that tells are *odd* here, or their columns are hidden.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet.decode import decode
from fleutan.protocols.spans import Spans
from fleutan.records import Records, Values

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: sFlow's numbers of what headers begin with: Ethernet, IPv4, IPv6, IEEE 802.11.
_ETHERNET, _RAW4, _RAW6, _WIRELESS = 1, 11, 12, 15
_IPV4, _IPV6 = 0x0800, 0x86DD
#: IPX, and a tag that the room of packets takes for a type.
_ODD_TYPES = (0x0600, 0x9300)
_MOST_TAGS = 2
#: Octets without which sflowtool looks for no type, and for no transport.
_LEAST_FRAME, _LEAST_TRANSPORT = 20, 8
#: IP's headers without options.
_PLAIN4, _PLAIN6 = 20, 40
_ICMP, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
#: Where TCP's flags end.
_FLAGS_END = 14
_WANTED = (
    *("dst_mac", "src_mac", "ethertype", "vlan", "vlan2", "vlan_tags", "llc_dsap", "l3_at", "l4_at", "fragment_at"),
    *("src", "dst", "proto", "tos", "ttl", "sport", "dport", "tcp_flags", "icmp_type", "icmp_code"),
)


class Headers(NamedTuple):
    """``columns`` by the names of ``rows.Rows``, those that a header fills; 0 where it does not.

    ``tagged`` says where ``in_vlan`` is that of a tag; ``odd`` where columns mean nothing.
    """

    columns: dict[str, Values]
    tagged: Mask
    odd: Mask


def headers(spans: Spans, kinds: Ints, sizes: Ints) -> Headers:
    """What these headers say, a row each.

    ``kinds`` ``(n,)`` is what they begin with by sFlow's numbers, ``sizes`` ``(n,)`` the packets'
    lengths without what was stripped.
    """
    ethernet = kinds == _ETHERNET
    if not ethernet.all():
        kinds = np.where(np.isin(kinds, (_ETHERNET, _RAW4, _RAW6, _WIRELESS)), kinds, 0)
    found = _Found(spans, kinds, decode(spans, kinds, _WANTED, depth=0))
    odd = found.odd_link(ethernet) | found.odd_network() | found.odd_transport() | (kinds == _WIRELESS)
    tagged = found.known("vlan")
    vlan = found.value("vlan")
    if "vlan2" in found.records.values:
        vlan = np.where(found.known("vlan2"), found.value("vlan2"), vlan)
    columns: dict[str, Values] = {
        "source_mac": found.value("src_mac"),
        "destination_mac": found.value("dst_mac"),
        "type": found.type,
        "in_vlan": vlan,
        "source": found.ends("src"),
        "destination": found.ends("dst"),
        "ends_known": found.ip & found.known("src"),
        "protocol": found.shown("proto", found.ip),
        "tos": found.shown("tos", found.ip),
        "ttl": found.shown("ttl", found.ip),
        "sport": found.shown("sport", found.carried) + found.shown("icmp_type", found.carried),
        "dport": found.shown("dport", found.carried) + found.shown("icmp_code", found.carried),
        "flags": found.shown("tcp_flags", found.carried) & 0xFF,
        "ip_size": np.where(found.ip, sizes - found.value("l3_at"), 0),
    }
    return Headers(columns, tagged, odd)


class _Found:
    """Headers with what was decoded of them.

    ``type`` is the Ethernet type, ``ip`` where IP follows it at once, ``carried`` where a transport
    follows IP that sflowtool knows and of which enough is there.
    """

    def __init__(self, spans: Spans, kinds: Ints, records: Records) -> None:
        self.records, self._captured = records, spans.sizes
        self.type = self.value("ethertype")
        self._ipv4 = (self.type == _IPV4) | (kinds == _RAW4)
        self._ipv6 = (self.type == _IPV6) | (kinds == _RAW6)
        self.ip: Mask = self._ipv4 | self._ipv6
        self._behind = self._captured - self.value("l4_at")
        proto = self.value("proto")
        self._tcp = proto == _TCP
        known = self._tcp | (proto == _UDP) | (proto == _ICMP) | ((proto == _ICMP6) & self._ipv6)
        self.carried: Mask = self.ip & self.known("l4_at") & known & (self._behind >= _LEAST_TRANSPORT)

    def value(self, name: str) -> Values:
        """A column, 0 where it is not known."""
        found = self.records.values.get(name)
        return np.zeros(len(self._captured), np.int64) if found is None else found

    def ends(self, name: str) -> Values:
        """A column of addresses."""
        found = self.records.values.get(name)
        return np.zeros((len(self._captured), 2), np.int64) if found is None else found

    def known(self, name: str) -> Mask:
        """Where a column is known."""
        found = self.records.known.get(name)
        return np.full(len(self._captured), name in self.records.values) if found is None else found

    def shown(self, name: str, where: Mask) -> Values:
        """A column in these rows, 0 in the others."""
        return self.value(name) * where

    def odd_link(self, ethernet: Mask) -> Mask:
        """What is not a type behind two addresses and at most two tags."""
        odd: Mask = ~self.known("ethertype") | (self._captured < _LEAST_FRAME) | self.known("llc_dsap")
        for kind in _ODD_TYPES:
            odd |= self.type == kind
        odd |= self.value("vlan_tags") > _MOST_TAGS
        return odd & ethernet

    def odd_network(self) -> Mask:
        """Headers of IP that are cut, or that have options or other headers behind them."""
        behind = self.known("l4_at")
        length = self.value("l4_at") - self.value("l3_at")
        plain: Mask = behind & (length == np.where(self._ipv4, _PLAIN4, _PLAIN6))
        # Only a datagram's first fragment has the transport's header.
        plain |= ~behind & self._ipv4 & self.known("fragment_at")
        return self.ip & ~(plain & self.known("l3_at") & self.known("proto"))

    def odd_transport(self) -> Mask:
        """Transports that are there, but not within what IP says to be its length."""
        lacking = ~(self.known("dport") | self.known("icmp_code"))
        lacking |= self._tcp & (self._behind >= _FLAGS_END) & ~self.known("tcp_flags")
        return self.carried & lacking
