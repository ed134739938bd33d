# SPDX-License-Identifier: Apache-2.0
"""What the headers of a packet say, under the catalogue's names, still as numbers.

Sampled headers of sFlow and frame sections of IPFIX are read alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleutan.protocols.packet.decode import decode
from fleutan.protocols.spans import Ints, Spans
from fleutan.records import Known, Records, Values, fill

#: What of a packet a record has.
_SAME = (
    *("src_mac", "dst_mac", "ethertype", "vlan", "mpls_label", "src", "dst", "sport", "dport", "proto", "tos", "ttl"),
    *("tcp_flags", "icmp_type", "icmp_code", "tunnel", "tunnel_id", "inner_src", "inner_dst", "inner_sport"),
    *("inner_dport", "inner_proto"),
)
#: The names of headers, and the catalogue's; ``ip_bytes``, which it has not, is the length of the whole IP packet.
HEADERS = {**dict.fromkeys(_SAME, ""), "length": "ip_bytes"}


def with_headers(records: Records, rows: Ints, spans: Spans, kinds: Ints) -> None:
    """Fills in what these headers, which belong to ``rows``, say and the records do not."""
    everywhere = rows if len(rows) < records.rows else None
    for name, values, known in columns_of(decode(spans, kinds, list(HEADERS)), HEADERS):
        fill(records, name, values, known, everywhere)


def columns_of(found: Records, names: Mapping[str, str]) -> Iterator[tuple[str, Values, Known | None]]:
    """The columns of these names that are there, under the name that stands beside each ("": the same)."""
    for name, other in names.items():
        if name in found.values:
            yield other or name, found.values[name], found.known.get(name)
