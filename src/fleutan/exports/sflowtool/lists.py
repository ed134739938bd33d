# SPDX-License-Identifier: Apache-2.0
"""Elements whose print is no list of fields: packets, paths, label stacks, adaptors, optical lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from fleutan.exports.sflowtool.packets import decode
from fleutan.exports.sflowtool.shapes import ADDRESS, NESTED, NUMBER, OCTETS, WORD, Kind, Piece, Shape, shape
from fleutan.exports.sflowtool.structures import Pieces, Place, by_table, lead, unknown
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.layouts import FLOW_FORMS
from fleutan.protocols.sflow.layouts.xdr import Layout

#: sflowtool's buffer holds so many octets of a header in print.
_HEADER_ROOM = 682
_SET = 1
_SAMPLED_HEADER = FLOW_FORMS[1][0]


class Printers(dict[Layout | None, Pieces]):
    """Structures and what makes pieces of output of them: the number, and what the element says."""

    def __init__(self, place: Place) -> None:
        super().__init__({None: partial(unknown, place=place)})
        self._place = place
        #: Prints a sampled header that is whole.
        self.header = _header(_SAMPLED_HEADER, place)

    def __missing__(self, layout: Layout) -> Pieces:
        make = _MAKERS.get(layout.name)
        self[layout] = made = _of_whole(layout, make, self._place) if make else by_table(layout, self._place)
        return made


def _of_whole(layout: Layout, make: Callable[[Layout, Place], Pieces], place: Place) -> Pieces:
    """Prints a structure that is whole; of one that is cut, its number."""
    whole, count = make(layout, place), len(layout.fields)
    cut = shape(*lead(layout, place), prefix=place.prefix)
    return lambda element: whole(element) if len(element.values) == count else [(cut, ())]


def _header(layout: Layout, place: Place) -> Pieces:
    stripped = "stripped" in layout.names
    outline = shape(
        *lead(layout, place),
        ("flowSampleType", "HEADER"),
        *(("headerProtocol", NUMBER), ("sampledPacketSize", NUMBER)),
        *([("strippedBytes", NUMBER)] if stripped else []),
        *(("headerLen", NUMBER), ("headerBytes", OCTETS)),
        prefix=place.prefix,
    )
    room = _HEADER_ROOM if place.faithful else None

    def pieces(element: Element) -> list[Piece]:
        values = element.values
        header = values[-1]
        size = values[1] - values[2] if stripped else values[1]
        found = decode(header, values[0], size, place.prefix, place.faithful)
        found.insert(0, (outline, (*values[:-1], len(header), header[:room])))
        return found

    return pieces


def _payload(layout: Layout, place: Place) -> Pieces:
    """A wireless payload: octets, or a whole header."""
    if "header" not in layout.names:
        outline = shape(*lead(layout, place), ("cipher_suite", NUMBER), ("payloadBytes", OCTETS), prefix=place.prefix)
        return lambda element: [(outline, element.values)]
    first = shape(*lead(layout, place), ("cipher_suite", NUMBER), prefix=place.prefix)
    header = _header(layout, place._replace(numbered=False))
    return lambda element: [
        (first, element.values[:1]),
        *header(element._replace(values=element.values[1:])),
    ]


def _ip(layout: Layout, place: Place) -> Pieces:
    """Addresses and ports of a packet, named by what it carries."""
    way = {1023: "ipv4_out", 1024: "ipv4_in", 1025: "ipv6_out", 1026: "ipv6_in"}.get(layout.format)
    inner = f"tunnel_{way}_" if way else ""
    version = 4 if layout.names[-1] == "tos" else 6
    six = "" if version == 4 else "6"
    common = (
        *(("sampledPacketSize", NUMBER), ("IPSize", NUMBER), (f"srcIP{six}", ADDRESS), (f"dstIP{six}", ADDRESS)),
        *(("IPProtocol", NUMBER), ("IPTOS" if version == 4 else "priority", NUMBER)),
    )
    carried: dict[int, tuple[str, ...]] = {
        1: ("ICMPType",),
        6: ("TCPSrcPort", "TCPDstPort", "TCPFlags"),
        17: ("UDPSrcPort", "UDPDstPort"),
    }
    if version == 6 and not place.faithful:
        carried[58] = carried[1]
    head = (*lead(layout, place), ("flowSampleType", f"{inner}IPV{version}"))

    @lru_cache(None)
    def outline(names: tuple[str, ...]) -> Shape:
        entries: list[tuple[str, Kind | str]] = [(inner + name, kind) for name, kind in common]
        return shape(*head, *entries, *((inner + name, NUMBER) for name in names), prefix=place.prefix)

    def pieces(element: Element) -> list[Piece]:
        length, protocol, source, destination, sport, dport, flags, tos = element.values
        names = carried.get(protocol, ())
        # Agents give ICMP's type as the destination port; what they give as the source port differs.
        last = {0: (), 1: (dport,), 2: (sport, dport), 3: (sport, dport, flags)}[len(names)]
        return [(outline(names), (length, length, source, destination, protocol, tos, *last))]

    return pieces


def _gateway(layout: Layout, place: Place) -> Pieces:
    """A route: version 2's path is a list, that of the later versions has segments."""
    numbers = ("my_as", "src_as", "src_peer_as")
    nexthop = [("bgp_nexthop", ADDRESS)] if "nexthop" in layout.names else []
    first = shape(
        *lead(layout, place),
        ("extendedType", "GATEWAY"),
        *nexthop,
        *((name, NUMBER) for name in numbers),
        prefix=place.prefix,
    )
    path = shape(("dst_as_path", WORD), prefix=place.prefix)
    ends = shape(("dst_as", NUMBER), ("dst_peer_as", NUMBER), prefix=place.prefix)
    plain = shape(*((name, NUMBER) for name in ("dst_as", "dst_peer_as", "dst_as_path_len")), prefix=place.prefix)
    communities = shape(("BGP_communities", WORD), prefix=place.prefix)
    preference = shape(("BGP_localpref", NUMBER), prefix=place.prefix)

    def old(element: Element) -> list[Piece]:
        given, route = element.values[:-1], element.values[-1]
        last = (route[-1], route[0]) if route else (0, 0)
        shown = [(path, ("-".join(map(str, route)),))] if route else []
        return [(first, given), (plain, (*last, len(route))), *shown]

    def pieces(element: Element) -> list[Piece]:
        given, (segments, tags, local) = element.values[:-3], element.values[-3:]
        found: list[Piece] = [(first, given)]
        if segments:
            found.append((path, (_path(segments, place.faithful),)))
        last = segments[-1][1][-1:] if segments else ()
        peer = segments[0][1][:1] if segments else ()
        found.append((ends, (*(last or (0,)), *(peer or (0,)))))
        if tags:
            found.append((communities, ("-".join(map(str, tags)),)))
        return [*found, (preference, (local,))]

    return pieces if "localpref" in layout.names else old


