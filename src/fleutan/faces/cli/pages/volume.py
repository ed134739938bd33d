# SPDX-License-Identifier: Apache-2.0
"""Bars for what window and path would carry, and for what the flows did carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import numbers
from fleutan.analysis.traffic import is_counted
from fleutan.faces.cli import figures
from fleutan.faces.cli.pages import Look, beside_bars, flow_count, folded, strips, summary
from fleutan.table import Table
from fleutan.views import View, volume

TX_RX = ("green", "blue")
_BDP_WINDOW = ("yellow", "dim")

Floats = NDArray[np.float64]


class Part(NamedTuple):
    """One section: its title, the flows it shows in their order, its columns, the two parts of each bar."""

    title: str
    rows: Table
    names: Sequence[str]
    parts: tuple[Floats, Floats]
    colours: tuple[str, str]


def page(table: Table, products: Table, volumes: Table, view: View, look: Look, interval: bool) -> Iterator[str]:
    """Bandwidth-delay products, then bytes and segments: the rows to show, each in its order, of ``table``."""
    if not len(table):
        yield "no flow"
        return
    names = view.shown(interval)
    pair = volume.COUNTED[0] if is_counted(table) else names[:2]
    yield from summary(_totals(table, pair), look)
    window, product = numbers(products, "cwnd_bytes"), numbers(products, "bdp")
    rest = np.clip(window - np.nan_to_num(product), 0, None)
    marks = "█▒" if look.screen.blocks else "#="
    title = f"{marks[0]}TX {marks[1]}RX"
    yield from _section(
        Part(f"{marks[0]}BDP {marks[1]}WINDOW", products, volume.PRODUCTS, (product, rest), _BDP_WINDOW),
        len(table),
        view,
        look,
    )
    for shown in _sections(table, names):
        sides = numbers(volumes, shown[0]), numbers(volumes, shown[1])
        yield from _section(Part(title, volumes, shown, sides, TX_RX), len(table), view, look)


def _sections(table: Table, names: Sequence[str]) -> list[Sequence[str]]:
    """The columns of each section below the products."""
    if not is_counted(table):
        return [names]
    return [(*fields_, "local", "remote", "proc") for fields_ in volume.COUNTED]


def _totals(table: Table, pair: Sequence[str]) -> Iterator[str]:
    yield flow_count(len(table))
    for verb, name in zip(("sent", "received"), pair, strict=True):
        total = float(np.nansum(numbers(table, name)))
        yield f"{verb} {figures.rate(total) if name.endswith('rate') else figures.size(total)}"


def _section(part: Part, count: int, view: View, look: Look) -> Iterator[str]:
    view = view._replace(spare=(*volume.COUNTED_SPARE, *view.spare))
    bars = beside_bars(strips(part.rows, part.names, look, view), part.title, look)
    if look.heading:
        yield bars.heading
    first, second = (np.nan_to_num(values) for values in part.parts)
    most = max(float((first + second).max(initial=0)), 1.0)
    for one, other, line in zip((first / most).tolist(), (second / most).tolist(), bars.beside, strict=True):
        yield f"{look.screen.stack((one, other), bars.room, part.colours)} {line}"
    if len(part.rows) < count:
        yield folded(count - len(part.rows), "", look)
    yield look.screen.rule()
