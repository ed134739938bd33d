# SPDX-License-Identifier: Apache-2.0
"""Packets add up to flows: those of the same ends, protocol, interfaces and direction, until they are told.

What lives here knows neither how flows are told nor to whom; times of packets are UTC, those of flows
of a clock that nobody sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.spans import Ints, Mask
from fleutan.records import Records, take

#: Flows that are there at a time; where there is no room the ones seen longest ago are told early.
MOST = 1 << 15
#: Why a flow is told (RFC 5102, 5.11.3: flowEndReason).
IDLE, ACTIVE, FORCED, NO_ROOM = 1, 2, 4, 5
#: What tells flows apart; of addresses two halves.
ADDRESSES = ("src", "dst")
NUMBERS = ("proto", "sport", "dport", "icmp", "tos", "in_if", "out_if", "direction", "vlan", "post_vlan")
#: What is known of a flow's socket: as its last packet has it that knows it.
LABELS = ("pid", "uid", "cookie", "cgroup_id", "rtt", "rtt_var", "min_rtt", "retrans")
TEXTS = ("comm", "unit", "container")
_WIDTH = 2 * len(ADDRESSES) + len(NUMBERS)
_UNKNOWN, _LATEST = -1, (1 << 63) - 1
_TCP = 6
#: How each number of a flow begins.
_STATE = {"packets": 0, "bytes": 0, "tcp_flags": 0, "start": _LATEST, "end": 0, **dict.fromkeys(LABELS, _UNKNOWN)}


class FlowTable:
    """Flows that are not told yet: they are when ``active`` seconds old, or ``idle`` seconds after the last packet."""

    def __init__(self, active: float = 60.0, idle: float = 15.0, most: int = MOST) -> None:
        self._active, self._idle, self._most = active, idle, most
        self._at: dict[bytes, int] = {}
        self._free: list[int] = []
        self._used = 0
        self._keys = np.empty((most, _WIDTH), np.int64)
        self._state = {name: np.empty(most, np.int64) for name in _STATE}
        self._texts = {name: np.full(most, b"", object) for name in TEXTS}
        self._began, self._seen = np.empty(most), np.empty(most)
        self._lives = np.zeros(most, np.bool_)

    def __len__(self) -> int:
        """How many flows there are."""
        return len(self._at)

    def add(self, packets: Records, now: float) -> list[Records]:
        """Adds packets: ``packets`` and ``bytes`` that each stands for, what tells flows apart, and what is known.

        Gives the flows for which there was no room any more.
        """
        parts = [
            take(packets, np.arange(at, min(at + self._most, packets.rows)))
            for at in range(0, packets.rows, self._most)
        ]
        return [told for part in parts for told in self._add(part, now)]

    def due(self, now: float) -> Records:
        """The flows that are to be told now; those of ``active`` begin anew with their next packet."""
        there = np.flatnonzero(self._lives[: self._used])
        idle, active = now - self._seen[there] >= self._idle, now - self._began[there] >= self._active
        return self._told(there[idle | active], np.where(idle, IDLE, ACTIVE)[idle | active])

    def rest(self) -> Records:
        """All flows that there are; then there are none."""
        there = np.flatnonzero(self._lives[: self._used])
        return self._told(there, np.full(len(there), FORCED))

    def _add(self, packets: Records, now: float) -> list[Records]:
        keys = _keys(packets)
        distinct, place = np.unique(keys.view(f"V{8 * _WIDTH}").reshape(-1), return_inverse=True)
        order = np.argsort(place, kind="stable")
        begins = np.searchsorted(place[order], np.arange(len(distinct)))
        packets, keys = take(packets, order), keys[order[begins]]
        names = [key.tobytes() for key in keys]
        told = list(self._room(names))
        slots = np.fromiter((self._slot(name, now) for name in names), np.int64, len(names))
        self._keys[slots], self._seen[slots] = keys, now
        self._count(packets, slots, begins)
        for name in (*LABELS, *TEXTS):
            if name in packets.values:
                self._label(packets, name, slots, begins)
        return told

    def _slot(self, name: bytes, now: float) -> int:
        """Where a flow stands; a new one begins now."""
        if (slot := self._at.get(name)) is not None:
            return slot
        if self._free:
            slot = self._free.pop()
        else:
            slot, self._used = self._used, self._used + 1
        self._at[name], self._began[slot], self._lives[slot] = slot, now, True
        for column, first in _STATE.items():
            self._state[column][slot] = first
        for texts in self._texts.values():
            texts[slot] = b""
        return slot

    def _room(self, names: Sequence[bytes]) -> Iterator[Records]:
        """Makes room for these flows, for a quarter of all at once: what is seen longest ago goes first."""
        while (lacking := sum(name not in self._at for name in names) + len(self._at) - self._most) > 0:
            there = np.flatnonzero(self._lives[: self._used])
            oldest = there[np.argsort(self._seen[there], kind="stable")][: max(lacking, self._most // 4)]
            yield self._told(oldest, np.full(len(oldest), NO_ROOM))

    def _count(self, packets: Records, slots: Ints, begins: Ints) -> None:
        state, values = self._state, packets.values
        for name in ("packets", "bytes"):
            state[name][slots] += np.add.reduceat(values[name], begins)
        state["start"][slots] = np.minimum(state["start"][slots], np.minimum.reduceat(values["end"], begins))
        state["end"][slots] = np.maximum(state["end"][slots], np.maximum.reduceat(values["end"], begins))
        if "tcp_flags" in values:
            flags = np.where(packets.known.get("tcp_flags", np.True_), values["tcp_flags"], 0)
            state["tcp_flags"][slots] |= np.bitwise_or.reduceat(flags, begins)

    def _label(self, packets: Records, name: str, slots: Ints, begins: Ints) -> None:
        """As the last packet of each flow has it that knows it."""
        known = packets.known.get(name, np.ones(packets.rows, np.bool_))
        last = np.maximum.reduceat(np.where(known, np.arange(packets.rows), -1), begins)
        found = last >= 0
        values = packets.values[name][last[found]]
        if name in self._texts:
            self._texts[name][slots[found]] = values.astype(object)
        else:
            self._state[name][slots[found]] = values

    def _told(self, slots: Ints, reasons: Ints) -> Records:
        """These flows, which are there no more."""
        keys, state = self._keys[slots], {name: column[slots] for name, column in self._state.items()}
        values: dict[str, NDArray[np.int64]] = {name: keys[:, 2 * at : 2 * at + 2] for at, name in enumerate(ADDRESSES)}
        values |= {name: keys[:, 2 * len(ADDRESSES) + at] for at, name in enumerate(NUMBERS)}
        known: dict[str, Mask] = {name: values[name] != _UNKNOWN for name in NUMBERS}
        values |= {**state, "end_reason": reasons}
        known |= {name: state[name] != _UNKNOWN for name in LABELS}
        known["tcp_flags"] = values["proto"] == _TCP
        texts = {name: np.array(column[slots].tolist(), bytes) for name, column in self._texts.items()}
        known |= dict.fromkeys(TEXTS, known["pid"])  # an empty one is none: fewer templates
        for slot, key in zip(slots.tolist(), keys, strict=True):
            del self._at[key.tobytes()]
            self._free.append(slot)
        self._lives[slots] = False
        return Records(len(slots), {**values, **texts}, known)


def _keys(packets: Records) -> Ints:
    """``(n, _WIDTH)`` what tells flows apart, -1 where it is not known."""
    halves = [packets.values[name] for name in ADDRESSES]
    return np.ascontiguousarray(np.column_stack([*halves, *(_number(packets, name) for name in NUMBERS)]))


def _number(packets: Records, name: str) -> Ints:
    if name not in packets.values:
        return np.full(packets.rows, _UNKNOWN)
    return np.where(packets.known.get(name, np.True_), packets.values[name], _UNKNOWN)
