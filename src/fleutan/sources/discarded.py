# SPDX-License-Identifier: Apache-2.0
"""Dropped packets as columns in sFlow's words, made of what the kernel told of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from fleutan.column import Column, text_column
from fleutan.linux.discards import ETHERNET, IPV4, IPV6, NONE, RECEIVED, SENT, Discarded
from fleutan.protocols.spans import Ints, Mask, Spans, number
from fleutan.sources.discardreasons import CODES, ENTERING, LEAVING, PERHAPS_TTL, TTL_EXCEEDED, UNKNOWN

#: Where a packet comes from that this host itself sends (sFlow Version 5, section 5.3).
INTERNAL = 0x3FFF_FFFF
#: Octets that a frame had on the wire and has no more in the kernel: the check sequence.
FCS = 4
_ETHERTYPES = {0x0800: IPV4, 0x86DD: IPV6}


@dataclass(frozen=True)
class Discards:
    """Dropped packets in order, a row each; ``(n,)`` int64 but for texts and ``header``.

    ``ifindex`` is the data source: the interface that received the packet, else the one that it was to leave by;
    0 where there is none or it is another network namespace's.  ``input`` and ``output`` are ifIndexes, 0 where
    unknown, INTERNAL for this host itself.  ``reason`` is sFlow's code, ``linux_reason`` the kernel's name,
    ``symbol`` the function that dropped it; ``trap_group`` and ``trap`` are a device's, which the kernel's own drops
    do not have.  ``protocol`` is sFlow's header_protocol, ``length`` in octets with ``stripped`` that
    ``header`` does not end with, since they were taken off before; ``header`` is empty where none could be
    found.  ``drops`` are those of this data source so far that were not told; ``cookie`` and
    ``netns`` (an inode) are 0 where unknown.
    """

    at_ns: Ints
    ifindex: Ints
    input: Ints
    output: Ints
    reason: Ints
    linux_reason: Column
    symbol: Column
    trap_group: Column
    trap: Column
    protocol: Ints
    length: Ints
    stripped: Ints
    header: Spans
    drops: Ints
    cookie: Ints
    netns: Ints

    @property
    def rows(self) -> int:
        """How many packets."""
        return len(self.at_ns)


def discards_of(
    found: Discarded,
    netns: int,
    suppressed: Mapping[int, int],
    functions: Mapping[int, str],
    names: Mapping[int, str],
) -> Discards:
    """What the kernel told as columns; ``netns`` is the own namespace, whose interfaces are told.

    ``suppressed`` is by ifIndex, ``functions`` by address, ``names`` are those of the kernel's reasons.
    """
    linux_reason = _texts(found.reason, lambda reason: names.get(reason, f"reason {reason}"))
    own = found.netns == netns
    ifindex = np.where(own, np.where(found.input, found.input, found.device), 0)
    header = Spans(found.octets, found.start, found.size)
    none = Column(np.full(len(ifindex), -1, np.int32), None, ())
    return Discards(
        found.at_ns,
        ifindex,
        *_ways(found, own, linux_reason),
        _codes(linux_reason, found, header),
        linux_reason,
        _texts(found.location, lambda place: (functions.get(place) or "").partition(" ")[0] or None),
        none,
        none,
        _protocols(found),
        found.length + np.where(found.protocol == ETHERNET, FCS, 0),
        np.where(found.protocol == ETHERNET, FCS, 0),
        header,
        _looked_up(ifindex, suppressed),
        found.cookie,
        found.netns,
    )


def _texts(values: Ints, say: Callable[[int], str | None]) -> Column:
    """A text for each number; ``say`` is asked once for each."""
    each, group = np.unique(values, return_inverse=True)
    return text_column([say(value) for value in each.tolist()]).take(group)


def _looked_up(values: Ints, table: Mapping[int, int], otherwise: int = 0) -> Ints:
    each, group = np.unique(values, return_inverse=True)
    return np.array([table.get(value, otherwise) for value in each.tolist()], np.int64)[group]


def _is_one(texts: Column, names: Collection[str]) -> Mask:
    of_words = np.array([word in names for word in texts.words or ()] + [False])
    found: Mask = of_words[texts.values]
    return found


def _ways(found: Discarded, own: Mask, linux_reason: Column) -> tuple[Ints, Ints]:
    """Where packets came in, and where they were to leave."""
    entering = (found.direction == RECEIVED) | _is_one(linux_reason, ENTERING)
    leaving = (found.direction == SENT) | _is_one(linux_reason, LEAVING)
    received = np.where(found.input, found.input, np.where(entering & ~leaving, found.device, 0))
    sent = leaving & (found.direction != RECEIVED)
    came_in = np.where(sent & (found.input == 0), INTERNAL, received)
    return np.where(own, came_in, 0), np.where(own & leaving, found.device, 0)


def _codes(linux_reason: Column, found: Discarded, header: Spans) -> Ints:
    of_words = np.array([CODES.get(word, UNKNOWN) for word in linux_reason.words or ()] + [UNKNOWN], np.int64)
    over = _is_one(linux_reason, (PERHAPS_TTL,)) & _is_over(found, header)
    return np.where(over, TTL_EXCEEDED, of_words[linux_reason.values])


def _is_over(found: Discarded, header: Spans) -> Mask:
    """Whether the time to live in an IP header, right behind an Ethernet header or at the beginning, is at its end."""
    at = header.starts + np.where(found.protocol == ETHERNET, 14, 0)
    first = number(header.octets, at, 1) >> 4
    left = number(header.octets, at + np.where(first == 6, 7, 8), 1)
    within = at + 9 <= header.starts + header.sizes
    over: Mask = within & np.isin(first, (4, 6)) & (left <= 1) & (found.protocol != NONE)
    return over


def _protocols(found: Discarded) -> Ints:
    """How headers begin; where there is none, how one would begin."""
    return np.where(found.protocol == NONE, _looked_up(found.ethertype, _ETHERTYPES, ETHERNET), found.protocol)
