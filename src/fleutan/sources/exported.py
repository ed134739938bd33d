# SPDX-License-Identifier: Apache-2.0
"""What exporters send, as a Table of kind ``records``: a row a flow record, packet sample or discard.

Protocols' columns come under the catalogue's names in ``flowrecords`` and ``packetsamples``; numbers
become words here.  Counts stay as they were sent, with the sampling rate beside them.  Where
datagrams come from is not known here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fleutan import address
from fleutan.column import Column
from fleutan.fields import PROTOS
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.decoding import decode as decode_netflow
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.packet.names import Tunnel
from fleutan.protocols.recognise import NETFLOW, SFLOW, Recognised, recognise
from fleutan.protocols.sflow import columns as sflow
from fleutan.protocols.sflow.reasons import REASONS
from fleutan.protocols.sflow.renewal import VERSIONS, renewed
from fleutan.records import Known, Records, Values, concatenate, fill, take
from fleutan.sources.flowrecords import flow_records
from fleutan.sources.packetsamples import discarded_packets, packet_samples
from fleutan.sources.words import Looked, both, unknown
from fleutan.table import Reading, Table

FLOW, SAMPLE, DISCARD = 0, 1, 2
RECORDS = {FLOW: "flow", SAMPLE: "sample", DISCARD: "discard"}
#: NetFlow's versions; sFlow's stand beside them with this added.
SFLOW_VERSIONS = 1000
PROTOCOLS = {
    **{version: f"netflow-{version}" for version in (1, 5, 7, 9)},
    10: "ipfix",
    **{SFLOW_VERSIONS + version: f"sflow-{version}" for version in (2, 4, 5)},
}
#: IPFIX's flowDirection (IANA element 61).
DIRECTIONS = {0: "rx", 1: "tx"}
TUNNELS = {int(number): number.name.lower().replace("_", "-") for number in Tunnel}
_PROTOS = {number: PROTOS.get(number, f"proto-{number}") for number in range(256)}
_WORDS: Mapping[str, Looked] = {
    "record": Looked(RECORDS),
    "protocol": Looked(PROTOCOLS),
    **dict.fromkeys(("proto", "inner_proto"), Looked(_PROTOS)),
    "direction": Looked(DIRECTIONS),
    "tunnel": Looked(TUNNELS),
    "reason": Looked(REASONS),
}
#: Numbers that are below 0 now and then.
_SIGNED = frozenset({"rtt_change"})
_MACS = ("src_mac", "dst_mac")
_MAC_BITS = 48
#: Of so many rows one is looked at first for the addresses that there are.
_EVERY = 64
#: The columns that are always there.
ALWAYS = (
    *("record", "exporter", "agent", "protocol", "domain", "received", "start", "end", "proto", "src", "sport", "dst"),
    *("dport", "packets", "bytes", "sampling_rate", "in_if", "out_if", "tcp_flags", "tos"),
)
#: What a record may know.
FIELDS = (
    *ALWAYS,
    *("family", "src_mac", "dst_mac", "ethertype", "vlan", "out_vlan", "mpls_label", "ttl", "icmp_type", "icmp_code"),
    *("next_hop", "src_mask", "dst_mask", "src_as", "dst_as", "post_src", "post_sport", "post_dst", "post_dport"),
    *("reverse_packets", "reverse_bytes", "direction", "tunnel", "tunnel_id", "inner_proto", "inner_src"),
    *("inner_sport", "inner_dst", "inner_dport", "ds_class", "ds_index", "sample_pool", "sampler_drops", "reason"),
    *("queue", "mss", "rcv_mss", "unacked", "lost", "retrans", "pmtu", "rtt", "rtt_var", "min_rtt", "cwnd"),
    *("reordering", "pid", "comm", "unit", "container", "uid", "cookie", "cgroup_id", "since_sample", "segs_out_since"),
    *("retrans_since", "rtt_change", "src_entity", "dst_entity"),
)
#: The datagram of each record while records are put in order.
_PLACE = "datagram"
SOURCE = "sFlow, NetFlow, IPFIX"


@dataclass
class Exporters:
    """What is remembered of exporters from batch to batch."""

    netflow: State = field(default_factory=State)


class Decoded(NamedTuple):
    """A batch taken apart: its datagrams, which protocol each is of, and what NetFlow's and sFlow's hold.

    ``netflow`` and ``sflow`` have rows of their own: ``netflow_rows`` and ``sflow_rows`` are those of
    the batch.  ``samples`` are what sFlow's datagrams hold.
    """

    datagrams: Datagrams
    recognised: Recognised
    netflow: Batch | None
    netflow_rows: Values
    sflow: sflow.Walk | None
    sflow_rows: Values
    samples: sflow.Read | None


def decoded(datagrams: Datagrams, exporters: Exporters) -> Decoded:
    """A batch taken apart by what its datagrams are; what it teaches of exporters is remembered."""
    kinds = recognise(datagrams)
    flows, samples = (np.flatnonzero(kinds.family == family) for family in (NETFLOW, SFLOW))
    walk = _walk(datagrams.take(samples), np.isin(kinds.version[samples], VERSIONS)) if len(samples) else None
    return Decoded(
        datagrams,
        kinds,
        decode_netflow(datagrams.take(flows), exporters.netflow) if len(flows) else None,
        flows,
        walk,
        samples,
        None if walk is None else sflow.Read(walk),
    )


def _walk(datagrams: Datagrams, older: Known) -> sflow.Walk:
    """sFlow's samples; those of versions before 5 as if they had been sent by 5, but for the sub-agent."""
    spans, problems = renewed(datagrams.spans, older)
    found = sflow.walk(spans)
    if older.any():
        found.problems.update(problems)
        found.datagrams.known["sub_agent_id"] = found.datagrams.known["sub_agent_id"] & ~older
    return found._replace(earlier=older)


