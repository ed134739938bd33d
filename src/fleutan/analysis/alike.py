# SPDX-License-Identifier: Apache-2.0
"""Which rows are alike in several columns: found by one hash a row, then compared exactly.

Sorting one number a row takes a tenth of the time of sorting rows.  The groups come in no order
that means anything; those in the order of their values are made in ``totals``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Hash = Callable[[Sequence[Ints]], Bits]

_LEAST = np.iinfo(np.int64).min


def mixed(values: Bits) -> Bits:
    """Every bit of the input moves about half of the output's (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def hashed(keys: Sequence[Ints]) -> Bits:
    """A number for every row, the same where all keys, ``(n,)`` int64 each, are."""
    found = mixed(keys[0].view(np.uint64))
    for key in keys[1:]:
        found = mixed(found ^ key.view(np.uint64))
    return found


def groups(keys: Sequence[Ints], hash_of: Hash = hashed) -> tuple[Ints, Ints]:
    """The group of every row, ``(n,)``, and one row of every group; there is one key at least.

    Exact whatever the hash: where two unlike rows have the same, all keys are sorted instead.
    """
    rows = len(keys[0])
    keys = [key for key in keys if rows and key.min() != key.max()]  # many say the same in every row
    if not keys:
        return np.zeros(rows, np.int64), np.arange(min(rows, 1))
    numbers = hash_of(keys)
    order = np.argsort(numbers)
    ordered = numbers[order]
    fresh = _changes([ordered])
    if not np.array_equal(fresh, _changes([key[order] for key in keys])):  # two unlike rows have the same number
        order = np.lexsort(keys)
        fresh = _changes([key[order] for key in keys])
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(fresh) - 1
    return group, order[fresh]


def _changes(ordered: Sequence[NDArray[np.int64] | Bits]) -> NDArray[np.bool_]:
    """Which rows differ from the one before; the first does."""
    fresh = np.zeros(len(ordered[0]), np.bool_)
    fresh[:1] = True
    for key in ordered:
        fresh[1:] |= key[1:] != key[:-1]
    return fresh


def shared(keys: Sequence[Ints], others: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The groups of two sets of rows, numbered alike: those of ``keys``, and those of ``others``."""
    found, _ = groups([np.concatenate(both) for both in zip(keys, others, strict=True)])
    return found[: len(keys[0])], found[len(keys[0]) :]


def among(keys: Sequence[Ints], others: Sequence[Ints]) -> NDArray[np.bool_]:
    """Which rows are like one of the other rows."""
    ours, theirs = shared(keys, others)
    found = np.zeros(max(ours.max(initial=-1), theirs.max(initial=-1)) + 1, np.bool_)
    found[theirs] = True
    return found[ours]


def paired(
    columns: Mapping[str, Column], others: Mapping[str, Column], names: Sequence[str]
) -> tuple[list[Ints], list[Ints]]:
    """The same columns of two tables as keys: a word has one number in both, unknown is a value of its own."""
    ours: list[Ints] = []
    theirs: list[Ints] = []
    for name in names:
        codes: dict[str, int] = {}
        ours += parts(columns[name], codes)
        theirs += parts(others[name], codes)
    return ours, theirs


def parts(column: Column, codes: dict[str, int] | None = None) -> list[Ints]:
    """A column as keys: one, or the two halves of an address; ``codes`` are the numbers of words so far."""
    if column.words is not None:
        known = {} if codes is None else codes
        numbers = [known.setdefault(word, len(known)) for word in column.words]
        return [np.array([*numbers, -1], np.int64)[column.values]]
    if column.values.ndim == 2:
        return [np.ascontiguousarray(half) for half in column.values.T]
    values = column.values.astype(np.int64)
    return [values if column.known is None else np.where(column.known, values, _LEAST)]
