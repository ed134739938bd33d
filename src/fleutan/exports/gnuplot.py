# SPDX-License-Identifier: Apache-2.0
"""Scripts for gnuplot (5.0 or later) that hold their data: figures over time as encapsulated PostScript.

The data stands once, in a named block, and all curves are drawn of it; no line begins with an
``e``, so that a script that repeats the data at each such line, as CoMo's inline plots needed,
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Picture(NamedTuple):
    """What is drawn: ``labels`` of the axes (one or two), and a piece of ``plot`` for each curve.

    A curve says which columns it uses; the block's name is put before it.
    """

    name: str
    title: str
    labels: Sequence[str]
    curves: Sequence[str]
    settings: Sequence[str] = ()


def head(picture: Picture) -> Iterator[str]:
    """The lines before those of data."""
    yield "set terminal postscript eps color"
    yield f'set title "{picture.title}"'
    yield "set xdata time"
    yield 'set timefmt "%s"'
    yield 'set format x "%H:%M:%S\\n%d %b"'
    yield 'set xlabel "Time (UTC)"'
    for axis, label in zip(("y", "y2"), picture.labels, strict=False):
        yield f'set {axis}label "{label}"'
        yield f"set {axis}range [0:*]"
    if len(picture.labels) > 1:
        yield "set ytics nomirror"
        yield "set y2tics"
    yield from picture.settings
    yield f"${picture.name} << END"


def foot(picture: Picture, drawn: bool) -> Iterator[str]:
    """The lines behind them; ``drawn`` says whether there is a point at all."""
    yield "END"
    if drawn:
        yield "plot " + ", ".join(f"${picture.name} {curve}" for curve in picture.curves)
        return
    # Without a point gnuplot finds no ranges and fails.
    yield "set xdata"
    yield "unset xtics"
    yield "set xrange [0:1]"
    yield "set yrange [0:1]"
    yield "set y2range [0:1]"
    yield 'set label "no data" at graph 0.5, graph 0.5 center'
    yield "plot -1 notitle"
