# SPDX-License-Identifier: Apache-2.0
"""The samples of chosen formats: their own fields, and where their structures lie.

What lives here reads what all samples of a kind have; ``packets`` and ``counters`` read their
structures.  Compact forms are read as the expanded ones that they abbreviate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleutan.protocols.sflow.columns.chains import HEAD, Chains, follow
from fleutan.protocols.sflow.columns.problems import Problems, add, add_by_name
from fleutan.protocols.sflow.columns.walk import Walk
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.spans import Ints
from fleutan.records import Values

#: Interfaces in the compact form: two bits of format, thirty of value.
FORMAT_BITS, VALUE_MASK = 30, 0x3FFF_FFFF
#: Data sources in the compact form: eight bits of class.
CLASS_BITS, INDEX_MASK = 24, 0xFF_FFFF


class Samples(NamedTuple):
    """Samples, in order: fields by name, with ``datagram`` (its row), and their structures with their numbers.

    ``structures`` are entries of the samples, ``tags`` their numbers; ``places`` says which of the
    walk's samples each is.
    """

    rows: int
    places: Ints
    values: dict[str, Values]
    structures: Chains
    tags: Ints


def samples_of(walk: Walk, layouts: tuple[Layout, ...], problems: Problems) -> Samples:
    """The samples of these formats and what is in them; those that end within their own fields are left out.

    Fields have the names of the expanded forms.  A structure longer than the rest of its sample
    ends with it.
    """
    values = _merged([_fields(walk, layout, problems) for layout in layouts])
    sample, begin, counts = values.pop("sample"), values.pop("begin"), values.pop("count")
    structures = follow(walk.words, begin, walk.samples.ends[sample], counts)
    tags = walk.words.at(structures.at - HEAD)
    missing = structures.found < counts
    trailing = structures.reached < walk.samples.ends[sample]
    for layout in layouts if (missing | trailing).any() else ():
        mine = walk.tags[sample] == layout.tag
        add(problems, Reason.MISSING, layout.name, mine & missing)
        add(problems, Reason.TRAILING, layout.name, mine & trailing)
    add_by_name(problems, Reason.OVERRUN, tags[structures.overrun])
    values["datagram"] = walk.samples.owner[sample]
    values["sub_agent_id"] = walk.datagrams.values["sub_agent_id"][values["datagram"]]
    return Samples(len(sample), sample, values, structures, tags)


def _fields(walk: Walk, layout: Layout, problems: Problems) -> dict[str, Values]:
    """The fields of the samples of a format, with their rows in ``walk`` and where their elements begin."""
    sample = np.flatnonzero(walk.tags == layout.tag)
    width = len(layout.fields)  # a word each, and one for the count of elements
    room = walk.samples.ends[sample] - 4 * walk.samples.at[sample]
    if cut := int(np.count_nonzero(room < 4 * width)):
        problems[Reason.CUT, layout.name] += cut
        sample = sample[room >= 4 * (width - 1)]
    at = walk.samples.at[sample]
    *fields, count = walk.words.blocks(at, width)
    if cut:
        count = np.where(4 * (at + width) <= walk.samples.ends[sample], count, 0)
    named = _expanded(dict(zip(layout.names[:-1], fields, strict=True)))
    return named | {"sample": sample, "begin": at + width, "count": count}


def _expanded(fields: dict[str, Values]) -> dict[str, Values]:
    """The fields of a compact form under the names of the expanded one."""
    if "source_id" in fields:
        source = fields.pop("source_id")
        fields |= {"ds_class": source >> CLASS_BITS, "ds_index": source & INDEX_MASK}
        for name in {"input", "output"} & fields.keys():
            value = fields.pop(name)
            fields |= {f"{name}_format": value >> FORMAT_BITS, f"{name}_value": value & VALUE_MASK}
    return fields


def _merged(parts: list[dict[str, Values]]) -> dict[str, Values]:
    """All samples in order; each part is."""
    some = [part for part in parts if len(part["sample"])] or parts[:1]
    if len(some) == 1:
        return some[0]
    order = np.argsort(np.concatenate([part["sample"] for part in some]), kind="stable")
    return {name: np.concatenate([part[name] for part in some])[order] for name in some[0]}