def _path(segments: Iterable[tuple[int, tuple[int, ...]]], faithful: bool) -> str:
    """An AS path, sets in parentheses; sflowtool runs the ends of two sequences into one number."""
    words: list[str] = []
    after_sequence = False
    for kind, numbers in segments:
        text = "-".join(map(str, numbers))
        if numbers and after_sequence and kind != _SET and not faithful:
            words.append("-")
        words.append(f"({text})" if kind == _SET and numbers else text)
        after_sequence = kind != _SET and bool(numbers)
    return "".join(words)


def _label(word: int) -> str:
    return f"{word >> 12}.{word >> 9 & 7}.{word >> 8 & 1}.{word & 255}"


def _vlan(word: int) -> str:
    return f"0x{word >> 16:04x}{word >> 13 & 7}.{word >> 12 & 1}.{word & 4095}"


def _stacks(
    layout: Layout, place: Place, names: tuple[str, ...], text: Callable[[int], str], words: tuple[tuple[str, Any], ...]
) -> Pieces:
    """Stacks of tags or labels; empty ones are not printed."""
    first = shape(*lead(layout, place), *words, prefix=place.prefix)
    outlines = [shape((name, WORD), prefix=place.prefix) for name in names]

    def pieces(element: Element) -> list[Piece]:
        count = len(element.values) - len(outlines)
        stacks = zip(outlines, element.values[count:], strict=True)
        shown = [(outline, ("-".join(map(text, stack)),)) for outline, stack in stacks if stack]
        return [(first, element.values[:count]), *shown]

    return pieces


