# SPDX-License-Identifier: Apache-2.0
"""sFlow's datagrams of versions 2 and 4 without addresses, a sample of each datagram at a time.

What lives here finds structures that have no lengths: behind one that is not known nothing stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from fleutan.protocols.anonymous import structures
from fleutan.protocols.anonymous.canvas import Canvas
from fleutan.protocols.anonymous.sflow import hide_agents
from fleutan.protocols.sflow.columns.walk import BEFORE_SUB_AGENT
from fleutan.protocols.sflow.columns.words import Words, words_of
from fleutan.protocols.sflow.earlier import (
    COUNTERS,
    COUNTERS_SAMPLE,
    EXTENDED,
    EXTENDED_2,
    FLOW_SAMPLE,
    PACKETS,
)
from fleutan.protocols.sflow.layouts import interfaces
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.spans import Ints, Mask, Spans

_FLOW, _COUNTERS = 1, 2
_COUNTER_LAYOUTS = {layout.tag: layout for layout in interfaces.LAYOUTS}
_AFTER_ADDRESS = 3  # words: sequence number, uptime, count of samples


class Front(NamedTuple):
    """Datagrams that go on: at which word, up to which octet."""

    at: Ints
    ends: Ints

    def take(self, some: Mask | Ints) -> Front:
        """These of them."""
        return Front(self.at[some], self.ends[some])


#: Paints a sample of each, and gives those that are whole and where they go on.
Read = Callable[[Canvas, Words, Front], tuple[Ints, Front]]


def hide(canvas: Canvas, spans: Spans, version: int) -> None:
    """Paints these of the canvas's datagrams, which are recognised as sFlow's of version 2 or 4."""
    words = words_of(spans)
    hide_agents(canvas, words, words.starts)
    behind = words.starts + BEFORE_SUB_AGENT[words.at(words.starts + 1)] + _AFTER_ADDRESS
    front, count = Front(behind, words.ends), words.at(behind - 1)
    canvas.keep(4 * (front.at - _AFTER_ADDRESS), 4 * _AFTER_ADDRESS - 4)
    canvas.keep_counts(4 * front.at - 4)
    _hide_samples(canvas, words, front, count, EXTENDED if version > 2 else EXTENDED_2)


def _hide_samples(canvas: Canvas, words: Words, front: Front, count: Ints, extended: Mapping[int, Layout]) -> None:
    """So many samples of each; each takes some octets, so that the steps end with the longest datagram."""
    kinds: dict[int, Read] = {_FLOW: partial(_flow, extended=extended), _COUNTERS: _counters}
    step = 0
    while len((front := front.take(goes := (count > step) & (front.ends - 4 * front.at >= 4))).at):
        count = count[goes]
        step += 1
        tag = words.at(front.at)
        parts, left = [front.take(tag < 0)], [count[tag < 0]]
        for number, read in kinds.items():
            if not len(mine := np.flatnonzero(tag == number)):
                continue
            canvas.keep(4 * front.at[mine], 4)
            some = front.take(mine)
            rows, some = read(canvas, words, some._replace(at=some.at + 1))
            parts.append(some)
            left.append(count[mine][rows])
        canvas.removed["sFlow sample that is not known"] += int(np.count_nonzero(~np.isin(tag, list(kinds))))
        front, count = Front(*map(np.concatenate, zip(*parts, strict=True))), np.concatenate(left)


def _flow(canvas: Canvas, words: Words, front: Front, extended: Mapping[int, Layout]) -> tuple[Ints, Front]:
    """A flow sample of each, and which of them are whole."""
    rows, front = _structure(canvas, words, front, FLOW_SAMPLE)
    more, front = _chosen(canvas, words, front, PACKETS, words.at(front.at - 1))
    rows, front = _with_room(rows[more], front)
    canvas.keep_counts(4 * front.at)
    count, front = words.at(front.at), front._replace(at=front.at + 1)
    done_rows, done, step = [rows[count == 0]], [front.take(count == 0)], 0
    rows, front, count = rows[count > 0], front.take(count > 0), count[count > 0]
    while len(front.at):
        step += 1
        some, front = _with_room(np.arange(len(rows)), front)
        canvas.keep_counts(4 * front.at)
        more, front = _chosen(canvas, words, front._replace(at=front.at + 1), extended, words.at(front.at))
        rows, count = rows[some][more], count[some][more]
        ended = count == step
        done_rows.append(rows[ended])
        done.append(front.take(ended))
        rows, front, count = rows[~ended], front.take(~ended), count[~ended]
    return np.concatenate(done_rows), Front(*map(np.concatenate, zip(*done, strict=True)))


def _counters(canvas: Canvas, words: Words, front: Front) -> tuple[Ints, Front]:
    """A counter sample of each, and which of them are whole."""
    rows, front = _structure(canvas, words, front, COUNTERS_SAMPLE)
    version = words.at(front.at - 1)
    found_rows, found = [rows[:0]], [front.take(version < 0)]
    for number, tags in COUNTERS.items():
        if not len(mine := np.flatnonzero(version == number)):
            continue
        some_rows, some = rows[mine], front.take(mine)
        for tag in tags:
            kept, some = _structure(canvas, words, some, _COUNTER_LAYOUTS[tag])
            some_rows = some_rows[kept]
        found_rows.append(some_rows)
        found.append(some)
    return np.concatenate(found_rows), Front(*map(np.concatenate, zip(*found, strict=True)))


def _structure(canvas: Canvas, words: Words, front: Front, layout: Layout) -> tuple[Ints, Front]:
    places = structures.hide(canvas, words, front.at, front.ends, layout.fields)
    return places.rows, Front(places.at, places.ends)


def _chosen(
    canvas: Canvas, words: Words, front: Front, layouts: Mapping[int, Layout], number: Ints
) -> tuple[Ints, Front]:
    """The structure of each that its number names; nothing goes on behind one that is not known."""
    found_rows, found = [np.zeros(0, np.int64)], [front.take(number < 0)]
    for tag, layout in layouts.items():
        if not len(mine := np.flatnonzero(number == tag)):
            continue
        rows, some = _structure(canvas, words, front.take(mine), layout)
        found_rows.append(mine[rows])
        found.append(some)
    known = sum(map(len, found_rows))
    canvas.removed["sFlow structure that is not known"] += len(number) - known
    return np.concatenate(found_rows), Front(*map(np.concatenate, zip(*found, strict=True)))


def _with_room(rows: Ints, front: Front) -> tuple[Ints, Front]:
    """Those with one more word."""
    room = front.ends - 4 * front.at >= 4
    return rows[room], front.take(room)
