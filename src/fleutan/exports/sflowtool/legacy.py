# SPDX-License-Identifier: Apache-2.0
"""sflowtool's line of twenty columns a sample (``-l``): FLOW and CNTR.

Besides, dropped packets have a line of their own (DROP, with the reason in place of the rate),
and counters of a host, which have none of an interface, have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.lines import Chosen
from fleutan.exports.sflowtool.samples import SampleParts, message_parts, sample_parts
from fleutan.exports.sflowtool.shapes import address
from fleutan.exports.sflowtool.text import encoded
from fleutan.protocols.sflow import earlier, layouts
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.reasons import reason
from fleutan.protocols.sflow.samples import Sample

_TUNNELS = ("", *(f"tunnel_ipv{version}_{way}_" for version in (4, 6) for way in ("out", "in")))
_LINKS = ("", "tunnel_l2_out_", "tunnel_l2_in_")


def _each(prefixes: Iterable[str], *names: str) -> tuple[str, ...]:
    return tuple(prefix + name for prefix in prefixes for name in names)


#: From which fields each column is read, the last of which counts.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "source_mac": ("srcMAC", *_each(_LINKS, "ethernet_src")),
    "destination_mac": ("dstMAC", *_each(_LINKS, "ethernet_dst")),
    "type": _each(_LINKS, "ethernet_type"),
    "in_vlan": ("in_vlan", "decodedVLAN", *(f"decodedVLAN.{depth}" for depth in range(1, 16))),
    "out_vlan": ("out_vlan",),
    "source": (*_each(_TUNNELS, "srcIP", "srcIP6"), "socket4_local_ip", "socket6_local_ip"),
    "destination": (*_each(_TUNNELS, "dstIP", "dstIP6"), "socket4_remote_ip", "socket6_remote_ip"),
    "protocol": _each(_TUNNELS, "IPProtocol"),
    "tos": _each(_TUNNELS, "IPTOS"),
    "ttl": ("IPTTL",),
    "sport": _each(_TUNNELS, "TCPSrcPort", "UDPSrcPort", "ICMPType"),
    "dport": _each(_TUNNELS, "TCPDstPort", "UDPDstPort", "ICMPCode"),
    "flags": _each(_TUNNELS, "TCPFlags"),
    "size": _each(_TUNNELS, "sampledPacketSize"),
    "stripped": ("strippedBytes",),
    "ip_size": _each(_TUNNELS, "IPSize"),
}
_COLUMN_OF = {
    prefix + name: column for column, names in _COLUMNS.items() for name in names for prefix in ("", "discarded_")
}
_CHOSEN = {faithful: Chosen(_COLUMN_OF, faithful) for faithful in (True, False)}
_INTERFACE = layouts.COUNTER_FORMS[1][0]
_COUNTERS_SAMPLES = (layouts.COUNTERS_SAMPLE, layouts.COUNTERS_SAMPLE_EXPANDED, earlier.COUNTERS_SAMPLE)
#: Sampled IPv4 and IPv6, and those of tunnels.
_WITH_PORTS = frozenset((3, 4, 1023, 1024, 1025, 1026))
_IPV6 = 0x86DD
#: The columns in order, with what stands where nothing is said.
_NOTHING = {
    **dict.fromkeys(("source_mac", "destination_mac"), "0" * 12),
    **dict.fromkeys(("type", "in_vlan", "out_vlan"), 0),
    **dict.fromkeys(("source", "destination"), "-"),
    **dict.fromkeys(("protocol", "tos", "ttl", "sport", "dport", "flags", "size"), 0),
}
_FORM = "%s,%s,%d,%d,%s,%s,0x%04x,%d,%d,%s,%s,%d,0x%02x,%d,%d,%d,0x%02x,%d,%d,%s\n"


class _Places(NamedTuple):
    """Which of a sample's values are the rate and the interfaces, and which of their bits say the number."""

    rate: int
    input: int
    output: int
    bits: int = 0xFFFFFFFF


_PLACES: dict[Layout | None, _Places] = {
    layouts.FLOW_SAMPLE: _Places(2, 5, 6, 0x3FFFFFFF),
    layouts.FLOW_SAMPLE_EXPANDED: _Places(3, 7, 9),
    layouts.DISCARDED_PACKET: _Places(3, 4, 5),
    earlier.FLOW_SAMPLE: _Places(2, 5, 6),
}


def write_lines(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """A line for each sample of flows, of an interface's counters, and of a dropped packet."""
    for received in messages:
        agent = address(received.message.agent or b"")
        lines = (_line(parts, agent, dialect) for parts in message_parts(received.message, dialect.faithful))
        text = "".join(lines)
        if text:
            yield encoded(text, dialect)


def line_of(sample: Sample, agent: str, dialect: Dialect) -> str:
    """The line of a sample, if it has one; ``agent`` is the address of who sent it."""
    return _line(sample_parts(sample, dialect.faithful), agent, dialect)


def _line(parts: SampleParts, agent: str, dialect: Dialect) -> str:
    if not parts.has_head or (dialect.faithful and not parts.sample.whole):
        return ""
    layout, values = parts.sample.layout, parts.sample.values
    if layout in _COUNTERS_SAMPLES:
        return _counters(parts, agent, dialect)
    if layout is layouts.DISCARDED_PACKET:
        return "" if dialect.faithful else _packet("DROP", parts, agent, dialect, reason(values[-1]))
    return _packet("FLOW", parts, agent, dialect, _signed(values[_PLACES[layout].rate], dialect))


def _counters(parts: SampleParts, agent: str, dialect: Dialect) -> str:
    found = [element.values for element in parts.sample.elements if element.layout is _INTERFACE]
    whole = [values for values in found if len(values) == len(_INTERFACE.fields)]
    if not whole and not dialect.faithful:
        return ""
    # sflowtool writes zeros for an interface that is not there.
    values = whole[-1] if whole else (0,) * len(_INTERFACE.fields)
    return f"CNTR,{agent}," + ",".join(map(str, values)) + "\n"


def _packet(kind: str, parts: SampleParts, agent: str, dialect: Dialect, last: str | int) -> str:
    found: dict[str, Any] = dict(_NOTHING)
    for element in parts.elements:
        _CHOSEN[dialect.faithful].read(element.pieces, found)
        if element.tag in _WITH_PORTS:
            found.update(_ports(parts.sample.elements))
    place = _PLACES[parts.sample.layout]
    values = parts.sample.values
    ports = [_signed(values[number] & place.bits, dialect) for number in (place.input, place.output)]
    size = _ip_size(found, dialect)
    return _FORM % (kind, agent, *ports, *map(found.__getitem__, _NOTHING), size, last)


def _ports(elements: Iterable[Element]) -> dict[str, int]:
    """The ports of a structure that gives them as such, whatever the packet carries."""
    values = next(element.values for element in elements if element.tag in _WITH_PORTS)
    return {"sport": values[4], "dport": values[5]} if len(values) == 8 else {}


def _ip_size(found: dict[str, Any], dialect: Dialect) -> int:
    size: int = found.get("ip_size", 0)
    # sflowtool knows only where IPv4 begins.
    if dialect.faithful and (not size or found["type"] == _IPV6):
        size = found["size"] - found.get("stripped", 0)
    return size


def _signed(value: int, dialect: Dialect) -> int:
    """sflowtool prints 32 bits as signed."""
    return value - (1 << 32) if dialect.faithful and value >= 1 << 31 else value
