# SPDX-License-Identifier: Apache-2.0
"""The rows of a Table in an order, and the first few of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column
from fleutan.errors import UsageError
from fleutan.fields import require
from fleutan.table import Table


def parse(text: str) -> str:
    """``rtt``, ``rtt:asc`` or ``rtt:desc`` as a sort key (``-rtt`` descends).

    Unless told, figures descend and names ascend.  Raises UsageError.
    """
    name, _, direction = text.partition(":")
    field = require(name)
    if direction not in ("", "asc", "desc"):
        raise UsageError(f"--sort {text}: after ':' comes asc or desc")
    down = direction == "desc" or (not direction and field.kind in ("gauge", "counter"))
    return ("-" if down else "") + field.name


def ordered(table: Table, by: Sequence[str], top: int = 0) -> Table:
    """The table sorted by ``by`` ('-' descends), unknown values last; ``top`` rows, 0 for all."""
    if not len(table):
        return table
    keys = [key for name in reversed(by) for key in _keys(table.column(name.lstrip("-")), name.startswith("-"))]
    rows = np.lexsort(keys) if keys else np.arange(len(table))
    return table.take(rows[:top] if top else rows)


def _keys(column: Column, descending: bool) -> list[NDArray[Any]]:
    """The keys of one column, the least significant first; the last one puts unknown values last."""
    unknown = ~column.mask()
    return [*(_reversed(key) if descending else key for key in _ranks(column)), unknown]


def _reversed(key: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the opposite order; of integers the complement, since the least one has no negative."""
    turned: NDArray[Any] = -key if key.dtype.kind == "f" else ~key
    return turned


def _ranks(column: Column) -> list[NDArray[Any]]:
    if column.words is not None:
        ranks = np.empty(len(column.words) + 1, np.int64)
        ranks[np.argsort(np.array([*column.words, None], dtype=object)[:-1], kind="stable")] = np.arange(
            len(column.words)
        )
        return [ranks[column.values]]
    if column.values.ndim == 2:  # the order of the addresses: halves compared as unsigned
        halves = column.values ^ np.int64(-(1 << 63))
        return [halves[:, 1], halves[:, 0]]
    return [column.values.astype(np.int64) if column.values.dtype == np.bool_ else column.values]
