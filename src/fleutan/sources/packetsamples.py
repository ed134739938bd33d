# SPDX-License-Identifier: Apache-2.0
"""sFlow's packet samples and discarded packets under the catalogue's names, still as numbers.

What lives here knows sFlow's structures; ``exported`` makes words of the numbers.
"""

from __future__ import annotations

import numpy as np

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.sflow.columns import HEADER, HEADER_PROTOCOL, INTERNAL, Packets, Read, Walk
from fleutan.protocols.spans import Spans
from fleutan.records import Known, Records, Values, fill
from fleutan.sources.sampled import columns_of, with_headers
from fleutan.sources.words import both

#: Fields of samples and their structures, and the catalogue's names; of several with one name the first counts.
NAMES = {
    "datagram": "",
    "ds_class": "",
    "ds_index": "",
    "sampling_rate": "",
    "sample_pool": "",
    "drops": "sampler_drops",
    "reason": "",
    "extended_timestamp.nanoseconds": "end",
    "sampled_header.frame_length": "bytes",
    "sampled_ethernet.length": "bytes",
    "extended_switch.src_vlan": "vlan",
    "extended_switch.dst_vlan": "out_vlan",
    "extended_router.nexthop": "next_hop",
    "extended_router.src_mask_len": "src_mask",
    "extended_router.dst_mask_len": "dst_mask",
    "extended_gateway.nexthop": "next_hop",
    "extended_mpls.nexthop": "next_hop",
    "extended_gateway.src_as": "src_as",
    "extended_gateway.dst_as": "dst_as",
    "extended_nat.src_address": "post_src",
    "extended_nat.dst_address": "post_dst",
    "extended_nat_port.src_port": "post_sport",
    "extended_nat_port.dst_port": "post_dport",
    "extended_vni_ingress.vni": "tunnel_id",
    "extended_vni_egress.vni": "tunnel_id",
    "extended_egress_queue.queue": "queue",
    "extended_entities.src_ds_index": "src_entity",
    "extended_entities.dst_ds_index": "dst_entity",
    "socket_owner.pid": "pid",
    "socket_owner.uid": "uid",
    "socket_owner.cookie": "cookie",
    "socket_owner.cgroup": "cgroup_id",
    "tcp_deltas.elapsed": "since_sample",
    "tcp_deltas.segs_out": "segs_out_since",
    "tcp_deltas.retrans": "retrans_since",
    "tcp_deltas.rtt_change": "rtt_change",
    **{
        f"extended_tcp_info.{theirs}": ours or theirs
        for theirs, ours in (
            *(("snd_mss", "mss"), ("rcv_mss", ""), ("unacked", ""), ("lost", ""), ("retrans", ""), ("pmtu", "")),
            *(("rtt", ""), ("rttvar", "rtt_var"), ("snd_cwnd", "cwnd"), ("reordering", ""), ("min_rtt", "")),
        )
    },
    "tcp_deltas.rtt": "rtt",
}
#: Texts of structures, the catalogue's names, and octets of them that are looked at.
TEXTS = {"comm": 16, "unit": 255, "container": 255}
#: What samples without a header say of the packet, and is asked for after it.
SUMMED_UP = {
    "sampled_ethernet.src_mac": "src_mac",
    "sampled_ethernet.dst_mac": "dst_mac",
    "sampled_ethernet.type": "ethertype",
    **{
        f"sampled_{version}.{theirs}": ours or theirs
        for version in ("ipv4", "ipv6")
        for theirs, ours in (
            *(("length", "bytes"), ("protocol", "proto"), ("src_ip", "src"), ("dst_ip", "dst")),
            *(("tos", ""), ("priority", "tos")),
        )
    },
}
#: The length of the whole IP packet, which ``bytes`` is only where nothing says that of the frame.
_IP_BYTES = {f"sampled_{version}.length": "ip_bytes" for version in ("ipv4", "ipv6")}
#: What they say of some protocols only: TCP, UDP, DCCP, SCTP and UDP-Lite have ports.
_WITH_PORTS = (6, 17, 33, 132, 136)
_TRANSPORT = {"src_port": ("sport", _WITH_PORTS), "dst_port": ("dport", _WITH_PORTS), "tcp_flags": ("tcp_flags", (6,))}
#: Where the header of a sample lies in the walk's octets, how long it is, and what it begins with (sFlow's number).
HEADER_AT, HEADER_SIZE, HEADER_KIND = "header_at", "header_size", "header_kind"
#: Numbers that stand for none.
_ONES = 0xFFFF_FFFF
_FILLERS = {
    **{name: _ONES for theirs, name in NAMES.items() if theirs.startswith(("extended_tcp_info.", "tcp_deltas."))},
    **dict.fromkeys(("vlan", "out_vlan", "pid", "uid"), _ONES),
    **dict.fromkeys(("sampling_rate", "cookie", "cgroup_id", "src_entity", "dst_entity"), 0),
}
#: What the catalogue has in other units.
_FACTORS = {"since_sample": 1000}


