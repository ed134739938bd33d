# SPDX-License-Identifier: Apache-2.0
"""Records whole, for what is shown: every field by its element's name, data and option records alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.values import Templates, gathered, value
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.templates import Field, Scope, Template


class Message(NamedTuple):
    """A record: ``datagram`` is its row in the batch (None: it had waited since an earlier one).

    ``template`` is 0 in versions without.  ``fields`` are in the template's order: int, float, bool,
    text (addresses too), bytes for octets, times in nanoseconds UTC, dicts for lists, and a Python
    list where an element stands in a record more than once.  None of them is padding.
    """

    datagram: int | None
    scope: Scope
    template: int
    options: bool
    fields: dict[str, Any]


def messages(batch: Batch, state: State) -> list[Message]:
    """Every record of a batch in order of arrival; ``state`` knows the templates of lists in records."""
    found: list[tuple[int, int, Message]] = []
    for group in batch.groups:
        found += _of(batch, group, state)
    return [message for *_, message in sorted(found, key=lambda one: one[:2])]


def _of(batch: Batch, group: Group, state: State) -> Iterator[tuple[int, int, Message]]:
    """The place of each record of a group, and what it says."""
    since, names = batch.since, [field.element.name for field in group.layout.fields]
    scopes = since.scope[group.sets].tolist()
    columns = [_values(group, place, field, state, since.scopes, scopes) for place, field in _fields(group)]
    rows = zip(*columns, strict=True) if columns else iter(())
    datagrams = since.datagram[group.sets].tolist()
    numbers = since.sets.number[group.sets].tolist()
    own = zip(group.sets.tolist(), group.place.tolist(), datagrams, scopes, numbers, rows, strict=True)
    for set_, place, datagram, scope, number, values in own:
        known = datagram if datagram >= 0 else None
        fields = gathered(names, list(values))
        yield set_, place, Message(known, since.scopes[scope], number, group.options, fields)


def _fields(group: Group) -> list[tuple[int, Field]]:
    return list(enumerate(group.layout.fields))


def _values(group: Group, place: int, field: Field, state: State, scopes: list[Scope], scope: list[int]) -> list[Any]:
    if field.element.type[0] == "u" and group.records is not None and field.size in (1, 2, 4, 8):
        numbers = group.numbers(place)[0]
        return list((numbers.view(np.uint64) if field.size == 8 else numbers).tolist())
    finders: list[Templates] = [partial(_template, state, one) for one in scopes]
    strings = group.spans(place).strings()
    return [value(octets, field.element, finders[row]) for octets, row in zip(strings, scope, strict=True)]


def _template(state: State, scope: Scope, number: int) -> Template | None:
    return state.template(scope, number)