def _adaptors(layout: Layout, place: Place) -> Pieces:
    first = shape(*lead(layout, place), prefix=place.prefix)
    nested = shape(("adaptor_list", NESTED), prefix=place.prefix)

    def pieces(element: Element) -> list[Piece]:
        if place.nested:
            listed = [
                {"ifIndex": index, "MACs": len(macs), "mac_list": [mac.hex() for mac in macs]}
                for index, macs in element.values[0]
            ]
            return [(first, ()), (nested, (listed,))]
        entries: list[tuple[str, Kind | str]] = []
        for number, (index, macs) in enumerate(element.values[0]):
            entries += [(f"adaptor_{number}_ifIndex", str(index)), (f"adaptor_{number}_MACs", str(len(macs)))]
            entries += [(f"adaptor_{number}_MAC_{place}", mac.hex()) for place, mac in enumerate(macs)]
        return [(first, ()), (shape(*entries, prefix=place.prefix), ())]

    return pieces


_LANE = (
    *("index", "tx_bias_current_uA", "tx_power_uW", "tx_power_min_uW", "tx_power_max_uW"),
    *("tx_wavelength_nM", "rx_power_uW", "rx_power_min_uW", "rx_power_max_uW", "rx_wavelength_nM"),
)


def _optics(layout: Layout, place: Place) -> Pieces:
    names = ("id", "total_lanes", "supply_voltage", "temperature", "active_lanes")
    first = shape(*lead(layout, place), *((f"sfp_module_{name}", NUMBER) for name in names), prefix=place.prefix)
    nested = shape(("sfp_lanes", NESTED), prefix=place.prefix)
    # sflowtool leaves the place of a number in its names.
    lanes = [name if number < 2 or not place.faithful else f"{name}.%u" for number, name in enumerate(_LANE)]

    def pieces(element: Element) -> list[Piece]:
        *module, found = element.values
        if place.faithful:
            module[3] &= 0xFFFFFFFF
        head = (first, (*module, len(found)))
        numbered = [
            [(name, f"sfp_lane_{name}.{number}", value) for name, value in zip(lanes, lane, strict=True)]
            for number, lane in enumerate(found)
        ]
        if place.nested:
            return [head, (nested, ([_lane(lane, place.faithful) for lane in numbered],))]
        entries = [(name, str(value)) for lane in numbered for _, name, value in lane]
        return [head, (shape(*entries, prefix=place.prefix), ())]

    return pieces


def _lane(lane: list[tuple[str, str, int]], faithful: bool) -> dict[str, int]:
    """A lane as an object; sflowtool says everything in it twice."""
    if not faithful:
        return {name: value for name, _, value in lane}
    return {key: value for name, flat, value in lane for key in (name, flat)}


_MAKERS: dict[str, Callable[[Layout, Place], Pieces]] = {
    "sampled_header": _header,
    "extended_80211_payload": _payload,
    **dict.fromkeys(("sampled_ipv4", "extended_ipv4_tunnel_egress", "extended_ipv4_tunnel_ingress"), _ip),
    **dict.fromkeys(("sampled_ipv6", "extended_ipv6_tunnel_egress", "extended_ipv6_tunnel_ingress"), _ip),
    "extended_gateway": _gateway,
    "extended_mpls": partial(
        _stacks,
        names=("mpls_input_stack", "mpls_output_stack"),
        text=_label,
        words=(("extendedType", "MPLS"), ("mpls_nexthop", ADDRESS)),
    ),
    "extended_vlantunnel": partial(_stacks, names=("vlan_tunnel",), text=_vlan, words=()),
    "host_adapters": _adaptors,
    "sfp": _optics,
}
