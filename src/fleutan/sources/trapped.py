# SPDX-License-Identifier: Apache-2.0
"""Packets that devices of this host drop by themselves (their traps), in sFlow's words.

``discards`` has those that the kernel drops.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import numpy as np

from fleutan.column import Column, text_column
from fleutan.linux.packets.dropmon import Dropmon, Trapped
from fleutan.protocols.sflow.reasons import REASONS
from fleutan.protocols.spans import Ints, Spans
from fleutan.sources.discarded import FCS, Discards
from fleutan.sources.discardreasons import UNKNOWN
from fleutan.sources.packets.kernel_samples import ETHERNET, cut, notes, running

_NUMBERS = {name: number for number, name in REASONS.items()}
#: Traps that sFlow has another name for (Documentation/networking/devlink/devlink-trap.rst); most have the same.
_OTHERWISE = {
    "ttl_value_is_too_small": "ttl_exceeded",
    "mtu_value_is_too_small": "pkt_too_big",
    "tail_drop": "no_buffer_space",
    "early_drop": "red",
    "ingress_flow_action_drop": "acl",
    "egress_flow_action_drop": "acl",
    "reject_route": "net_unreachable",
    "ipv4_lpm_miss": "net_unreachable",
    "ipv6_lpm_miss": "net_unreachable",
    "source_mac_is_multicast": "src_mac_is_multicast",
}


class Quota:
    """A token bucket that holds a second's worth: so many a second, and as many at once after a quiet second."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = float(limit)
        self._at: float | None = None

    def take(self, wanted: int, now: float) -> int:
        """How many of those that are wanted may be had at this time (of a clock that nobody sets, in seconds)."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self._left = min(self._limit, self._left + passed * self._limit)
        given = min(wanted, int(self._left))
        self._left -= given
        return given


class TrappedPackets:
    """The packets that devices drop, ``limit`` a second with the first ``header`` octets of each, from ``with`` on.

    Entering raises NotSupported where the kernel does not tell of them.
    """

    def __init__(
        self,
        limit: int = 100,
        header: int = 128,
        kernel: Callable[[int], Dropmon] = Dropmon,
        steady: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._kernel, self._header = kernel(header), header
        self._quota, self._steady, self._now_ns = Quota(limit), steady, now_ns
        self._dropped = 0
        self._drops: dict[int, int] = {}

    def __enter__(self) -> Self:
        self._kernel.__enter__()
        self._dropped = self._kernel.dropped()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._kernel.__exit__(*trouble)

    def wait(self, seconds: float) -> None:
        """Waits until there are some, or so long."""
        self._kernel.listener.wait(seconds)

    def read(self) -> Discards | None:
        """What came since the last call, or a part of it; None where nothing waits.  Raises FleutanError."""
        found = self._kernel.read()
        if found is None or not len(found.starts):
            return None
        rows = np.arange(len(found.starts))
        told = rows < self._quota.take(len(rows), self._steady())
        drops = running(found.input, self._lost(rows) + ~told, self._drops)
        return discards_of(found.take(told), drops[told], self._header, self._now_ns())

    def notes(self) -> list[str]:
        """What cannot be known, and why."""
        listener = self._kernel.listener
        return notes(listener.what, listener.overruns, listener.broken)

    def _lost(self, rows: Ints) -> Ints:
        """How many found no room in the kernel, before the first of these rows: of which device it does not say."""
        before, self._dropped = self._dropped, self._kernel.dropped()
        return np.where(rows == 0, max(self._dropped - before, 0), 0)


def discards_of(found: Trapped, drops: Ints, header: int, now_ns: int) -> Discards:
    """Dropped packets as columns; ``now_ns`` (UTC) is when those came that have no time of their own."""
    traps = _texts(found, found.trap, found.trap_size)
    codes = [_code(str(word)) for word in traps.words or ()]
    rows = len(found.starts)
    zeros, none = np.zeros(rows, np.int64), Column(np.full(rows, -1, np.int32), None, ())
    return Discards(
        np.where(found.at_ns >= 0, found.at_ns, now_ns),
        found.input,
        found.input,
        zeros,
        np.array([*codes, UNKNOWN], np.int64)[traps.values],
        none,
        none,
        _texts(found, found.group, found.group_size),
        traps,
        zeros + ETHERNET,
        found.length + FCS,
        zeros + FCS,
        cut(Spans(found.octets, found.starts, found.sizes), header),
        drops,
        zeros,
        zeros,
    )


def _code(trap: str) -> int:
    return _NUMBERS.get(_OTHERWISE.get(trap, trap), UNKNOWN)


def _texts(found: Trapped, starts: Ints, sizes: Ints) -> Column:
    strings = Spans(found.octets, starts, sizes).strings()
    return text_column([one.decode("utf-8", "replace") or None for one in strings])
