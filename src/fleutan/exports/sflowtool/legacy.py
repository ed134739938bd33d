# SPDX-License-Identifier: Apache-2.0
"""sflowtool's line of twenty columns a sample (``-l``): FLOW and CNTR.

Besides, dropped packets have a line of their own (DROP, with the reason in place of the rate),
and counters of a host, which have none of an interface, have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.lines import Chosen
from fleutan.protocols.sflow.reasons import reason
from fleutan.exports.sflowtool.samples import SampleParts, message_parts
from fleutan.exports.sflowtool.shapes import address
from fleutan.exports.sflowtool.text import encoded
from fleutan.protocols.sflow.layouts import COUNTER_FORMS

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
_NUMBERS = (
    "type",
    "in_vlan",
    "out_vlan",
    "protocol",
    "tos",
    "ttl",
    "sport",
    "dport",
    "flags",
    "size",
    "stripped",
    "ip_size",
)
_COLUMN_OF = {
    prefix + name: column for column, names in _COLUMNS.items() for name in names for prefix in ("", "discarded_")
}
_CHOSEN = {faithful: Chosen(_COLUMN_OF, faithful) for faithful in (True, False)}
_COUNTERS = COUNTER_FORMS[1][0]
_NO_MAC = "0" * 12
_IPV6 = 0x86DD


def write_lines(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """A line for each sample of flows, of an interface's counters, and of a dropped packet."""
    for received in messages:
        agent = address(received.message.agent or b"")
        lines = (_line(parts, agent, dialect) for parts in message_parts(received.message, dialect.faithful))
        text = "".join(lines)
        if text:
            yield encoded(text, dialect)


def _line(parts: SampleParts, agent: str, dialect: Dialect) -> str:
    named = parts.sample.named()
    if not parts.has_elements or not parts.has_head or (dialect.faithful and not parts.sample.whole):
        return ""
    if "sampling_interval" in named or parts.sample.tag in (2, 4):
        return _counters(parts, agent, dialect)
    if "reason" in named:
        return "" if dialect.faithful else _packet("DROP", parts, agent, dialect, reason(named["reason"]))
    if "sampling_rate" in named:
        return _packet("FLOW", parts, agent, dialect, _signed(named["sampling_rate"], dialect))
    return ""


def _counters(parts: SampleParts, agent: str, dialect: Dialect) -> str:
    found = [element.values for element in parts.sample.elements if element.layout is _COUNTERS]
    whole = [values for values in found if len(values) == len(_COUNTERS.fields)]
    if not whole and not dialect.faithful:
        return ""
    # sflowtool writes zeros for an interface that is not there.
    values = whole[-1] if whole else (0,) * len(_COUNTERS.fields)
    return f"CNTR,{agent}," + ",".join(map(str, values)) + "\n"


def _packet(kind: str, parts: SampleParts, agent: str, dialect: Dialect, last: str | int) -> str:
    values: dict[str, str] = {}
    for element in parts.elements:
        _CHOSEN[dialect.faithful].read(element.pieces, values)
    number = {name: int(values.get(name, 0)) for name in _NUMBERS}
    number.update(_struct_ports(parts))
    input_port, output_port = parts.interfaces
    columns = (
        *(kind, agent, _signed(input_port, dialect), _signed(output_port, dialect)),
        *(values.get("source_mac", _NO_MAC), values.get("destination_mac", _NO_MAC), f"0x{number['type']:04x}"),
        *(number["in_vlan"], number["out_vlan"], values.get("source", "-"), values.get("destination", "-")),
        *(number["protocol"], f"0x{number['tos']:02x}", number["ttl"], number["sport"], number["dport"]),
        *(f"0x{number['flags']:02x}", number["size"], _ip_size(number, dialect), last),
    )
    return ",".join(map(str, columns)) + "\n"


def _struct_ports(parts: SampleParts) -> dict[str, int]:
    """The ports of a structure that gives them as such, whatever the packet carries."""
    for element in reversed(parts.sample.elements):
        if element.layout and {"src_port", "tcp_flags"} <= set(element.layout.names):
            named = element.named()
            if "dst_port" in named:
                return {"sport": named["src_port"], "dport": named["dst_port"]}
    return {}


def _ip_size(number: dict[str, int], dialect: Dialect) -> int:
    if not dialect.faithful:
        return number["ip_size"]
    # sflowtool knows only where IPv4 begins.
    if number["ip_size"] and number["type"] != _IPV6:
        return number["ip_size"]
    return number["size"] - number["stripped"]


def _signed(value: int, dialect: Dialect) -> int:
    """sflowtool prints 32 bits as signed."""
    return value - (1 << 32) if dialect.faithful and value >= 1 << 31 else value
