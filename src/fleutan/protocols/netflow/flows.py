# SPDX-License-Identifier: Apache-2.0
"""Data records as flows: columns of one meaning whatever the version, the template and the exporter.

Counts are as they were sent; the sampling rate stands beside them.  Times are UTC nanoseconds,
whichever way the exporter told them (``times``).

Elements: RFC 7012 and IANA's registry; RFC 5103 (the flow back); RFC 8158 (NAT); Cisco, "NetFlow
Security Event Logging" (firewalls).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.exporters.told import DOMAIN, INTERFACE, SAMPLER, rates
from fleutan.protocols.netflow.rows import Rows
from fleutan.protocols.netflow.times import ended, started
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.templates import Field, places
from fleutan.protocols.spans import texts
from fleutan.records import Records

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Columns that are numbers, and the elements that give them, the best first.
NUMBERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("proto", ("protocolIdentifier",)),
    ("sport", ("sourceTransportPort", "tcpSourcePort", "udpSourcePort")),
    ("dport", ("destinationTransportPort", "tcpDestinationPort", "udpDestinationPort")),
    ("packets", ("packetDeltaCount", "packetTotalCount", "initiatorPackets", "postPacketDeltaCount")),
    (
        "bytes",
        ("octetDeltaCount", "octetTotalCount", "initiatorOctets", "postOctetDeltaCount", "layer2OctetDeltaCount"),
    ),
    (
        "reverse_packets",
        ("reversePacketDeltaCount", "reversePacketTotalCount", "responderPackets", "ixiaRevPacketDeltaCount"),
    ),
    (
        "reverse_bytes",
        ("reverseOctetDeltaCount", "reverseOctetTotalCount", "responderOctets", "ixiaRevOctetDeltaCount"),
    ),
    ("flows", ("deltaFlowCount",)),
    ("tcp_flags", ("tcpControlBits",)),
    ("reverse_tcp_flags", ("reverseTcpControlBits",)),
    ("tos", ("ipClassOfService",)),
    ("icmp", ("icmpTypeCodeIPv4", "icmpTypeCodeIPv6")),
    ("in_if", ("ingressInterface", "ingressPhysicalInterface")),
    ("out_if", ("egressInterface", "egressPhysicalInterface")),
    ("src_as", ("bgpSourceAsNumber",)),
    ("dst_as", ("bgpDestinationAsNumber",)),
    ("vlan", ("vlanId", "dot1qVlanId")),
    ("post_vlan", ("postVlanId", "postDot1qVlanId")),
    ("src_mac", ("sourceMacAddress",)),
    ("dst_mac", ("destinationMacAddress", "postDestinationMacAddress")),
    ("direction", ("flowDirection",)),
    ("end_reason", ("flowEndReason",)),
    ("forwarding_status", ("forwardingStatus",)),
    ("vrf", ("ingressVRFID",)),
    ("flow_id", ("flowId",)),
    ("nat_event", ("natEvent",)),
    ("firewall_event", ("firewallEvent",)),
    ("post_sport", ("postNAPTSourceTransportPort",)),
    ("post_dport", ("postNAPTDestinationTransportPort",)),
    ("frame_bytes", ("dataLinkFrameSize",)),
    ("frame_type", ("dataLinkFrameType",)),
    ("pid", ("processId",)),
    ("uid", ("userId",)),
    ("cookie", ("socketCookie",)),
    ("cgroup_id", ("controlGroupId",)),
    ("rtt", ("tcpSmoothedRoundTripTime",)),
    ("rtt_var", ("tcpRoundTripTimeVariation",)),
    ("min_rtt", ("tcpMinimumRoundTripTime",)),
    ("retrans", ("tcpRetransmittedSegments",)),
)
#: Columns that are texts, as octets, and their elements; an empty one is unknown.
TEXTS = {"comm": "processName", "unit": "systemdUnit", "container": "containerId"}
#: Octets of a text that are read.
LONGEST = 254
#: Columns that are addresses: the elements of IPv4, and of IPv6.
ADDRESSES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("src", ("sourceIPv4Address", "sourceIPv4Prefix"), ("sourceIPv6Address", "sourceIPv6Prefix")),
    ("dst", ("destinationIPv4Address", "destinationIPv4Prefix"), ("destinationIPv6Address", "destinationIPv6Prefix")),
    ("next_hop", ("ipNextHopIPv4Address",), ("ipNextHopIPv6Address",)),
    ("bgp_next_hop", ("bgpNextHopIPv4Address",), ("bgpNextHopIPv6Address",)),
    ("agent", ("exporterIPv4Address",), ("exporterIPv6Address",)),
    ("post_src", ("postNATSourceIPv4Address",), ("postNATSourceIPv6Address",)),
    ("post_dst", ("postNATDestinationIPv4Address",), ("postNATDestinationIPv6Address",)),
)
#: Columns that are lengths of prefixes, of which address, of IPv4 and of IPv6.
MASKS = (
    ("src_mask", "src", "sourceIPv4PrefixLength", "sourceIPv6PrefixLength"),
    ("dst_mask", "dst", "destinationIPv4PrefixLength", "destinationIPv6PrefixLength"),
)
#: Labels of MPLS, the top one first: 20 bits of three octets (RFC 7012, 5.8).
LABELS = ("mplsTopLabelStackSection", *(f"mplsLabelStackSection{place}" for place in range(2, 11)))
MAPPED = 0xFFFF_0000_0000


def flows(batch: Batch) -> Records:
    """The data records of a batch in order of arrival.

    Always there: ``exporter`` ``(n, 2)`` halves, ``protocol`` (the version), ``domain``,
    ``template`` (0 without), ``datagram`` (row in the batch, unknown for what had waited since an
    earlier one), ``exported`` and ``received`` (nanoseconds UTC).  As far as records tell: ``src
    dst next_hop bgp_next_hop post_src post_dst agent`` in halves (``agent`` is whose records a proxy
    sends on), ``sampling_rate`` (one packet of how many), ``start`` and ``end`` (nanoseconds UTC),
    ``src_mask dst_mask``, ``mpls_1`` to ``mpls_10``, and NUMBERS, of which ``icmp`` is type times
    256 plus code and MAC addresses are numbers of 48 bits; and TEXTS, as octets.
    """
    groups = [group for group in batch.of(options=False) if group.rows]
    rows = Rows(sum(group.rows for group in groups))
    for group in groups:
        rows.at(batch.ranks(group) if len(groups) > 1 else slice(None))
        _origin(batch, group, rows)
        _fields(group, rows)
        for name, found in (("start", started(batch, group)), ("end", ended(batch, group))):
            if found is not None:
                rows.put(name, *found)
        rate = sampling(batch, group)
        rows.put("sampling_rate", rate, rate > 0)
    return rows.records()


def _origin(batch: Batch, group: Group, rows: Rows) -> None:
    heads, head = batch.since.heads, batch.since.sets.head[group.sets]
    rows.put("exporter", heads.source[head])
    rows.put("protocol", heads.version[head])
    rows.put("domain", heads.domain[head])
    rows.put("template", batch.since.sets.number[group.sets])
    datagram = heads.datagram[head]
    rows.put("datagram", datagram, datagram >= 0)
    rows.put("exported", heads.exported_ns[head])
    rows.put("received", heads.received_ns[head])


def _fields(group: Group, rows: Rows) -> None:
    plan = _plan(group.layout.fields)
    for name, field in plan.numbers:
        rows.put(name, *group.numbers(field))
    for name, pair in plan.addresses.items():
        rows.put(name, *_address(group, pair))
    for name, pair, address in plan.masks:
        rows.put(name, *_mask(group, pair, address))
    for name, field in plan.texts:
        octets = texts(group.spans(field), LONGEST)
        rows.put(name, octets, octets != b"")
    for name, field in plan.labels:
        label, known = group.numbers(field)
        rows.put(name, label >> 4 & 0xF_FFFF, known)


class _Pair(NamedTuple):
    """The field of IPv4 and that of IPv6, NONE where a layout lacks it."""

    four: int
    six: int


class _Plan(NamedTuple):
    """Which fields of a layout give which columns; of a mask also those of its address."""

    numbers: list[tuple[str, int]]
    addresses: dict[str, _Pair]
    masks: list[tuple[str, _Pair, _Pair]]
    labels: list[tuple[str, int]]
    texts: list[tuple[str, int]]


_NONE = -1
_NEITHER = _Pair(_NONE, _NONE)


@lru_cache(512)
def _plan(fields: tuple[Field, ...]) -> _Plan:
    names = places(fields)
    numbers = [(name, _first(names, elements)) for name, elements in NUMBERS]
    pairs = {name: _Pair(_first(names, four), _first(names, six)) for name, four, six in ADDRESSES}
    masks = [(name, _Pair(names.get(four, _NONE), names.get(six, _NONE)), pairs[of]) for name, of, four, six in MASKS]
    labels = [(f"mpls_{depth}", names.get(name, _NONE)) for depth, name in enumerate(LABELS, 1)]
    return _Plan(
        [(name, field) for name, field in numbers if field != _NONE],
        {name: pair for name, pair in pairs.items() if pair != _NEITHER},
        [one for one in masks if one[1] != _NEITHER],
        [(name, field) for name, field in labels if field != _NONE],
        [(name, names[element]) for name, element in TEXTS.items() if element in names],
    )


def _first(names: dict[str, int], elements: tuple[str, ...]) -> int:
    return next((names[name] for name in elements if name in names), _NONE)


def _address(group: Group, pair: _Pair) -> tuple[Ints, Mask | None]:
    if pair.six == _NONE:
        return _mapped(group, pair.four)
    six, six_known = group.halves(pair.six)
    if pair.four == _NONE:
        return six, six_known
    four, four_known = _mapped(group, pair.four)
    is_four = _is_four(four, six) & _all(four_known, group)
    known = is_four | _all(six_known, group)
    return np.where(is_four[:, None], four, six), known


def _all(known: Mask | None, group: Group) -> Mask:
    return np.ones(group.rows, np.bool_) if known is None else known


def _is_four(four: Ints, six: Ints) -> Mask:
    """Some templates hold both families, with zeros in the one that the flow is not of."""
    mask: Mask = (four[:, 1] != MAPPED) | ~six.any(1)
    return mask


def _mapped(group: Group, field: int) -> tuple[Ints, Mask | None]:
    number, known = group.numbers(field)
    if group.layout.fields[field].size != 4:
        known = group.spans(field).sizes == 4
    halves = np.zeros((group.rows, 2), np.int64)
    np.bitwise_or(number, MAPPED, out=halves[:, 1])
    return halves, known


def _mask(group: Group, pair: _Pair, address: _Pair) -> tuple[Ints, Mask | None]:
    if _NONE in pair:
        return group.numbers(max(pair))
    if _NONE in address:
        return group.numbers(pair.four if address.six == _NONE else pair.six)
    is_four = _is_four(_mapped(group, address.four)[0], group.halves(address.six)[0])
    return np.where(is_four, group.numbers(pair.four)[0], group.numbers(pair.six)[0]), None


def sampling(batch: Batch, group: Group) -> Ints:
    """``(n,)`` one packet of how many each record counts, 0 where nothing tells.

    The record's own word comes first, then what option data told of its sampler, its interface and
    its domain, then the datagram's header.
    """
    names = places(group.layout.fields)
    own = rates(group, names)
    rate = np.zeros(group.rows, np.int64) if own is None else own
    scope = batch.since.scope[group.sets]
    for kind, elements in ((SAMPLER, ("samplerId", "selectorId")), (INTERFACE, ("ingressInterface",))):
        field = _first(names, elements)
        if field != _NONE and kind in batch.told.kinds:
            rate = np.where(rate, rate, batch.told.at(kind, scope, group.numbers(field)[0], group.sets))
    sets = np.arange(len(batch.since.scope))
    of_set = batch.told.at(DOMAIN, batch.since.scope, np.zeros_like(sets), sets)
    of_set = np.where(of_set, of_set, batch.since.heads.interval[batch.since.sets.head])
    return np.where(rate, rate, of_set[group.sets])
