# SPDX-License-Identifier: Apache-2.0
"""Samples of single packets made of a record of one that stands for many: a row for each segment that was drawn.

The kernel cuts such a packet later, or put it together before (GSO, GRO).  Each segment has the headers of the
whole, but lengths of its own.  Sequence numbers stay those of the first segment.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.linux.packets.records import LAST
from fleutan.protocols.spans import Ints, number
from fleutan.records import Known, Records, take

_IPV4, _IPV6, _UDP = 0x0800, 0x86DD, 17
_IPV6_HEADER = 40


class Segments(NamedTuple):
    """Rows as in ``records``, a segment each; ``length`` in octets ``(n,)``; ``octets`` that their headers stand in."""

    records: Records
    length: Ints
    octets: NDArray[np.uint8]


def segments(records: Records, octets: NDArray[np.uint8]) -> Segments:
    """The segments of each record; ``octets`` are written to where a record has several."""
    hits = records.values["hits"]
    last = records.values["known"] & LAST != 0
    if (hits > 1).any():
        records, octets, last = _repeated(records, octets, hits, last)
    length = np.where(last, records.values["last_length"], records.values["length"])
    many = records.values["segments"] > 1
    if many.any():
        _say_lengths(octets, records, length, many)
    return Segments(records, length, octets)


def _repeated(
    records: Records, octets: NDArray[np.uint8], hits: Ints, last: Known
) -> tuple[Records, NDArray[np.uint8], Known]:
    """Each row as often as it was hit, with octets of its own; of those only the last one is the last segment."""
    order = np.repeat(np.arange(records.rows), hits)
    ends = np.cumsum(hits) - 1
    is_end = np.zeros(len(order), np.bool_)
    is_end[ends] = True
    size = len(octets) // records.rows
    repeated = take(records, order)
    moved = (np.arange(len(order)) - order) * size
    values = {**repeated.values, "header_at": repeated.values["header_at"] + moved}
    return repeated._replace(values=values), octets.reshape(-1, size)[order].reshape(-1), last[order] & is_end


def _say_lengths(octets: NDArray[np.uint8], records: Records, length: Ints, many: Known) -> None:
    """Has IP and UDP say how long a segment is, where they stand within what is kept."""
    values = records.values
    at, size = values["header_at"] + values["network"], values["kept"] - values["network"]
    long = length - values["network"]
    four = np.flatnonzero(many & (values["protocol"] == _IPV4) & (size >= 20))
    six = np.flatnonzero(many & (values["protocol"] == _IPV6) & (size >= _IPV6_HEADER))
    if len(four):
        before = number(octets, at[four] + 2, 2)
        _put(octets, at[four] + 2, long[four])
        _put(octets, at[four] + 10, _checksum(number(octets, at[four] + 10, 2), before, long[four]))
        is_udp = octets[at[four] + 9] == _UDP
        if is_udp.any():
            rows = four[is_udp]
            _say_udp(octets, at[rows], size[rows], long[rows], (octets[at[rows]] & 15).astype(np.int64) * 4)
    if len(six):
        _put(octets, at[six] + 4, long[six] - _IPV6_HEADER)
        rows = six[octets[at[six] + 6] == _UDP]
        _say_udp(octets, at[rows], size[rows], long[rows], np.full(len(rows), _IPV6_HEADER))


def _say_udp(octets: NDArray[np.uint8], at: Ints, size: Ints, long: Ints, header: Ints) -> None:
    """Has UDP behind a header of that length say its own, where that is kept."""
    kept = size >= header + 6
    _put(octets, (at + header + 4)[kept], (long - header)[kept])


def _checksum(checksum: Ints, before: Ints, after: Ints) -> Ints:
    """The checksum when one word under it becomes another (RFC 1624)."""
    total = (~checksum & 0xFFFF) + (~before & 0xFFFF) + after
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _put(octets: NDArray[np.uint8], at: Ints, numbers: Ints) -> None:
    """Writes numbers of two octets in network order."""
    octets[at] = numbers >> 8 & 0xFF
    octets[at + 1] = numbers & 0xFF
