# SPDX-License-Identifier: Apache-2.0
"""Flow columns as datagrams of NetFlow version 5, which knows IPv4, narrow fields and no unknown.

Cisco, "NetFlow Export Datagram Formats": tables B-5 and B-6.
"""

from __future__ import annotations

from struct import Struct

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.encoding import Encoded
from fleutan.protocols.netflow.shapes import Moment
from fleutan.records import Records

Ints = NDArray[np.int64]

#: Records of a datagram at most, by the format.
RECORDS = 30
_HEADER = Struct("!HHIIIIHH")
_MS = 1_000_000
_INTERVAL = 0x3FFF
#: What stands for the number of an autonomous system of 32 bits (RFC 6793, 4.2.3).
_AS_TRANS = 23_456

#: Columns in their order, and the octets that they take; None is padding.
_LAYOUT: tuple[tuple[str | None, int], ...] = (
    ("src", 4),
    ("dst", 4),
    ("next_hop", 4),
    ("in_if", 2),
    ("out_if", 2),
    ("packets", 4),
    ("bytes", 4),
    ("start", 4),
    ("end", 4),
    ("sport", 2),
    ("dport", 2),
    (None, 1),
    ("tcp_flags", 1),
    ("proto", 1),
    ("tos", 1),
    ("src_as", 2),
    ("dst_as", 2),
    ("src_mask", 1),
    ("dst_mask", 1),
    (None, 2),
)
_KINDS = {1: "u1", 2: ">u2", 4: ">u4"}
_DTYPE = np.dtype([(name or f"padding{place}", _KINDS[size]) for place, (name, size) in enumerate(_LAYOUT)])


def encode_5(flows: Records, moment: Moment, sequence: int, engine: int = 0, interval: int = 0) -> tuple[Encoded, int]:
    """These flows (columns as ``flows.flows`` returns them), and the sequence number of the next datagram.

    What is unknown is 0.  Counts and numbers too large for their fields are written as the largest
    these hold, autonomous systems as 23456, and counted; flows that are not of IPv4 are not sent.
    ``engine`` is its type and id, ``interval`` says that one packet of so many was sampled.
    """
    rows = np.flatnonzero(_four(flows, "src") & _four(flows, "dst"))
    saturated: dict[str, int] = {}
    records = np.zeros(len(rows), _DTYPE)
    for name, size in _LAYOUT:
        if name in flows.values:
            records[name] = _column(flows, name, size, rows, moment, saturated)
    datagrams = []
    for at in range(0, len(records), RECORDS):
        part = records[at : at + RECORDS]
        datagrams.append(_header(len(part), moment, sequence, engine, interval) + part.tobytes())
        sequence = (sequence + len(part)) & 0xFFFF_FFFF
    return Encoded(datagrams, saturated, flows.rows - len(rows)), sequence


def _four(flows: Records, name: str) -> NDArray[np.bool_]:
    if name not in flows.values:
        return np.zeros(flows.rows, np.bool_)
    halves = flows.values[name]
    mapped: NDArray[np.bool_] = (halves[:, 0] == 0) & (halves[:, 1] >> 32 == 0xFFFF)
    return mapped & flows.known[name] if name in flows.known else mapped


def _column(flows: Records, name: str, size: int, rows: Ints, moment: Moment, saturated: dict[str, int]) -> Ints:
    values = flows.values[name][rows]
    known = flows.known[name][rows] if name in flows.known else np.ones(len(rows), np.bool_)
    if values.ndim > 1:
        return np.where(known & _four(flows, name)[rows], values[:, 1] & 0xFFFF_FFFF, 0)
    if name in ("start", "end"):
        return np.where(known, (moment.uptime_ms - (moment.now_ns - values) // _MS) & 0xFFFF_FFFF, 0)
    most = (1 << 8 * size) - 1
    beyond = known & ((values > most) | (values < 0))
    if beyond.any():
        saturated[name] = int(beyond.sum())
    instead = _AS_TRANS if name.endswith("_as") else most
    return np.where(known, np.where(beyond, instead, values), 0)


def _header(count: int, moment: Moment, sequence: int, engine: int, interval: int) -> bytes:
    seconds, rest = divmod(moment.now_ns, 10**9)
    # Mode 1 (one of every so many) in the upper two bits; without sampling all of it is 0.
    sampling = 1 << 14 | min(interval, _INTERVAL) if interval else 0
    uptime = moment.uptime_ms & 0xFFFF_FFFF
    return _HEADER.pack(5, count, uptime, seconds & 0xFFFF_FFFF, rest, sequence, engine & 0xFFFF, sampling)
