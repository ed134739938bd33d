# SPDX-License-Identifier: Apache-2.0
"""How a connection fared since its sample before: what it sent, sent again, and how its round-trip time changed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleutan.protocols.spans import Ints
from fleutan.records import Known, Records
from fleutan.sources.packets.columns import Packets

#: Connections whose last sample is kept.
MOST = 1 << 16
_WORD = 0xFFFF_FFFF
#: What is counted up, modulo 2^32, as the kernel does.
_COUNTED = ("segs_out", "retrans")


class _Last(NamedTuple):
    """A connection at its last sample."""

    at_ns: int
    segs_out: int
    retrans: int
    rtt_us: int


class Deltas:
    """What was seen last of each connection, known by its socket's cookie; of the ``most`` that came last."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._last: dict[int, _Last] = {}

    def of(self, packets: Packets) -> Packets:
        """The packets with the changes since the sample before of the same connection, where there is one.

        ``since_ms``, ``segs_out_since`` and ``retrans_since`` (segments), ``rtt_change_us`` (less than 0 where it
        became shorter).
        """
        rows = np.flatnonzero(packets.known("direction") & packets.known("cookie"))
        if not len(rows):
            return packets
        values = packets.columns.values
        rows = rows[np.lexsort((values["at_ns"][rows], values["cookie"][rows]))]
        cookie = values["cookie"][rows]
        now = np.stack([values[name][rows] for name in _Last._fields])
        begins = np.flatnonzero(np.diff(cookie, prepend=-1))
        before = np.concatenate((now[:, :1], now[:, :-1]), axis=1)
        known = np.ones(len(rows), np.bool_)
        ends = np.append(begins[1:], len(rows)) - 1
        for begin, end, key in zip(begins.tolist(), ends.tolist(), cookie[begins].tolist(), strict=True):
            last = self._last.pop(key, None)
            known[begin] = last is not None
            before[:, begin] = last or 0
            self._last[key] = _Last(*now[:, end].tolist())
        while len(self._last) > self._most:
            del self._last[next(iter(self._last))]
        return _with(packets, rows, now, before, known)


def _with(packets: Packets, rows: Ints, now: Ints, before: Ints, known: Known) -> Packets:
    """The packets with what became of ``before`` until ``now``, both ``(members of _Last, n)``."""
    at, then = (dict(zip(_Last._fields, table, strict=True)) for table in (now, before))
    rtt = known & (at["rtt_us"] != 0) & (then["rtt_us"] != 0)
    found = {"since_ms": (np.maximum(at["at_ns"] - then["at_ns"], 0) // 1_000_000, known)}
    found |= {f"{name}_since": (_grown(at[name], then[name]), known) for name in _COUNTED}
    found["rtt_change_us"] = at["rtt_us"] - then["rtt_us"], rtt
    columns = packets.columns
    values, masks = dict(columns.values), dict(columns.known)
    for name, (column, mask) in found.items():
        values[name], masks[name] = np.zeros(columns.rows, np.int64), np.zeros(columns.rows, np.bool_)
        values[name][rows], masks[name][rows] = column, mask
    return Packets(Records(columns.rows, values, masks), packets.header)


def _grown(now: Ints, before: Ints) -> Ints:
    """How far a counter went on; two CPUs may have read it the other way round."""
    grown = (now - before) & _WORD
    return np.where(grown >> 31, 0, grown)
