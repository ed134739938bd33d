# SPDX-License-Identifier: Apache-2.0
"""Sampled packets without what tells whose they are: headers stay as far as their layouts name what is in them.

What lives here goes by the places at which headers are read.  Checksums beside IPv4's own, options,
extension headers' contents and all behind the last header that is known are left empty: they may
hold addresses, or tell of them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from fleutan.protocols.anonymous.canvas import Canvas
from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.decode import headers
from fleutan.protocols.packet.layouts import Layout
from fleutan.protocols.spans import Ints, Spans

#: Tunnels within tunnels that are entered.
DEPTH = 3
_MAC = 6
_MACS = frozenset(("dst_mac", "src_mac", "_sender", "arp_sender_mac", "arp_target_mac"))
#: These are read to tell what follows, and may be anything.
_LOOKS = frozenset((layouts.NIBBLE, layouts.PSEUDOWIRE))


class _Marks(NamedTuple):
    """What becomes of the octets of a header: runs that are kept, addresses (first octet and size each), MACs."""

    kept: tuple[tuple[int, int], ...]
    addresses: tuple[tuple[int, int], ...]
    macs: tuple[int, ...]


def hide(canvas: Canvas, at: Ints, sizes: Ints, kinds: Ints) -> None:
    """Paints the packets of so many octets at these places, which begin as sFlow's ``header_protocol`` says."""
    for layout, places, ends in headers(Spans(canvas.source, at, sizes), kinds, DEPTH):
        if layout not in _LOOKS:
            _hide(canvas, layout, places, ends - places)


def _hide(canvas: Canvas, layout: Layout, at: Ints, room: Ints) -> None:
    marks, whole = _marks(layout), room >= layout.size
    cut, left = at[~whole], room[~whole]
    for first, size in marks.kept:
        canvas.keep(at[whole] + first, size)
        if len(cut):
            canvas.keep_strings(cut + first, np.clip(left - first, 0, size))
    for first, size in marks.addresses:
        canvas.replace(at[room >= first + size] + first, size)
    for first in marks.macs:
        canvas.replace_macs(at[room >= first + _MAC] + first)
    if layout == layouts.IPV4:
        canvas.sum_up(at[whole])


@cache
def _marks(layout: Layout) -> _Marks:
    kept = np.zeros(layout.size, np.bool_)
    for member in layout.members:
        kept[member.first // 8 : member.end] = not member.address and member.name not in _MACS
    edges = np.flatnonzero(np.diff(kept, prepend=False, append=False)).reshape(-1, 2).tolist()
    return _Marks(
        tuple((first, end - first) for first, end in edges),
        tuple((member.first // 8, member.bits // 8) for member in layout.members if member.address),
        tuple(member.first // 8 for member in layout.members if member.name in _MACS),
    )
