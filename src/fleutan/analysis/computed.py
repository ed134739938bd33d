# SPDX-License-Identifier: Apache-2.0
"""The fields that are computed row by row: which step gives which, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fleutan.analysis import limits, volume
from fleutan.column import Column
from fleutan.table import Table


class Step(NamedTuple):
    """Computed fields: what a step gives, the fields it needs, and how it makes some of them."""

    gives: tuple[str, ...]
    needs: tuple[str, ...]
    columns: Callable[[Table, Mapping[str, float], frozenset[str]], Mapping[str, Column]]


def _volume(table: Table, _: Mapping[str, float], fields: frozenset[str]) -> dict[str, Column]:
    return {name: column for name, column in volume.columns(table).items() if name in fields}


#: Every step; the table is that of the interval where there is one, with thresholds for limits.
STEPS = (
    Step(volume.GIVES, volume.NEEDS, _volume),
    Step(limits.GIVES, limits.NEEDS, limits.verdicts),
)
