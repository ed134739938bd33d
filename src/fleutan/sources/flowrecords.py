# SPDX-License-Identifier: Apache-2.0
"""NetFlow's and IPFIX's data records under the catalogue's names, still as numbers.

What lives here knows the names that ``protocols.netflow`` gives; ``exported`` makes words of them.
"""

from __future__ import annotations

import numpy as np

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.sections import sections
from fleutan.protocols.packet.kinds import LINK_TYPE
from fleutan.records import Records, fill
from fleutan.sources.sampled import columns_of, with_headers

#: The names of flows, and the catalogue's where they differ.
NAMES = {
    **dict.fromkeys(
        (
            *("exporter", "protocol", "domain", "datagram", "received", "src", "dst", "sport", "dport", "proto"),
            *("packets", "bytes", "sampling_rate", "start", "end", "in_if", "out_if", "tcp_flags", "tos"),
            *("src_mac", "dst_mac", "vlan", "next_hop", "src_mask", "dst_mask", "src_as", "dst_as", "post_src"),
            *("post_dst", "post_sport", "post_dport", "agent", "reverse_packets", "reverse_bytes", "direction"),
            *("pid", "uid", "cookie", "cgroup_id", "comm", "unit", "container", "rtt", "rtt_var", "min_rtt", "retrans"),
        ),
        "",
    ),
    "post_vlan": "out_vlan",
    "mpls_1": "mpls_label",
    "frame_bytes": "bytes",
}
#: Sections of packets, and what they begin with: a frame of Ethernet, an IP header.
SECTIONS = {"dataLinkFrameSection": 1, "layer2packetSectionData": 1, "ipHeaderPacketSection": LINK_TYPE + 101}
ICMP = (1, 58)


def flow_records(batch: Batch) -> Records:
    """The data records of a batch; packets that records hold are read too."""
    found = flows(batch)
    records = Records(found.rows, {}, {})
    for name, values, known in columns_of(found, NAMES):
        fill(records, name, values, known)
    _icmp(records, found)
    for name, section in sections(batch).items():
        if name in SECTIONS:
            with_headers(records, section.rows, section.spans, np.full(len(section.rows), SECTIONS[name]))
            # What counts nothing is the report of one packet (RFC 5476).
            fill(records, "packets", np.ones(len(section.rows), np.int64), rows=section.rows)
    if "ip_bytes" in records.values and "bytes" in found.values:
        # Flows count all of their packets; a section is the beginning of one.
        known = records.known.get("ip_bytes", np.ones(records.rows, np.bool_))
        records.known["ip_bytes"] = known & ~found.known.get("bytes", np.True_)
    return records


def _icmp(records: Records, found: Records) -> None:
    """Type and code of ICMP, which many exporters put where the destination port stands, and no ports."""
    if "proto" not in found.values:
        return
    is_icmp = np.isin(found.values["proto"], ICMP) & found.known.get("proto", np.True_)
    if not is_icmp.any():
        return
    for name in ("icmp", "dport"):
        if name in found.values:
            known = is_icmp & found.known.get(name, np.True_)
            fill(records, "icmp_type", found.values[name] >> 8, known)
            fill(records, "icmp_code", found.values[name] & 0xFF, known)
    for name in ("sport", "dport"):
        if name in records.values:
            records.known[name] = ~is_icmp & records.known.get(name, np.True_)
