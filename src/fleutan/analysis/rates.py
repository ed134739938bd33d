# SPDX-License-Identifier: Apache-2.0
"""Two readings of the same host and what happened between them: rates, differences, changes.

A flow is recognised by its network namespace and socket cookie; where the kernel gave no
cookie, by its 5-tuple in that namespace.  A flow that appeared began inside the interval, so
its counters count from zero.  Short counters wrap; where a 64-bit one went backwards it is
another socket, and no difference is known.  When to read is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.alike import mixed
from fleutan.analysis.figures import DELTAS, float_column, int_column, is_word
from fleutan.analysis.stack import stacked
from fleutan.column import Column
from fleutan.fields import BY_NAME
from fleutan.table import Table

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

_BACKWARDS = "the clock stepped back between the readings: no rates"


class Rate(NamedTuple):
    """``name`` is ``times`` what ``counter`` grew by a second, with so many decimals (0: an integer)."""

    name: str
    counter: str
    times: int
    decimals: int


RATES = (
    Rate("tx_rate", "bytes_sent", 8, 0),
    Rate("acked_rate", "bytes_acked", 8, 0),
    Rate("rx_rate", "bytes_received", 8, 0),
    Rate("segs_out_rate", "segs_out", 1, 3),
    Rate("segs_in_rate", "segs_in", 1, 3),
    Rate("retrans_rate", "retrans", 1, 3),
)
#: What ``change`` says: it came, it went, or both inside the interval.
CHANGES = ("appeared", "vanished", "brief")
#: The fields that ``between`` adds, and the counters that they need.
FIELDS = ("change", *(rate.name for rate in RATES))
NEEDS = tuple(rate.counter for rate in RATES)

#: Bits of the counters that wrap (struct tcp_info, SK_MEMINFO_DROPS); all others have 64.
_BITS = {
    **dict.fromkeys(("segs_out", "segs_in", "data_segs_out", "data_segs_in", "retrans", "delivered"), 32),
    **dict.fromkeys(("delivered_ce", "dsack_dups", "reord_seen", "rcv_ooopack", "rehash", "drops"), 32),
    "total_rto": 16,
}
_TUPLE = ("proto", "src", "sport", "dst", "dport", "netns_inode")

#: In the place of an earlier row: there was none; there were several that cannot be told apart.
_NEW, _ALIKE = -1, -2


@dataclass(frozen=True)
class Interval:
    """Two readings compared: ``flows`` and ``deltas`` have the same rows in the same order.

    These are the flows of the later reading, in its order, and behind them those that vanished,
    as the earlier one had them.  ``flows`` has the fields of FIELDS added; ``deltas``, of the
    kind DELTAS, has moreover differences in the place of the counters.
    """

    flows: Table
    deltas: Table


def between(before: Table, after: Table) -> Table:
    """The flows of both readings with their change and rates; see Interval."""
    return compare(before, after).flows


def compare(before: Table, after: Table, ended: Table | None = None) -> Interval:
    """What happened from one reading to a later one (by ``reading.at_ns``).

    ``ended`` are flows that ended in between, with their last figures: those that neither reading
    saw are ``brief``.  They also stand for what is left of them in TIME-WAIT, of which the kernel
    knows neither owner nor figures.  Rates and differences are unknown for flows that vanished
    otherwise and for counters that a reading lacks; rates also, with a note, where the second
    reading is not the later one.
    """
    if ended is not None and len(ended):
        waiting = np.flatnonzero(is_word(after, "state", "time-wait"))
        told = waiting[np.isin(_keys(after.take(waiting)), _keys(ended))]
        after = after.take(np.delete(np.arange(len(after)), told)) if len(told) else after
    there = len(after)
    if ended is not None and len(ended):
        after = stacked(after, ended.take(~np.isin(_keys(ended), _keys(after))))
    match, gone = _match(before, after)
    every = stacked(after, before.take(np.flatnonzero(gone))) if gone.any() else after
    interval_ns = after.reading.at_ns - before.reading.at_ns
    notes = after.reading.notes if interval_ns > 0 else (*after.reading.notes, _BACKWARDS)
    every = replace(every, reading=replace(after.reading, interval_ns=max(interval_ns, 0), notes=notes))
    grown = {name: _padded(column, len(every)) for name, column in _differences(before, after, match).items()}
    codes = np.full(len(every), 1, np.int32)
    codes[: len(after)] = np.where(match == _NEW, 2, 1)
    codes[:there] = np.where(match[:there] == _NEW, 0, -1)
    change = Column(codes, None, CHANGES)
    flows = every.with_columns({"change": change, **_rates(grown, interval_ns, len(every))})
    return Interval(flows, replace(flows.with_columns(grown), kind=DELTAS))


def _rates(grown: Mapping[str, Column], interval_ns: int, rows: int) -> dict[str, Column]:
    a_second = 1e9 / interval_ns if interval_ns > 0 else np.nan
    missing = Column(np.zeros(rows, np.int64), np.zeros(rows, np.bool_))
    found = {}
    for name, counter, times, decimals in RATES:
        growth = grown.get(counter, missing)
        values = np.where(growth.mask(), growth.values * (a_second * times), np.nan)
        found[name] = float_column(values, decimals) if decimals else int_column(values)
    return found


def _padded(column: Column, rows: int) -> Column:
    more = rows - len(column)
    return Column(
        np.append(column.values, np.zeros(more, np.int64)), np.append(column.mask(), np.zeros(more, np.bool_))
    )


def _differences(before: Table, after: Table, match: Ints) -> dict[str, Column]:
    """What each counter of ``after`` grew by, for its rows."""
    found = {}
    same_socket = match != _ALIKE
    for name in (name for name in after.columns if BY_NAME[name].kind == "counter"):
        later = after.columns[name]
        start, known = _start(before.columns.get(name), match)
        growth, known = later.values - start, known & later.mask()
        if name in _BITS:
            growth &= (1 << _BITS[name]) - 1
            known &= growth < 1 << (_BITS[name] - 1)  # more is a step back
        else:
            same_socket &= ~known | (growth >= 0)
        found[name] = (growth, known)
    return {name: Column(growth, known & same_socket) for name, (growth, known) in found.items()}


def _start(earlier: Column | None, match: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The counter at the start of the interval: zero, and known, where the flow is new."""
    rows = np.maximum(match, _NEW)
    if earlier is None:
        return np.zeros(len(match), np.int64), match == _NEW
    return np.append(earlier.values, 0)[rows], np.append(earlier.mask(), True)[rows]


