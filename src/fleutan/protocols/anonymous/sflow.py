# SPDX-License-Identifier: Apache-2.0
"""sFlow's datagrams of version 5 without addresses: the agent's, and those in every structure that is known.

What lives here finds heads, samples and structures; ``structures`` paints their fields.  Structures
and samples that nobody knows keep their number and their length, and nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fleutan.protocols.anonymous import structures
from fleutan.protocols.anonymous.canvas import Canvas
from fleutan.protocols.sflow.columns.chains import HEAD_OCTETS, Chains, follow
from fleutan.protocols.sflow.columns.numbers import rows_by_number
from fleutan.protocols.sflow.columns.structures import ADDRESS_OCTETS
from fleutan.protocols.sflow.columns.walk import BEFORE_SUB_AGENT, Walk, walk
from fleutan.protocols.sflow.columns.words import Words
from fleutan.protocols.sflow.layouts import (
    COUNTER_FORMS,
    COUNTERS_SAMPLE,
    COUNTERS_SAMPLE_EXPANDED,
    DISCARDED_PACKET,
    FLOW_FORMS,
    FLOW_SAMPLE,
    FLOW_SAMPLE_EXPANDED,
    SAMPLES,
)
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.spans import Ints, Spans

#: What stands in each kind of sample; in others, which are figures and names of applications, all goes.
STRUCTURES: Mapping[Layout, Mapping[int, tuple[Layout, ...]]] = {
    **dict.fromkeys((FLOW_SAMPLE, FLOW_SAMPLE_EXPANDED, DISCARDED_PACKET), FLOW_FORMS),
    **dict.fromkeys((COUNTERS_SAMPLE, COUNTERS_SAMPLE_EXPANDED), COUNTER_FORMS),
}
#: Whose numbers of structures stay: another's may be no number of a structure at all.
ENTERPRISES = np.unique(
    [0, *(layout.enterprise for forms in (FLOW_FORMS, COUNTER_FORMS) for (layout, *_) in forms.values())]
    + [layout.enterprise for layout in SAMPLES]
)
_AFTER_ADDRESS = 4  # words: sub-agent, sequence number, uptime, count of samples


def hide(canvas: Canvas, spans: Spans) -> None:
    """Paints these of the canvas's datagrams, which are sFlow's of version 5."""
    found = walk(spans)
    _hide_heads(canvas, found)
    _hide_tags(canvas, found.samples, found.tags)
    known = np.zeros(len(found.tags), np.bool_)
    for layout, forms in STRUCTURES.items():
        mine = found.tags == layout.tag
        known |= mine
        _hide_samples(canvas, found, np.flatnonzero(mine), layout, forms)
    canvas.removed["sFlow sample that is not known"] += int(np.count_nonzero(~known))


def _hide_heads(canvas: Canvas, found: Walk) -> None:
    words, readable = found.words, found.datagrams.known["sub_agent_id"]
    starts = words.starts[readable]
    hide_agents(canvas, words, starts)
    behind = starts + BEFORE_SUB_AGENT[words.at(starts + 1)]
    canvas.keep(4 * behind, 4 * _AFTER_ADDRESS - 4)
    canvas.keep_counts(4 * (behind + _AFTER_ADDRESS) - 4)


def hide_agents(canvas: Canvas, words: Words, starts: Ints) -> None:
    """Paints the version, and the address behind it and its kind, which is one."""
    canvas.keep(4 * starts, 8)
    kind = words.at(starts + 1)
    for one in (1, 2):
        canvas.replace(4 * starts[kind == one] + 8, int(ADDRESS_OCTETS[one]))


def _hide_tags(canvas: Canvas, entries: Chains, tags: Ints) -> None:
    """Numbers, as far as they can be those of structures, and lengths."""
    at = 4 * entries.at - HEAD_OCTETS
    canvas.keep(at[np.isin(tags >> 12, ENTERPRISES)], 4)
    canvas.keep_counts(at + 4)


def _hide_samples(
    canvas: Canvas, found: Walk, rows: Ints, layout: Layout, forms: Mapping[int, tuple[Layout, ...]]
) -> None:
    """Samples of a kind; those that end within their own fields have no structures."""
    words, at, ends = found.words, found.samples.at[rows], found.samples.ends[rows]
    places = structures.hide(canvas, words, at, ends, layout.fields[:-1])
    places = places.take(places.room >= 4)
    canvas.keep_counts(4 * places.at)
    entries = follow(words, places.at + 1, places.ends, words.at(places.at))
    tags = words.at(entries.at - HEAD_OCTETS // 4)
    _hide_tags(canvas, entries, tags)
    by_number = rows_by_number(tags, forms)
    canvas.removed["sFlow structure that is not known"] += len(by_number.unknown)
    for tag, those in by_number.rows.items():
        # Of several forms each begins like the first.
        fields = forms[tag][0].fields
        behind = structures.hide(canvas, words, entries.at[those], entries.ends[those], fields)
        canvas.removed["octets behind what is known"] += int(np.count_nonzero(behind.room > 0))
