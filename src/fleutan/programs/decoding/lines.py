# SPDX-License-Identifier: Apache-2.0
"""The form of twenty comma-separated columns a sample or record, written from columns.

Samples of sFlow have the lines of ``exports.sflowtool.legacy``.  Records of NetFlow and IPFIX are
FLOW lines too: the agent is the exporter, both sizes are the record's octets and the last column is
its sampling rate, 1 where the exporter has told none, so that a size times the rate estimates the
traffic as it does of samples.  The Ethernet type is that of the addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.exports.sflowtool.heads import Dialect
from fleutan.exports.sflowtool.legacy import write_lines
from fleutan.exports.sflowtool.rows import DROP, FLOW, Rows, joined, written_rows
from fleutan.exports.sflowtool.sampled import Lines, counter_lines, drop_lines, flow_lines, reasons_of
from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.messages import sflow_messages
from fleutan.protocols.netflow.decoding import Batch as Netflow
from fleutan.protocols.sflow.columns import Walk
from fleutan.records import Records, Values
from fleutan.sources import exported
from fleutan.sources.flowrecords import flow_records

Ints = NDArray[np.int64]
#: A line's place: its datagram's row above, its number within it below.
_NUMBER_BITS = 20
_IPV4, _IPV6 = 0x0800, 0x86DD
#: Columns and the catalogue's names.
_NAMES = {
    "agent": "exporter",
    "input": "in_if",
    "output": "out_if",
    "source_mac": "src_mac",
    "destination_mac": "dst_mac",
    "in_vlan": "vlan",
    "out_vlan": "",
    "source": "src",
    "destination": "dst",
    "protocol": "proto",
    "tos": "",
    "ttl": "",
    "sport": "",
    "dport": "",
    "flags": "tcp_flags",
    "size": "bytes",
    "ip_size": "bytes",
    "last": "sampling_rate",
}


class _Placed(NamedTuple):
    """Rows with their places, ascending, and other lines with theirs."""

    rows: Rows
    places: Ints
    others: list[tuple[int, bytes]]


class Columns:
    """Lines of twenty columns.

    ``dialect`` faithful has sFlow's as sflowtool writes them, message by message, from a file where
    ``recorded``.
    """

    def __init__(self, dialect: Dialect, recorded: bool) -> None:
        self._dialect, self._recorded = dialect, recorded

    def of(self, batch: Batch) -> Iterator[bytes]:
        """The lines of a batch, in order of arrival."""
        parts = [_netflow(batch, batch.found.netflow)] if batch.found.netflow is not None else []
        if batch.found.sflow is not None and not self._dialect.faithful:
            parts += _sflow(batch, batch.found.sflow)
        others = [line for part in parts for line in part.others]
        parts = [part for part in parts if len(part.places)]
        others += self._messages(batch)
        yield from _merged(parts, sorted(others, key=lambda one: one[0]))

    def end(self) -> Iterator[bytes]:
        """Nothing."""
        return iter(())

    def _messages(self, batch: Batch) -> Iterator[tuple[int, bytes]]:
        """The lines of datagrams that are read whole: those of earlier versions, or all."""
        walk = batch.found.sflow
        if walk is None or not (self._dialect.faithful or walk.earlier.any()):
            return
        some = None if self._dialect.faithful else batch.found.sflow_rows[walk.earlier]
        for row, received in sflow_messages(batch, self._recorded, some):
            yield row << _NUMBER_BITS, b"".join(write_lines([received], self._dialect))


def _merged(parts: list[_Placed], others: list[tuple[int, bytes]]) -> Iterator[bytes]:
    if not parts:
        yield b"".join(line for _, line in others)
        return
    places = parts[0].places if len(parts) == 1 else np.concatenate([part.places for part in parts])
    rows = joined([part.rows for part in parts])
    if not (places[1:] >= places[:-1]).all():
        order = np.argsort(places, kind="stable")
        places, rows = places[order], rows.take(order)
    before = np.searchsorted(places, [place for place, _ in others]).tolist()
    inside = [(row, line) for row, (_, line) in zip(before, others, strict=True) if row < len(places)]
    reasons, last = _reasons(rows)
    yield from written_rows(rows._replace(last=last), reasons, inside)
    yield b"".join(line for _, line in others[len(inside) :])


def _reasons(rows: Rows) -> tuple[list[bytes], Ints]:
    """The words of the reasons of drops, and the last column with their places among them."""
    dropped = rows.kind == DROP
    if not dropped.any():
        return [], rows.last
    numbers, codes = np.unique(rows.last[dropped], return_inverse=True)
    last = rows.last.copy()
    last[dropped] = codes
    return reasons_of(numbers.tolist()), last


def _sflow(batch: Batch, walk: Walk) -> Iterator[_Placed]:
    """The lines of samples but for those of earlier versions; with a filter, those of packets only."""
    older = walk.earlier[walk.samples.owner]
    if older.any():
        walk = walk._replace(samples=walk.samples.take(~older), tags=walk.tags[~older])
    datagrams = batch.found.sflow_rows[walk.samples.owner] << _NUMBER_BITS
    places = datagrams | walk.samples.number
    flows = flow_lines(walk, _kept(batch, walk, exported.SAMPLE))
    yield _placed(flows, places)
    drops = drop_lines(walk, _kept(batch, walk, exported.DISCARD))
    others = counter_lines(walk) if batch.kept is None else []
    yield _placed(drops._replace(others=drops.others + others), places)


def _kept(batch: Batch, walk: Walk, kind: int) -> NDArray[np.bool_] | None:
    """Which of the records of a kind the filter means, without those of earlier versions."""
    kept = batch.kept_of(kind)
    if kept is None or not walk.earlier.any():
        return kept
    mine = batch.placed.table.columns["record"].values == kind
    older = np.isin(batch.placed.datagram[mine], batch.found.sflow_rows[walk.earlier])
    return kept[~older]


def _placed(lines: Lines, places: Ints) -> _Placed:
    """With the places of the batch."""
    others = zip(places[[place for place, _ in lines.others]].tolist(), lines.others, strict=True)
    return _Placed(lines.rows, places[lines.places], [(place, line) for place, (_, line) in others])


def _netflow(batch: Batch, netflow: Netflow) -> _Placed:
    """The lines of NetFlow's and IPFIX's records, in the order of their datagrams."""
    records = flow_records(netflow)
    datagram = records.values.get("datagram", np.zeros(records.rows, np.int64))
    waited = ~_known(records, "datagram")
    places = np.where(waited, -1, batch.found.netflow_rows[datagram] << _NUMBER_BITS)
    rows = _rows(records)
    if not (places[1:] >= places[:-1]).all():
        order = np.argsort(places, kind="stable")
        places, rows = places[order], rows.take(order)
    kept = batch.kept_of(exported.FLOW)
    return _Placed(rows, places, []) if kept is None else _Placed(rows.take(kept), places[kept], [])


def _rows(records: Records) -> Rows:
    columns: dict[str, Values] = {name: _value(records, theirs or name) for name, theirs in _NAMES.items()}
    for name, theirs in (("sport", "icmp_type"), ("dport", "icmp_code")):
        columns[name] = np.where(_known(records, name), columns[name], _value(records, theirs))
    columns |= {name: columns[name] & 0xFF for name in ("tos", "flags")}
    columns["last"] = np.where(_known(records, "sampling_rate"), columns["last"], 1)
    known = _known(records, "src") | _known(records, "dst")
    kinds = np.where(address.is_ipv4(columns["source"]) | address.is_ipv4(columns["destination"]), _IPV4, _IPV6)
    whole = np.ones(records.rows, np.bool_)
    return Rows(
        kind=np.full(records.rows, FLOW), type=np.where(known, kinds, 0), agent_known=whole, ends_known=known, **columns
    )


def _known(records: Records, name: str) -> NDArray[np.bool_]:
    found = records.known.get(name)
    return np.full(records.rows, name in records.values) if found is None else found


def _value(records: Records, name: str) -> Values:
    """A column, 0 where it is not known; addresses in halves."""
    if name in records.values:
        return records.values[name]
    return np.zeros((records.rows, 2) if name in ("src", "dst", "exporter") else records.rows, np.int64)