class Placed(NamedTuple):
    """Records, and of each which datagram of the batch it came in: -1 where it had waited since an earlier one.

    ``numbers`` has the same rows before numbers became words, with all that is known of them:
    ``ip_bytes``, too, the length of an IP packet whose frame ``bytes`` counts.
    """

    table: Table
    datagram: Values
    numbers: Records


def placed(found: Decoded, also: Collection[str] = ()) -> Placed:
    """The records of a batch in the order of their datagrams.

    Columns are those of ALWAYS, those that a record of the batch knows, and ``also`` these of FIELDS.
    """
    records = _in_order(concatenate(_parts(found)))
    datagram = records.values.pop(_PLACE, np.zeros(0, np.int64))
    names = dict.fromkeys((*ALWAYS, *(name for name in FIELDS if name in records.values or name in also)))
    columns = columns_of(records, names)
    at_ns = int(found.datagrams.at_ns.max(initial=0))
    return Placed(Table("records", columns, Reading("", "", at_ns, 0, SOURCE)), datagram, records)


def columns_of(records: Records, names: Iterable[str]) -> dict[str, Column]:
    """Columns of numbers under the catalogue's names, with words in the place of some."""
    return {name: _column(name, records) for name in names}


def table(found: Decoded, also: Collection[str] = ()) -> Table:
    """The same without their places."""
    return placed(found, also).table


def apart(found: Decoded) -> Iterator[tuple[int, Records]]:
    """The records of a batch kind by kind (FLOW, SAMPLE, DISCARD), each as it came, still as numbers.

    Who keeps kinds apart anyway saves to have them put together in one order.
    """
    for records in _parts(found):
        if records.rows:
            del records.values[_PLACE]
            yield int(records.values.pop("record")[0]), records


def _parts(found: Decoded) -> list[Records]:
    parts = []
    if found.netflow is not None:
        parts.append(_of(flow_records(found.netflow), FLOW, found.netflow_rows))
    if found.samples is not None:
        seen = found.datagrams.take(found.sflow_rows)
        for kind, read in ((SAMPLE, packet_samples), (DISCARD, discarded_packets)):
            records = read(found.samples, seen)
            versions = found.recognised.version[found.sflow_rows]
            fill(records, "protocol", versions[records.values["datagram"]] + SFLOW_VERSIONS)
            parts.append(_of(records, kind, found.sflow_rows))
    return parts


def _of(records: Records, kind: int, rows: Values) -> Records:
    """With what kind of record they are, and the datagrams' rows in the whole batch, -1 of an earlier one."""
    fill(records, "record", np.full(records.rows, kind))
    datagram = records.values.pop("datagram", np.zeros(records.rows, np.int64))
    waited = ~records.known.pop("datagram", np.ones(records.rows, np.bool_))
    records.values[_PLACE] = np.where(waited, -1, rows[datagram])
    return records


def _in_order(records: Records) -> Records:
    place = records.values.get(_PLACE, np.zeros(0, np.int64))
    if (place[1:] >= place[:-1]).all():
        return records
    return take(records, np.argsort(place, kind="stable"))


def _column(name: str, records: Records) -> Column:
    if name == "family":
        return _family(records)
    if name not in records.values:
        return unknown(name, records.rows)
    values, known = records.values[name], records.known.get(name)
    if values.dtype.kind == "S":
        return _text(values, known)
    if (
        name not in _SIGNED and values.ndim == 1 and values.min(initial=0) < 0
    ):  # beyond 63 bits: no count and no time is so large
        known = both(known, values >= 0)
    if name in _MACS:
        return _mac(values, known)
    if name in _WORDS:
        return _WORDS[name].read(values, known)
    return Column(values, known)


def _family(records: Records) -> Column:
    if "src" not in records.values:
        return unknown("family", records.rows)
    codes = np.where(address.is_ipv4(records.values["src"]), 0, 1).astype(np.int32)
    known: Any = records.known.get("src")
    return Column(codes if known is None else np.where(known, codes, -1), None, ("ipv4", "ipv6"))


def _text(values: Values, known: Known | None) -> Column:
    known = both(known, values != b"")
    distinct, place = np.unique(values[known], return_inverse=True)
    codes = np.full(len(values), -1, np.int32)
    codes[known] = place
    return Column(codes, None, tuple(one.decode("utf-8", "replace") for one in distinct.tolist()))


def _mac(values: Values, known: Known | None) -> Column:
    fits = values >> _MAC_BITS == 0  # some templates have eight octets for it
    known = both(known, fits)
    distinct, codes = _told_apart(values, known)
    words = tuple(map(_mac_text, distinct.tolist()))
    return Column(np.where(known, codes, -1).astype(np.int32), None, words)


@lru_cache(1 << 14)
def _mac_text(number: int) -> str:
    return number.to_bytes(6, "big").hex(":")


def _told_apart(values: Values, known: Known) -> tuple[Values, Values]:
    """The numbers that are known, in order, and which of them each is; of most batches a few rows have them all."""
    for some in (slice(None, None, _EVERY), slice(None)):
        distinct = np.unique(values[some][known[some]])
        codes = np.minimum(np.searchsorted(distinct, values), max(0, len(distinct) - 1))
        if len(distinct) and (distinct[codes] == values)[known].all():
            break
    return distinct, codes
