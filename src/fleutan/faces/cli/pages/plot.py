# SPDX-License-Identifier: Apache-2.0
"""One or two measures over time, as signs with axes: what ``--plot`` draws.

A column of signs stands for a span of time: the mean of the rows in it, or the row that lasts
through it.  A column without a sign is a span of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import UsageError
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import cut, wrapped
from fleutan.faces.cli.pages import Look
from fleutan.faces.tui.charts import chart
from fleutan.fields import Field, require
from fleutan.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_MEASURES = 2
#: Lines of the chart of a measure, where there is one and where there are two.
_HEIGHTS = (12, 7)
#: The least that a chart is worth drawing in, and what a label of the axis has at most.
_NARROWEST, _LABEL = 8, 9
_DAY_NS = 86_400 * 10**9


class Series(NamedTuple):
    """A measure at the times ``at_ns``, one value each, NaN where it is unknown."""

    field: Field
    at_ns: Ints
    values: Floats


class _Span(NamedTuple):
    """The time that a picture shows, in so many columns; ``step_ns`` is how long a row lasts."""

    start_ns: int
    end_ns: int
    step_ns: int
    columns: int

    def edges(self) -> Ints:
        """Where the columns begin, and where the last one ends."""
        length = self.end_ns - self.start_ns
        return np.array([self.start_ns + length * place // self.columns for place in range(self.columns + 1)], np.int64)


def page(table: Table, measures: Sequence[str], look: Look, utc: bool = False) -> Iterator[str]:
    """The lines of the picture of these fields of the table, by its ``time``.

    Of rows of the same time counters are added up, and of others the mean is taken.  Raises UsageError
    where a measure is none, where there are more than two, or where the table has no times.
    """
    if not 1 <= len(measures) <= MOST_MEASURES:
        raise UsageError(f"a picture shows one or two measures, not {len(measures)}")
    found = [series(table, name) for name in measures]
    at_ns = found[0].at_ns
    if not len(at_ns):
        yield "nothing to draw"
        return
    width = max(look.screen.picture - _LABEL - 2, _NARROWEST)
    span = _span(at_ns, width)
    for each in found:
        yield from _chart(each, span, look, _HEIGHTS[len(found) - 1], utc)
    yield from _axis(span, look, utc)


def series(table: Table, name: str) -> Series:
    """The measure by time, in its order.  Raises UsageError where it is no number."""
    field, column, time = require(name), table.column(name), table.column("time")
    if field.type not in ("int", "float") or field.kind == "key":
        raise UsageError(f"{field.name} is no measure that could be drawn")
    timed = time.mask()
    times, place = np.unique(time.values[timed], return_inverse=True)
    known = column.mask()[timed]
    sums, counts = np.zeros(len(times)), np.zeros(len(times))
    np.add.at(sums, place[known], column.values[timed][known].astype(np.float64))
    np.add.at(counts, place[known], 1)
    divisor = np.ones(len(times)) if field.kind == "counter" else np.maximum(counts, 1)
    return Series(field, times, np.where(counts > 0, sums / divisor, np.nan))


def _span(at_ns: Ints, columns: int) -> _Span:
    """From the first row until the last one has lasted as long as rows mostly do."""
    step = int(np.median(np.diff(at_ns))) if len(at_ns) > 1 else 10**9
    return _Span(int(at_ns[0]), int(at_ns[-1]) + step, step, columns)


def in_columns(each: Series, span: _Span) -> Floats:
    """A value a column: the mean of the rows that begin in it, else the one that lasts through its middle."""
    edges = span.edges()
    found = np.full(span.columns, np.nan)
    middles = (edges[:-1] + edges[1:]) // 2
    before = np.searchsorted(each.at_ns, middles, "right") - 1
    lasts = (before >= 0) & (middles - each.at_ns[before] < span.step_ns * 1.5)
    found[lasts] = each.values[before[lasts]]
    known = np.isfinite(each.values)
    column = np.clip(np.searchsorted(edges, each.at_ns[known], "right") - 1, 0, span.columns - 1)
    counts = np.bincount(column, minlength=span.columns)
    sums = np.bincount(column, each.values[known], span.columns)
    found[counts > 0] = (sums / np.maximum(counts, 1))[counts > 0]
    return found


def _chart(each: Series, span: _Span, look: Look, height: int, utc: bool) -> Iterator[str]:
    write = figures.spelling(each.field)
    values = in_columns(each, span)
    if look.heading:
        yield from wrapped(_summary(each, span, write, utc), look.screen.width)
    most = float(values[np.isfinite(values)].max(initial=0))
    labels = {0: most, height // 2: most * (height - height // 2) / height} if most > 0 else {}
    bar, tick = ("│", "┤") if look.screen.blocks else ("|", "+")
    for line, signs in enumerate(chart(values.astype(np.float32), span.columns, height, look.screen.blocks)):
        label = cut(write(labels[line]), _LABEL, "", look.screen.ellipsis) if line in labels else ""
        yield f"{label:>{_LABEL}} {tick if line in labels else bar}{signs}".rstrip()


def _summary(each: Series, span: _Span, write: Callable[[Any], str], utc: bool) -> Iterator[str]:
    """The measure, how long its rows last, their mean, and when it was greatest."""
    yield each.field.name
    yield f"every {figures.time_us(span.step_ns / 1000)}"
    known = each.values[np.isfinite(each.values)]
    if not len(known):
        yield "not known"
        return
    peak = int(np.nanargmax(each.values))
    yield f"mean {write(float(known.mean()))}"
    yield f"greatest {write(float(each.values[peak]))} at {figures.clock(int(each.at_ns[peak]), utc)}"


def _axis(span: _Span, look: Look, utc: bool) -> Iterator[str]:
    """The base line with its ticks, and the times that they stand for."""
    corner, dash, tick = ("└", "─", "┬") if look.screen.blocks else ("+", "-", "+")
    texts = _times(span, utc)
    places = [round(place * (span.columns - 1) / max(len(texts) - 1, 1)) for place in range(len(texts))]
    base = [tick if place in places else dash for place in range(span.columns)]
    yield " " * (_LABEL + 1) + corner + "".join(base)
    line = ""
    for place, text in zip(places, texts, strict=True):
        # A time stands under its tick, but never beyond the end of the line.
        at = min(_LABEL + 2 + place - len(text) // 2, _LABEL + 2 + span.columns - len(text))
        line = line.ljust(at) + text
    yield line


def _times(span: _Span, utc: bool) -> list[str]:
    """Times of day, with their dates where the picture shows more than a day; fewer where there is little room."""
    long = span.end_ns - span.start_ns >= _DAY_NS
    wide = 14 if long else 10
    many = min(span.columns // (2 * wide), 5)
    moments = (span.start_ns + (span.end_ns - span.start_ns) * place // max(many, 1) for place in range(many + 1))
    return [figures.clock(at_ns, utc)[5:16] if long else figures.clock(at_ns, utc)[11:19] for at_ns in moments]
