# SPDX-License-Identifier: Apache-2.0
"""The pcapng format: sections, interfaces, and the walk over blocks.

What lives here takes octets that begin at a block and says how far it came; it keeps nothing but
the section it is in.  draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.frames import Frames, Walked, joined
from fleutan.protocols.capture.pcap import LONGEST
from fleutan.protocols.packet.windows import matrix, windows
from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Octets: TypeAlias = "bytes | memoryview"

#: Block types: sections 4.1 to 4.4 and, of obsolete packets, appendix A.
SECTION, INTERFACE, OBSOLETE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
MAGIC: Final = SECTION.to_bytes(4, "big")
_PACKETS: Final = frozenset((OBSOLETE, SIMPLE, ENHANCED))
_ORDERS: Final = {0x1A2B3C4D.to_bytes(4, "little"): "<", 0x1A2B3C4D.to_bytes(4, "big"): ">"}
_VERSION: Final = 1
_SMALLEST: Final = {SECTION: 28, INTERFACE: 20, OBSOLETE: 32, SIMPLE: 16, ENHANCED: 32}
_LEAST, _TRAILER = 12, 4
_HEAD: Final = 16  # of a section, up to its version
_OPTIONS_AT: Final = 16  # of an interface
_SIMPLE_HEAD, _PACKET_HEAD = 12, 28
#: No packet's block is longer, with its options; sections and interfaces are not either.
LONGEST_BLOCK: Final = 2 * LONGEST
#: More interfaces than these in a section are no host's.
MOST_INTERFACES: Final = 4096
_OPTION_END, _OPTION_RESOLUTION, _OPTION_OFFSET = 0, 9, 14
_MICROSECONDS: Final = 6  # the resolution where no option says another
_BINARY: Final = 0x80  # the resolution is a power of 2, not of 10
_SECOND_NS: Final = 1_000_000_000
#: Seconds that do not fit into 63 bits of nanoseconds: no time of a packet.
_LATEST: Final = (1 << 63) // _SECOND_NS - 1
_FARTHEST: Final = 1 << 61  # seconds that may be added without overflow


class Interface(NamedTuple):
    """What an interface's description says: times count ``resolution`` from ``offset`` seconds on."""

    link_type: int
    snapshot: int
    resolution: int = _MICROSECONDS
    offset: int = 0


@dataclass
class Section:
    """The section that the walk is in: its byte order and its interfaces."""

    order: str = "<"
    interfaces: list[Interface] = field(default_factory=list)


def walk(octets: Octets, section: Section, counted: Counter[str]) -> Walked:
    """The whole blocks from the first octet on; ``section`` goes along, and what is not read is counted."""
    parts: list[Frames] = []
    at = 0
    while True:
        packets, at = _packets(octets, at, section.order)
        if packets:
            parts.append(_frames(octets, packets, section, counted))
        step = _other(octets, at, section, counted)
        if not step.size or step.size > len(octets) - at:
            return Walked(joined(parts), at, step.size, step.possible)
        at += step.size


class _Step(NamedTuple):
    """How long a block is that needs no more of it read; 0: it needs more octets, or is none."""

    size: int
    possible: bool = True


_WAIT, _NEVER = _Step(0), _Step(0, possible=False)


def _packets(octets: Octets, at: int, order: str) -> tuple[list[int], int]:
    """Where whole blocks of packets begin that follow each other, and where they end."""
    found: list[int] = []
    end = len(octets)
    head = Struct(order + "II").unpack_from
    append = found.append
    while at + _LEAST <= end:
        kind, size = head(octets, at)
        if kind not in _PACKETS or size % 4 or not _LEAST <= size <= LONGEST_BLOCK or at + size > end:
            break
        append(at)
        at += size
    return found, at


def _other(octets: Octets, at: int, section: Section, counted: Counter[str]) -> _Step:
    """Takes what the block there says, if it is no packet's."""
    left = len(octets) - at
    if left < _HEAD:
        return _WAIT
    is_section = octets[at : at + 4] == MAGIC
    order = _ORDERS.get(bytes(octets[at + 8 : at + 12])) if is_section else section.order
    if order is None:
        counted[rejects.SECTION] += 1
        return _NEVER
    kind, size = Struct(order + "II").unpack_from(octets, at)
    if size % 4 or size < _SMALLEST.get(kind, _LEAST):
        counted[rejects.LENGTH] += 1
        return _NEVER
    if size > LONGEST_BLOCK or kind not in _SMALLEST:
        return _unread(kind, size, counted)
    if size > left:
        return _WAIT
    return (_begin if is_section else _describe)(octets[at : at + size], order, section, counted)


def _unread(kind: int, size: int, counted: Counter[str]) -> _Step:
    """What is passed over: blocks that nobody needs, and packets that are none."""
    if kind in (SECTION, INTERFACE):
        counted[rejects.LENGTH] += 1
        return _NEVER
    if kind in _PACKETS:
        counted[rejects.OVERSIZED] += 1
    return _Step(size)


def _begin(block: Octets, order: str, section: Section, counted: Counter[str]) -> _Step:
    """Section 4.1: byte order and interfaces are those of the new section from here on."""
    if Struct(order + "H").unpack_from(block, 12)[0] != _VERSION:
        counted[rejects.SECTION] += 1
        return _NEVER
    section.order, section.interfaces = order, []
    return _Step(len(block))


