# SPDX-License-Identifier: Apache-2.0
"""Counter samples as columns: a table of the samples, and one of each structure in them.

What lives here joins structures to samples and marks what an agent does not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from fleutan.protocols.sflow.columns.chains import Chains
from fleutan.protocols.sflow.columns.numbers import rows_by_number
from fleutan.protocols.sflow.columns.problems import Problems, names_of
from fleutan.protocols.sflow.columns.samples import samples_of
from fleutan.protocols.sflow.columns.structures import Strings, Structures, read
from fleutan.protocols.sflow.columns.walk import Walk
from fleutan.protocols.sflow.columns.words import Words
from fleutan.protocols.sflow.layouts import COUNTER_FORMS, COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import FLOAT, I32, U32, U64, Field, Layout, octets
from fleutan.protocols.spans import Ints
from fleutan.records import Known, Records, concatenate

#: What an agent sends for a counter that it does not have: all ones, -1 of a load.
UNKNOWN = {U32: 0xFFFF_FFFF, U64: -1, I32: -1, FLOAT: -1.0}


class Structure(NamedTuple):
    """All structures of one number.

    ``records`` has a row each: ``sample`` (its row in ``Counters.samples``), ``datagram``,
    ``ds_class``, ``ds_index``, and the structure's fields by their names.  ``strings`` are its
    strings and arrays.
    """

    layout: Layout
    records: Records
    strings: dict[str, Strings]


class Counters(NamedTuple):
    """Counter samples.

    ``samples`` has a row a sample: ``datagram`` (its row in the batch), ``sub_agent_id``,
    ``sequence_number``, ``ds_class``, ``ds_index``.  ``structures`` are by number, those that
    occur.  ``skipped`` counts structures that have no layout, by number.
    """

    samples: Records
    structures: dict[int, Structure]
    skipped: Counter[str]
    problems: Problems


def counters(walk: Walk, wanted: Collection[int] | None = None) -> Counters:
    """The counter samples of both forms; of their structures those with these numbers, None for all that are known.

    sFlow Version 5, section 5 (``counters_sample``, ``counters_sample_expanded``).
    """
    problems = Problems()
    samples = samples_of(walk, (COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED), problems)
    table = Records(samples.rows, samples.values, {})
    by_number = rows_by_number(samples.tags, COUNTER_FORMS)
    structures = {
        tag: _structure(walk.words, table, samples.structures.take(rows), COUNTER_FORMS[tag], problems)
        for tag, rows in by_number.rows.items()
        if wanted is None or tag in wanted
    }
    return Counters(table, structures, names_of(by_number.unknown), problems)


def _structure(
    words: Words, samples: Records, places: Chains, forms: tuple[Layout, ...], problems: Problems
) -> Structure:
    places = places.take(np.argsort(places.owner, kind="stable"))
    form_of = _form_of(places.ends - 4 * places.at, forms)
    parts: list[Records] = []
    strings: dict[str, Strings] = {}
    order = [rows for form in range(len(forms)) if len(rows := np.flatnonzero(form_of == form))]
    for rows in order:
        layout = forms[form_of[rows[0]]]
        found = read(words, places.at[rows], places.ends[rows], layout, problems)
        owner = places.owner[rows]
        of_sample = {name: samples.values[name][owner] for name in ("datagram", "ds_class", "ds_index")}
        known = found.known | _known(layout.fields, found)
        parts.append(Records(len(rows), {"sample": owner} | of_sample | found.values, known))
        strings |= {name: Strings(rows[some.rows], some.spans) for name, some in found.strings.items()}
    return Structure(forms[0], _in_order(concatenate(parts), order), strings)


def _form_of(sizes: Ints, forms: tuple[Layout, ...]) -> Ints:
    """Which form a structure of so many octets has: the longest that fits into it, or else the first."""
    form_of = np.zeros(len(sizes), np.int64)
    for form, layout in reversed(list(enumerate(forms))):
        size = octets(layout.fields)
        form_of[sizes >= (size or 0)] = form
    return form_of


def _known(fields: tuple[Field, ...], found: Structures) -> dict[str, Known]:
    """Where an agent knows what it sends."""
    known: dict[str, Known] = {}
    for field in fields:
        if field.type in UNKNOWN and not (has := found.values[field.name] != UNKNOWN[field.type]).all():
            known[field.name] = has & found.known.get(field.name, has)
    return known


def _in_order(records: Records, order: list[Ints]) -> Records:
    """The rows as they were before they were taken apart by form."""
    if len(order) == 1:
        return records
    rows = np.argsort(np.concatenate(order))
    values = {name: column[rows] for name, column in records.values.items()}
    return Records(records.rows, values, {name: column[rows] for name, column in records.known.items()})
