# SPDX-License-Identifier: Apache-2.0
"""Packets that the kernel itself samples, as columns, and the account of the packets that each sample stands for.

Where they come from is the business of ``psample`` and ``nflog`` beside this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fleutan.protocols.sequences import AHEAD, LATE, Arrivals, Sequences
from fleutan.protocols.spans import Ints, Mask, Spans, packed

#: Where a packet comes from, or goes to, that is this host's own (sFlow Version 5, section 5.3).
INTERNAL = 0x3FFF_FFFF
#: sFlow's header_protocol.
ETHERNET, IPV4, IPV6 = 1, 11, 12
#: Octets that a frame had on the wire and has no more in the kernel: the check sequence.
FCS = 4


@dataclass(frozen=True)
class KernelSamples:
    """Sampled packets in order, a row each; ``(n,)`` int64 unless said otherwise.

    ``at_ns`` UTC; ``ifindex`` the device that sampled, its data source; ``egress`` bool; ``rate`` one in so many, in
    force; ``pool`` packets that came by this device so far, as far as its samples tell; ``drops`` its samples
    that were lost so far; ``input`` and ``output`` ifIndexes, 0 unknown, INTERNAL this host; ``protocol``
    sFlow's header_protocol, ``length`` in octets, with ``stripped`` that were taken off before; ``header`` the
    first octets.  ``queue`` (the traffic class that it left by), ``depth`` (octets in that queue) and
    ``delay`` (ns in the device) are -1 where unknown.
    """

    at_ns: Ints
    ifindex: Ints
    egress: Mask
    rate: Ints
    pool: Ints
    drops: Ints
    input: Ints
    output: Ints
    protocol: Ints
    length: Ints
    stripped: Ints
    header: Spans
    queue: Ints
    depth: Ints
    delay: Ints

    @property
    def rows(self) -> int:
        """How many packets."""
        return len(self.at_ns)


class Kept(NamedTuple):
    """Which samples are told, as numbers of rows, and their ``rate``, ``pool`` and ``drops``."""

    rows: Ints
    rate: Ints
    pool: Ints
    drops: Ints

    def only(self, these: Mask) -> Kept:
        """Those of them that are marked."""
        return Kept(*(column[these] for column in self))


class Account:
    """The packets that samples stand for, device by device.

    The kernel counts samples only, each group for itself: what the numbers between two of them lack is lost,
    and is put down to the device of the one behind the gap, with the packets that it stood for.  ``wanted`` says for
    an ifIndex that only one in so many of its packets is to be told; where the kernel samples more than twice as
    many, every second, third … of its samples is told, and the rate is what that comes to.
    """

    def __init__(self, wanted: Callable[[int], int] = lambda _: 1) -> None:
        self._wanted = wanted
        self._sequences = Sequences()
        self._pool: dict[int, int] = {}
        self._drops: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._came_late: dict[int, int] = {}

    def keep(self, ifindex: Ints, group: Ints, sequence: Ints, rate: Ints) -> Kept:
        """Takes samples in the order in which they came; ``(n,)`` each."""
        lost = self._lost(group, sequence)
        pool = running(ifindex, rate * (1 + lost), self._pool)
        drops = running(ifindex, lost, self._drops)
        each, place = np.unique(ifindex, return_inverse=True)
        wanted = np.array([self._wanted(index) for index in each.tolist()], np.int64)[place]
        every = np.maximum(wanted // rate, 1)
        seen = running(ifindex, np.ones(len(ifindex), np.int64), self._seen)
        rows = np.flatnonzero(seen % every == 0)
        return Kept(rows, (rate * every)[rows], pool[rows], drops[rows])

    def _lost(self, group: Ints, sequence: Ints) -> Ints:
        """How many samples are missing before each."""
        each, place = np.unique(group, return_inverse=True)
        keys = each.tolist()
        arrivals = self._sequences.follow(keys, place.astype(np.int64), sequence, np.ones(len(sequence), np.int64))
        lost = np.zeros(len(sequence), np.int64)
        for number, key in enumerate(keys):
            lost[place == number] = self._of_group(key, arrivals, place == number)
        return lost

    def _of_group(self, group: int, arrivals: Arrivals, mine: Mask) -> Ints:
        """What came late after all is not missing: CPUs number samples before they send them."""
        missing = np.where(arrivals.kind == AHEAD, arrivals.missing, 0)[mine]
        late = self._came_late.get(group, 0) + int(np.count_nonzero(arrivals.kind[mine] == LATE))
        total = np.cumsum(missing)
        self._came_late[group] = max(late - int(total[-1]), 0)
        lost: Ints = np.diff(np.maximum(total - late, 0), prepend=0)
        return lost


def running(keys: Ints, amounts: Ints, totals: dict[int, int]) -> Ints:
    """The sum of the amounts of each row's key so far, from ``totals`` on, which go on with them."""
    if not len(keys):
        return amounts
    each, group = np.unique(keys, return_inverse=True)
    order = np.argsort(group, kind="stable")
    sums = np.cumsum(amounts[order])
    last = np.searchsorted(group[order], np.arange(len(each)), side="right") - 1
    ends = sums[last]
    before = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    carried = np.array([totals.get(key, 0) for key in each.tolist()], np.int64)
    out = np.empty(len(keys), np.int64)
    out[order] = sums + (carried - before)[group[order]]
    totals.update(zip(each.tolist(), (carried + ends - before).tolist(), strict=True))
    return out


def cut(spans: Spans, most: int) -> Spans:
    """The first octets of each string, at most so many, in a buffer of their own."""
    short = Spans(spans.octets, spans.starts, np.minimum(spans.sizes, most))
    return Spans(packed(short).copy(), np.cumsum(short.sizes) - short.sizes, short.sizes)


def notes(what: str, overruns: int, broken: int) -> list[str]:
    """What a listener missed."""
    found = []
    if overruns:
        found.append(f"{what}: {overruns} times there was no room for more: some were lost (rmem_max, or one in more)")
    if broken:
        found.append(f"{what}: {broken} messages of the kernel could not be read")
    return found
