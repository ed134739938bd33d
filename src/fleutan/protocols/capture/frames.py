# SPDX-License-Identifier: Apache-2.0
"""Frames as capture files hold them, and which header each begins with.

What lives here knows no file format and reads no octet of a frame.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.packet.kinds import BEGINNINGS, LINK_TYPE
from fleutan.protocols.spans import Spans

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Link types that begin as a packet does for which sFlow has a number.
_KINDS: Final = {1: 1, 12: LINK_TYPE + 101, 14: LINK_TYPE + 101, 219: 13, 228: 11, 229: 12}
#: Names of link types that are met and not read: tcpdump.org's list.
UNREAD: Final = {
    6: "IEEE 802.5 token ring",
    7: "ARCNET",
    8: "SLIP",
    10: "FDDI",
    105: "IEEE 802.11",
    107: "frame relay",
    117: "OpenBSD pflog",
    119: "IEEE 802.11 with Prism header",
    127: "IEEE 802.11 with radiotap header",
    163: "IEEE 802.11 with AVS header",
    189: "USB",
    192: "per-packet information",
    195: "IEEE 802.15.4",
    201: "Bluetooth HCI",
    220: "USB",
    227: "SocketCAN",
    249: "USB",
    253: "netlink",
}


class Frames(NamedTuple):
    """Frames, a row each, in the file's order.

    ``spans`` are the captured octets, ``lengths`` ``(n,)`` int64 how long the frames were on the
    wire, ``at_ns`` when (UTC nanoseconds; 0 where ``timed`` is False: the file does not say),
    ``link_types`` LINKTYPE_* numbers, ``interfaces`` numbers within the file's section.
    """

    spans: Spans
    lengths: Ints
    at_ns: Ints
    timed: Mask
    link_types: Ints
    interfaces: Ints

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Frames:
        """These rows, by number or mask."""
        return Frames(
            self.spans.take(rows),
            self.lengths[rows],
            self.at_ns[rows],
            self.timed[rows],
            self.link_types[rows],
            self.interfaces[rows],
        )

    def kinds(self) -> Ints:
        """What each frame begins with, as ``packet.decode`` takes it."""
        kinds = self.link_types + LINK_TYPE
        for link_type, kind in _KINDS.items():
            kinds[self.link_types == link_type] = kind
        return kinds

    def unread(self) -> dict[str, int]:
        """How many frames have which link type of which no header is read."""
        types, counts = np.unique(self.link_types[~np.isin(self.kinds(), list(BEGINNINGS))], return_counts=True)
        named = zip(types.tolist(), counts.tolist(), strict=True)
        return {UNREAD.get(number, f"link type {number}"): count for number, count in named}


def joined(parts: list[Frames]) -> Frames:
    """All frames of parts that lie in the same buffer; NO_FRAMES of no part."""
    if len(parts) < 2:
        return parts[0] if parts else NO_FRAMES
    octets = parts[0].spans.octets
    starts, sizes = (
        np.concatenate(each) for each in zip(*((p.spans.starts, p.spans.sizes) for p in parts), strict=True)
    )
    return Frames(Spans(octets, starts, sizes), *map(np.concatenate, zip(*(part[1:] for part in parts), strict=True)))


_NONE: Final = np.zeros(0, np.int64)
NO_FRAMES: Final = Frames(Spans(np.zeros(0, np.uint8), _NONE, _NONE), _NONE, _NONE, np.zeros(0, np.bool_), _NONE, _NONE)


class Walked(NamedTuple):
    """Frames of whole records or blocks, and where the first begins that is not whole.

    ``skip``: that many octets from ``end`` on are a block that nobody needs, perhaps more than
    there are.  ``possible`` is False where what stands at ``end`` can be no record.
    """

    frames: Frames
    end: int
    skip: int
    possible: bool
