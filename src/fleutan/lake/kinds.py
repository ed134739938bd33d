# SPDX-License-Identifier: Apache-2.0
"""The kinds of Tables that a lake keeps, and the fields of each.

Fields are added at the end and never renamed or taken away: files of every earlier version stay
readable, with null for what they did not know.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleutan.fields import Field, require
from fleutan.lake.kinds_host import HOST

#: What files say of themselves; raised when old files need more than null for what they lack.
SCHEMA = 1


@dataclass(frozen=True)
class Kind:
    """One kind: its catalogue fields, ``time`` and ``node`` first.

    ``rolled`` are rollups made of it, as it is written.
    """

    name: str
    names: tuple[str, ...]
    rolled: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[Field, ...]:
        """The catalogue's rows."""
        return tuple(require(name) for name in self.names)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Every column on disk, with its SQL type; an address is two."""
        found: list[tuple[str, str]] = []
        for field in self.fields:
            if field.type == "address":
                found += [(f"{field.key}_hi", "BIGINT"), (f"{field.key}_lo", "BIGINT")]
            else:
                found.append((field.key, _NARROW.get(field.name) or SQL_TYPES[field.type]))
        return tuple(found)


#: SQL types of the catalogue's types.
SQL_TYPES = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "ints": "BIGINT[]",
    "octets": "BLOB",
}
#: Those of fields that need less room.
_NARROW = {
    **dict.fromkeys(("sport", "dport", "port", "ethertype", "vlan", "out_vlan", "tcp_flags", "tos", "ttl"), "INTEGER"),
}
_FLOW = (
    *("exporter", "agent", "protocol", "domain", "received", "end", "proto", "src", "sport", "dst", "dport"),
    *("packets", "bytes", "sampling_rate", "in_if", "out_if", "tcp_flags", "tos", "src_mac", "dst_mac", "ethertype"),
    *("vlan", "out_vlan", "mpls_label", "ttl", "icmp_type", "icmp_code", "next_hop", "src_mask", "dst_mask"),
    *("src_as", "dst_as", "post_src", "post_sport", "post_dst", "post_dport", "reverse_packets", "reverse_bytes"),
    *("direction", "tunnel", "tunnel_id", "inner_proto", "inner_src", "inner_sport", "inner_dst", "inner_dport"),
)
#: Of a flow's socket; not ``retrans``, which is told since the connection began, so that rows do not add up.
_SOCKET = ("pid", "uid", "cookie", "cgroup_id", "comm", "unit", "container", "rtt", "rtt_var", "min_rtt")
_PACKET = (
    *("ds_class", "ds_index", "sample_pool", "sampler_drops", "reason", "queue", "mss", "rcv_mss", "unacked", "lost"),
    *("retrans", "pmtu", "rtt", "rtt_var", "min_rtt", "cwnd", "reordering", "header", "link_type"),
    *("pid", "comm", "unit", "container", "uid", "cookie", "cgroup_id", "since_sample", "segs_out_since"),
    *("retrans_since", "rtt_change", "src_entity", "dst_entity"),
)
_ACCOUNT = (
    *("exporter", "agent", "protocol", "domain", "datagrams", "octets", "flow_records", "packet_samples"),
    *("counter_samples", "discards", "option_records", "templates", "unread_sets", "rejected", "missing", "late"),
    *("repeated", "restarts", "rates", "first_seen", "last_seen"),
)
_COUNTERS = ("exporter", "agent", "domain", "ds_class", "ds_index", "structure", "counter", "count", "gauge")
#: What rollups tell apart, and what they add up; counts are multiplied by the sampling rate.
ROLLED_KEYS = ("kind", "exporter", "domain", "in_if", "out_if", "direction", "proto", "ethertype", "comm", "unit")
_ROLLED = (*ROLLED_KEYS, "flows", "packets", "bytes")
#: Of the most talkative ends of a minute, and of all ends of an hour in a file of the same name.
_TOPS = ("kind", "exporter", "side", "address", "port", "proto", "flows", "packets", "bytes")

_ROLLUPS = ("minutes", "hours")


def _kind(name: str, names: tuple[str, ...], rolled: tuple[str, ...] = ()) -> Kind:
    return Kind(name, tuple(dict.fromkeys(("time", "node", *names))), rolled)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("records", (*_FLOW, *_SOCKET), _ROLLUPS),
        _kind("samples", (*_FLOW, *_PACKET), _ROLLUPS),
        _kind("discards", (*_FLOW, *_PACKET)),
        _kind("counters", _COUNTERS),
        _kind("exporters", _ACCOUNT),
        _kind("minutes", _ROLLED),
        _kind("hours", _ROLLED),
        _kind("tops", _TOPS),
        _kind("ends", _TOPS),
        *(_kind(name, names) for name, names in HOST.items()),
    )
}
