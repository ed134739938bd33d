# SPDX-License-Identifier: Apache-2.0
"""Frames as capture files: the octets of pcap and of pcapng.

What lives here opens no file; a file is its header and then the records of any number of
batches.  draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.capture.pcap import LONGEST
from fleutan.protocols.capture.pcapng import ENHANCED, INTERFACE, SECTION
from fleutan.protocols.packet.windows import pieces, windows
from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]

_SECOND_NS: Final = 1_000_000_000
_MICROSECOND_NS: Final = 1000
_MAGICS: Final = {_MICROSECOND_NS: 0xA1B2C3D4, 1: 0xA1B23C4D}
_RECORD, _BLOCK, _TRAILER = 16, 28, 4
_NANOSECONDS: Final = pack("<HHBxxxHH", 9, 1, 9, 0, 0)  # option if_tsresol, end of options


def pcap_header(link_type: int, unit_ns: int = _MICROSECOND_NS) -> bytes:
    """The 24 octets that begin a pcap file of this link type, little-endian.

    ``unit_ns`` is 1000 (which every reader knows) or 1; KeyError for another.
    """
    return pack("<IHHiIII", _MAGICS[unit_ns], 2, 4, 0, 0, LONGEST, link_type)


def pcap_records(spans: Spans, lengths: Ints, at_ns: Ints, unit_ns: int = _MICROSECOND_NS) -> bytes:
    """The records of these frames, for a file whose header has the same unit.

    ``lengths`` ``(n,)`` are those on the wire, ``at_ns`` UTC nanoseconds; seconds have 32 bits in this format.
    """
    heads = np.empty((spans.rows, 4), "<u4")
    heads[:, 0], heads[:, 1] = at_ns // _SECOND_NS & 0xFFFF_FFFF, at_ns % _SECOND_NS // unit_ns
    heads[:, 2], heads[:, 3] = spans.sizes, lengths
    ends = np.cumsum(spans.sizes + _RECORD)
    written = np.zeros(ends[-1] if len(ends) else 0, np.uint8)
    begins = ends - spans.sizes - _RECORD
    _place(written, begins, heads)
    _copy(written, begins + _RECORD, spans)
    return written.tobytes()


def pcapng_header(link_types: Sequence[int]) -> bytes:
    """A section and one interface for each link type, whose times are nanoseconds; numbered from 0."""
    return pack("<IIIHHqI", SECTION, 28, 0x1A2B3C4D, 1, 0, -1, 28) + pcapng_interfaces(link_types)


def pcapng_interfaces(link_types: Sequence[int]) -> bytes:
    """Further interfaces, numbered from where those before them end; they may stand between packets."""
    size = 20 + len(_NANOSECONDS)
    return b"".join(
        pack("<IIHHI", INTERFACE, size, link_type, 0, LONGEST) + _NANOSECONDS + pack("<I", size)
        for link_type in link_types
    )


def pcapng_blocks(spans: Spans, lengths: Ints, at_ns: Ints, interfaces: Ints) -> bytes:
    """Enhanced packet blocks of these frames, by the numbers of their interfaces."""
    sizes = (spans.sizes + 3 & ~3) + _BLOCK + _TRAILER
    heads = np.empty((spans.rows, 7), "<u4")
    heads[:, 0], heads[:, 1], heads[:, 2] = ENHANCED, sizes, interfaces
    heads[:, 3], heads[:, 4] = at_ns >> 32 & 0xFFFF_FFFF, at_ns & 0xFFFF_FFFF
    heads[:, 5], heads[:, 6] = spans.sizes, lengths
    ends = np.cumsum(sizes)
    written = np.zeros(ends[-1] if len(ends) else 0, np.uint8)
    _place(written, ends - sizes, heads)
    _place(written, ends - _TRAILER, heads[:, 1:2])
    _copy(written, ends - sizes + _BLOCK, spans)
    return written.tobytes()


def _place(written: NDArray[np.uint8], at: Ints, rows: NDArray[Any]) -> None:
    """Each row's octets at its place."""
    if len(rows):
        octets = np.ascontiguousarray(rows).view(np.uint8)
        pieces(written, octets.shape[1])[at] = octets.view(f"V{octets.shape[1]}")[:, 0]


def _copy(written: NDArray[np.uint8], at: Ints, spans: Spans) -> None:
    """Each string to its place, those of one size together."""
    order = np.argsort(spans.sizes, kind="stable")
    sizes, firsts = np.unique(spans.sizes[order], return_index=True)
    for size, rows in zip(sizes.tolist(), np.split(order, firsts[1:]), strict=bool(len(sizes))):
        if size:
            pieces(written, size)[at[rows]] = windows(spans.octets, spans.starts[rows], size)