def _describe(block: Octets, order: str, section: Section, counted: Counter[str]) -> _Step:
    """Section 4.2: one more interface."""
    if len(section.interfaces) < MOST_INTERFACES:
        link_type, snapshot = Struct(order + "8xHxxI").unpack_from(block)
        section.interfaces.append(Interface(link_type, snapshot, *_clock(block, order)))
    else:
        counted[rejects.INTERFACES] += 1
    return _Step(len(block))


def _clock(block: Octets, order: str) -> tuple[int, int]:
    """The options ``if_tsresol`` and ``if_tsoffset`` (section 4.2), or what holds without them."""
    resolution, offset, at = _MICROSECONDS, 0, _OPTIONS_AT
    while at + 4 <= len(block) - _TRAILER:
        code, size = Struct(order + "HH").unpack_from(block, at)
        value = bytes(block[at + 4 : min(at + 4 + size, len(block) - _TRAILER)])
        if code == _OPTION_END:
            break
        if code == _OPTION_RESOLUTION and len(value) == 1:
            resolution = value[0]
        if code == _OPTION_OFFSET and len(value) == 8:
            offset = Struct(order + "q").unpack(value)[0]
        at += 4 + (size + 3 & ~3)
    return resolution, max(-_FARTHEST, min(_FARTHEST, offset))


def _frames(octets: Octets, packets: list[int], section: Section, counted: Counter[str]) -> Frames:
    """The frames of the packet blocks that begin there: sections 4.3, 4.4 and appendix A."""
    whole, at = np.frombuffer(octets, np.uint8), np.array(packets, np.int64)
    words = matrix(windows(whole, at, _PACKET_HEAD)).view(section.order + "u4").astype(np.int64)
    kind, size, interface, high, low, captured, length = words.T.copy()
    simple, obsolete = kind == SIMPLE, kind == OBSOLETE
    interface[simple] = 0
    interface[obsolete] = interface[obsolete] >> (16 if section.order == ">" else 0) & 0xFFFF
    length[simple] = words[simple, 2]
    known = np.array([(each.link_type, each.snapshot or LONGEST) for each in section.interfaces] or [(0, 0)]).T
    link_type, snapshot = known.take(interface, axis=1, mode="clip")
    room = size - np.where(simple, _SMALLEST[SIMPLE], _SMALLEST[ENHANCED])
    captured[simple] = np.minimum(np.minimum(length, snapshot), room)[simple]
    trailer = matrix(windows(whole, at + size - _TRAILER, _TRAILER)).view(section.order + "u4")[:, 0]
    sound = _sound(
        counted,
        (rejects.TRAILER, trailer == size),
        (rejects.CAPTURED, (room >= 0) & (captured <= room)),
        (rejects.INTERFACE, interface < len(section.interfaces)),
    )
    at_ns, timed = _times(high << 32 | low, interface, section.interfaces, ~simple & sound)
    spans = Spans(whole, at + np.where(simple, _SIMPLE_HEAD, _PACKET_HEAD), captured)
    return Frames(spans, length, at_ns, timed, link_type, interface).take(sound)


def _sound(counted: Counter[str], *tests: tuple[str, Mask]) -> Mask:
    """Which rows pass all tests; each that does not is counted once, under the first it fails."""
    sound = np.ones(len(tests[0][1]), np.bool_)
    for name, passed in tests:
        if failed := int((sound & ~passed).sum()):
            counted[name] += failed
        sound &= passed
    return sound


def _times(ticks: Ints, interface: Ints, interfaces: list[Interface], rows: Mask) -> tuple[Ints, Mask]:
    """UTC nanoseconds, and which of them are known: the rows' whose time is one."""
    at_ns, timed = np.zeros(len(ticks), np.int64), np.zeros(len(ticks), np.bool_)
    for number in np.unique(interface[rows]).tolist():
        which = np.flatnonzero(rows & (interface == number))
        seconds, rest = _seconds(ticks[which].view(np.uint64), interfaces[number].resolution)
        seconds += interfaces[number].offset
        possible = np.abs(seconds) <= _LATEST
        which = which[possible]
        at_ns[which] = seconds[possible] * _SECOND_NS + rest[possible]
        timed[which] = True
    return at_ns, timed


def _seconds(ticks: NDArray[np.uint64], resolution: int) -> tuple[Ints, Ints]:
    """Whole seconds and nanoseconds of times in these units (section 4.2, ``if_tsresol``)."""
    binary = resolution & _BINARY
    per_second = (2 if binary else 10) ** (resolution & ~_BINARY)
    finest = 2**33 if binary else _SECOND_NS  # nanoseconds of finer ones overflow
    coarser = min(max(per_second // finest, 1), 2**64 - 1)
    ticks, per_second = ticks // np.uint64(coarser), np.uint64(min(per_second, finest))
    rest = ticks % per_second * np.uint64(_SECOND_NS) // per_second
    return np.minimum(ticks // per_second, np.uint64(_FARTHEST)).astype(np.int64), rest.astype(np.int64)