def packet_samples(read: Read, datagrams: Datagrams) -> Records:
    """The flow samples of a batch, a packet each."""
    return _records(read.flows, read.walk, datagrams)


def discarded_packets(read: Read, datagrams: Datagrams) -> Records:
    """The discarded packets of a batch."""
    return _records(read.discards, read.walk, datagrams)


def _records(packets: Packets, walk: Walk, datagrams: Datagrams) -> Records:
    found, strings = packets.records, packets.strings
    records = Records(found.rows, {}, {})
    rows = found.values["datagram"]
    fill(records, "exporter", datagrams.source[rows])
    for name, theirs in (("agent", "agent"), ("domain", "sub_agent_id")):
        fill(records, name, walk.datagrams.values[theirs][rows], walk.datagrams.known[theirs][rows])
    fill(records, "received", datagrams.at_ns[rows])
    fill(records, "packets", np.ones(found.rows, np.int64))
    for name, end in (("in_if", "input"), ("out_if", "output")):
        fill(records, name, *_interface(found, end))
    for name, values, known in columns_of(found, NAMES):
        said = both(known, values != _FILLERS[name]) if name in _FILLERS else known
        fill(records, name, values * _FACTORS[name] if name in _FACTORS else values, said)
    for name, most in TEXTS.items():
        if (text := strings.get(f"socket_owner.{name}")) is not None:
            words, rows = texts(text.spans, most), text.rows
            fill(records, name, words, words != b"", rows if len(rows) < records.rows else None)
    if HEADER in strings:
        header = strings[HEADER]
        kinds = found.values[HEADER_PROTOCOL][header.rows]
        some = header.rows if len(header.rows) < records.rows else None
        for name, column in ((HEADER_AT, header.spans.starts), (HEADER_SIZE, header.spans.sizes), (HEADER_KIND, kinds)):
            fill(records, name, column, rows=some)
        with_headers(records, header.rows, header.spans, kinds)
    for names in (SUMMED_UP, _IP_BYTES):
        for name, values, known in columns_of(found, names):
            fill(records, name, values, known)
    _transport(found, records)
    return records


def texts(spans: Spans, most: int) -> Values:
    """The strings, so many octets of each, as a column of bytes ``(n,)``."""
    size = max(1, min(most, int(spans.sizes.max(initial=0))))
    if not len(spans.octets):
        return np.zeros(spans.rows, f"S{size}")
    places = np.arange(size)
    octets = spans.octets[np.minimum(spans.starts[:, None] + places, len(spans.octets) - 1)]
    octets = np.where(places < spans.sizes[:, None], octets, 0).astype(np.uint8)
    return np.ascontiguousarray(octets).view(f"S{size}").reshape(-1)


def _transport(found: Records, records: Records) -> None:
    """Ports and flags that samples without a header say, where the protocol has them: 0 stands in others."""
    for version in ("ipv4", "ipv6"):
        for theirs, (name, protocols) in _TRANSPORT.items():
            if (field := f"sampled_{version}.{theirs}") in found.values:
                there = np.isin(found.values[f"sampled_{version}.protocol"], protocols)
                fill(records, name, found.values[field], there & found.known.get(field, np.True_))


def _interface(found: Records, end: str) -> tuple[Values, Known | None]:
    """The index where it is one: not a reason for a drop, not several, not the device itself."""
    if end in found.values:
        return found.values[end], found.known.get(end)
    kind, value = found.values[f"{end}_format"], found.values[f"{end}_value"]
    known = found.known.get(f"{end}_value", np.True_)
    return value, (kind == 0) & (value != INTERNAL) & known
