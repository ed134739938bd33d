# SPDX-License-Identifier: Apache-2.0
"""Which template reads which set of a batch: the one that held when the set came.

RFC 7011 8 and 8.1: templates may change or be withdrawn between two datagrams of a batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.wire.arrived import Arrived
from fleutan.protocols.netflow.wire.fixed import LAYOUTS
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import TEMPLATE_SETS, alike
from fleutan.protocols.netflow.wire.templates import FIRST_NUMBER, Layout, Scope, Template, layout, read_set

Ints = NDArray[np.int64]

#: Of each template that a batch speaks of: at which sets it becomes what, None while there is none.
Changes = dict[tuple[Scope, int], list[tuple[int, Template | None]]]
#: What records are read by: a template, or the version of one that needs none.
Reader = Template | int


class Assigned(NamedTuple):
    """``reader`` ``(sets,)`` is the row in ``readers`` of what reads each set, -1 where nothing does."""

    reader: Ints
    readers: list[Reader]


def learn(since: Arrived, state: State, noted: Rejects) -> tuple[Changes, Ints]:
    """Takes all templates of a batch; what they change, and how many each set brought."""
    changes: Changes = {}
    brought = np.zeros(len(since.scope), np.int64)
    for row in np.flatnonzero((since.sets.number < FIRST_NUMBER) & _templated(since)).tolist():
        scope = since.scopes[since.scope[row]]
        head, kind, start, size = (int(column[row]) for column in since.sets)
        now_ns = int(since.heads.received_ns[head])
        options = kind == TEMPLATE_SETS[scope.version][1]
        for number, template in read_set(since.octets[start : start + size].tobytes(), scope.version, options):
            wrong = _take(state, changes, (scope, number), template, row, now_ns)
            if wrong:
                noted.add(wrong, since.datagram[row : row + 1])
            brought[row] += not wrong
    return changes, brought


def _templated(since: Arrived) -> NDArray[np.bool_]:
    return since.heads.version[since.sets.head] >= min(TEMPLATE_SETS)


def _take(
    state: State, changes: Changes, key: tuple[Scope, int], template: Template | str | None, row: int, now_ns: int
) -> str | None:
    """Takes one template; why not, if not."""
    if isinstance(template, str):
        return template
    scope, number = key
    if template is None:
        _withdraw(state, changes, scope, number, row)
        return None
    old = state.template(scope, number)
    wrong = state.learn(scope, number, template, now_ns)
    if not wrong:
        changes.setdefault(key, [(-1, old)]).append((row, template))
    return wrong


def _withdraw(state: State, changes: Changes, scope: Scope, number: int, row: int) -> None:
    for one in [number] if number else state.numbers(scope):
        old = state.withdraw(scope, one)
        changes.setdefault((scope, one), [(-1, old)]).append((row, None))


def assign(since: Arrived, changes: Changes, state: State) -> Assigned:
    """What reads each set of data."""
    reader = np.full(len(since.scope), -1, np.int64)
    rows_of: dict[Reader, int] = {}
    version = since.heads.version[since.sets.head]
    for one in LAYOUTS:
        reader[version == one] = rows_of.setdefault(one, len(rows_of))
    data = np.flatnonzero(since.sets.number >= FIRST_NUMBER)
    for mine, scope, number in alike(since.scope[data], since.sets.number[data]):
        key = (since.scopes[scope], number)
        if key in changes:
            _by_time(reader, data[mine], changes[key], rows_of)
        elif template := state.template(*key):
            reader[data[mine]] = rows_of.setdefault(template, len(rows_of))
    return Assigned(reader, list(rows_of))


def _by_time(reader: Ints, rows: Ints, line: list[tuple[int, Template | None]], rows_of: dict[Reader, int]) -> None:
    """Each set by the last change before it; before the first template, by that."""
    first = next((one for _, one in line if one), None)
    templates = [first if place == 0 and one is None else one for place, (_, one) in enumerate(line)]
    numbers = np.array([rows_of.setdefault(one, len(rows_of)) if one else -1 for one in templates])
    reader[rows] = numbers[np.searchsorted([at for at, _ in line], rows, side="right") - 1]


def shifted(changes: Changes, by: int) -> Changes:
    """The same changes, behind so many more sets."""
    return {key: [(at + by if at >= 0 else at, one) for at, one in line] for key, line in changes.items()}


def read_by(reader: Reader) -> tuple[Layout, bool]:
    """How the records lie that it reads, and whether they are options."""
    return (LAYOUTS[reader], False) if isinstance(reader, int) else (layout(reader), reader.options)
