# SPDX-License-Identifier: Apache-2.0
"""The pcap format: its file header, and the walk over its records.

What lives here takes octets that begin at a record and says how far it came; pcapng is another
format.  draft-ietf-opsawg-pcap; the variant with a longer record header is Alexey Kuznetzov's.
"""

from __future__ import annotations

from collections import Counter
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.frames import NO_FRAMES, Frames, Walked
from fleutan.protocols.packet.windows import matrix, windows
from fleutan.protocols.spans import Spans

Octets: TypeAlias = "bytes | memoryview"

FILE_HEADER_SIZE: Final = 24
#: Longer than any frame that a capture holds: libpcap's greatest snapshot length.
LONGEST: Final = 262144
_LINK_TYPE_AT: Final = 20
_LINK_TYPE_MASK: Final = 0xFFFF  # above are flags and the length of a frame check sequence
_MICROSECONDS: Final = 1000
_WORDS_SIZE: Final = 16  # seconds, fractions, captured and original length


class Pcap(NamedTuple):
    """How a file's records look: byte order (``<`` or ``>``), size of their headers, unit of time, link type."""

    order: str
    header_size: int
    unit_ns: int
    link_type: int


#: By the magic number: the size of a record's header and the unit of its fractions of seconds.
_MAGIC: Final = {0xA1B2C3D4: (16, _MICROSECONDS), 0xA1B23C4D: (16, 1), 0xA1B2CD34: (24, _MICROSECONDS)}
#: What files of this format begin with.
MAGICS: Final = frozenset(magic.to_bytes(4, order) for magic in _MAGIC for order in ("little", "big"))


def file_header(octets: Octets) -> Pcap:
    """What the file header (its first 24 octets, of a known magic) says of the records."""
    order = "<" if int.from_bytes(octets[:4], "little") in _MAGIC else ">"
    magic, link = (Struct(order + "I").unpack_from(octets, at)[0] for at in (0, _LINK_TYPE_AT))
    return Pcap(order, *_MAGIC[magic], link & _LINK_TYPE_MASK)


def walk(octets: Octets, pcap: Pcap, counted: Counter[str]) -> Walked:
    """The whole records from the first octet on; one loop, in which a record is one step of Python."""
    found: list[int] = []
    at, size, longest = 0, pcap.header_size, LONGEST
    last = len(octets) - size  # where a record's header fits at the latest
    captured_at = Struct(f"{pcap.order}8xI").unpack_from
    append = found.append
    possible = True
    while at <= last:
        (captured,) = captured_at(octets, at)
        behind = at + captured
        if captured > longest or behind > last:
            possible = captured <= longest
            break
        append(at)
        at = behind + size
    if not possible:
        counted[rejects.LENGTH] += 1
    return Walked(_frames(octets, pcap, found), at, 0, possible)


def _frames(octets: Octets, pcap: Pcap, records: list[int]) -> Frames:
    """The frames of the records that begin there."""
    if not records:
        return NO_FRAMES
    whole, at = np.frombuffer(octets, np.uint8), np.array(records, np.int64)
    words = matrix(windows(whole, at, _WORDS_SIZE)).view(pcap.order + "u4").astype(np.int64)
    seconds, fractions, captured, lengths = words.T
    at_ns = seconds * 1_000_000_000 + fractions * pcap.unit_ns
    spans, constant = Spans(whole, at + pcap.header_size, captured.copy()), np.zeros(len(at), np.int64)
    timed = np.ones(len(at), np.bool_)
    return Frames(spans, lengths.copy(), at_ns, timed, constant + pcap.link_type, constant)
