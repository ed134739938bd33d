# SPDX-License-Identifier: Apache-2.0
"""Packets that were sampled on this host's devices, as a Table of kind ``samples``: a row a packet.

Columns have the names of those of exporters' samples (``exported``), with the headers themselves.
A packet that crosses stacked devices is taken at the top one only, on loopback where it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fleutan.column import Column
from fleutan.linux import links
from fleutan.linux.sampling import OUTGOING, Captured, Sampling
from fleutan.protocols.packet.kinds import LINK_TYPE
from fleutan.protocols.spans import Ints, Spans, joined
from fleutan.records import Records, fill
from fleutan.sources import exported
from fleutan.sources.sampled import with_headers
from fleutan.table import Reading, Table

SOURCE = "packet socket"
#: LINKTYPE_ETHERNET and LINKTYPE_RAW of capture files.
ETHERNET, IP = 1, 101
#: sFlow's header_protocol of Ethernet, as ``protocols.packet`` numbers it.
_BEGINS_ETHERNET = 1
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_IP_TYPES = (0x0800, 0x86DD)
#: Octets of both addresses, behind which a VLAN tag stands.
_ADDRESSES = 12
Uppers = Mapping[int, frozenset[int]]


def sampling(snaplen: int, one_in: int) -> Sampling:
    """The socket, to be entered; see ``linux.sampling``."""
    return Sampling(snaplen, one_in)


def uppers() -> Uppers:
    """Which devices of this namespace stand on which (``linux.links``)."""
    return links.uppers()


def table(found: Captured, one_in: int, dropped: int = 0, above: Uppers | None = None) -> Table:
    """The packets that can be told: those of Ethernet and IP, each once.

    ``dropped`` is how many found no room so far; ``above`` says which devices stand on which.
    """
    ethernet = np.isin(found.hatype, (_ARPHRD_ETHER, _ARPHRD_LOOPBACK))
    twice = (found.hatype == _ARPHRD_LOOPBACK) & (found.pkttype == OUTGOING)
    twice |= np.isin(found.ifindex, [*(above or {})])
    rows = np.flatnonzero((ethernet | np.isin(found.protocol, _IP_TYPES)) & ~twice)
    types = np.where(ethernet[rows], ETHERNET, IP)
    headers = headers_of(found, rows, types)
    records = _records(found, rows, one_in, dropped)
    with_headers(records, np.arange(len(rows)), headers, np.where(ethernet[rows], _BEGINS_ETHERNET, LINK_TYPE + IP))
    columns = exported.columns_of(records, [name for name in exported.FIELDS if name in records.values])
    columns |= {
        "time": Column(found.at_ns[rows]),
        "header": Column(np.arange(len(rows), dtype=np.int32), None, tuple(headers.strings())),
        "link_type": Column(types),
    }
    return Table("samples", columns, Reading(at_ns=int(found.at_ns.max(initial=0)), source=SOURCE))


def _records(found: Captured, rows: Ints, one_in: int, dropped: int) -> Records:
    """What is known of the packets but by their headers."""
    records = Records(len(rows), {}, {})
    sent = found.pkttype[rows] == OUTGOING
    for name, values in (
        ("received", found.at_ns[rows]),
        ("end", found.at_ns[rows]),
        ("bytes", found.length[rows]),
        ("packets", np.ones(len(rows), np.int64)),
        ("sampling_rate", np.full(len(rows), one_in)),
        ("sampler_drops", np.full(len(rows), dropped)),
        ("direction", sent.astype(np.int64)),
    ):
        fill(records, name, values)
    fill(records, "in_if", found.ifindex[rows], ~sent)
    fill(records, "out_if", found.ifindex[rows], sent)
    return records


def headers_of(found: Captured, rows: Ints, types: Ints) -> Spans:
    """The octets of these packets: of Ethernet from the link's header on, else from IP's; with the tag that it had."""
    size = found.frames.shape[1]
    begin = np.where(types == ETHERNET, found.mac[rows], np.minimum(found.net[rows], size))
    kept = np.clip(found.mac[rows] + found.kept[rows] - begin, 0, size - begin)
    spans = Spans(found.frames.reshape(-1), rows * size + begin, kept)
    tags = found.tag[rows]
    tagged = np.flatnonzero((tags != 0) & (types == ETHERNET) & (kept > _ADDRESSES))
    if not len(tagged):
        return spans
    strings = spans.strings()
    for row in tagged.tolist():
        tag = int(tags[row]).to_bytes(4, "big")
        strings[row] = strings[row][:_ADDRESSES] + tag + strings[row][_ADDRESSES:]
    return joined(strings)