def _match(before: Table, after: Table) -> tuple[Ints, NDArray[np.bool_]]:
    """For every row of ``after`` its row in ``before`` (or _NEW, _ALIKE); which of ``before`` are gone."""
    earlier, later = _keys(before), _keys(after)
    order, needles = np.argsort(earlier), np.argsort(later)  # sorted needles are found in a third of the time
    match = np.empty(len(later), np.int64)
    match[needles] = np.append(order, _NEW)[np.searchsorted(earlier[order], later[needles])]
    match[np.append(earlier, 0)[match] != later] = _NEW
    gone = np.ones(len(before), np.bool_)
    gone[match[match >= 0]] = False
    alike = np.union1d(_repeated(earlier), _repeated(later))
    if len(alike):
        match[np.isin(later, alike) & (match >= 0)] = _ALIKE
        gone &= ~np.isin(earlier, later)
    return match, gone


def _keys(table: Table) -> Ints:
    """What tells flows apart, as 64 well mixed bits: two of 100,000 flows agree once in 10**9 readings."""
    cookies, known = _parts(table, "cookie")[0], _cookie_known(table)
    keys = mixed(mixed(_parts(table, "netns_inode")[0]) ^ cookies)
    if not known.all():
        others = table.take(~known)
        bits = np.zeros(len(others), np.uint64)
        for part in (part for name in _TUPLE for part in _parts(others, name)):
            bits = mixed(bits ^ part)
        keys[~known] = bits
    return keys.view(np.int64)


def _cookie_known(table: Table) -> NDArray[np.bool_]:
    column = table.columns.get("cookie")
    return np.zeros(len(table), np.bool_) if column is None else column.mask() & (column.values != 0)


def _parts(table: Table, name: str) -> list[Bits]:
    """A column as 64-bit words: one, or the two halves of an address; zero where unknown."""
    column = table.columns.get(name)
    if column is None:
        return [np.zeros(len(table), np.uint64)]
    values: NDArray[Any] = column.values
    if column.words is not None:
        words = [int.from_bytes(word.encode()[:8], "big") for word in column.words]
        return [np.array([*words, 0], np.uint64)[values]]
    halves = values.T if values.ndim == 2 else [values]
    return [np.where(column.mask(), half, 0).astype(np.int64).view(np.uint64) for half in halves]


def _repeated(keys: Ints) -> Ints:
    ordered = np.sort(keys)
    again: Ints = ordered[1:][ordered[1:] == ordered[:-1]]
    return again
