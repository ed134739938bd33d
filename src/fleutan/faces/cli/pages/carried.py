# SPDX-License-Identifier: Apache-2.0
"""A bar for what each CPU carried, and one for the time that this cost it.

Whose packets they are is drawn in ``cpus``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.faces.cli.layout import Strip, wrapped
from fleutan.faces.cli.pages import Look, beside_bars, strips, tabular
from fleutan.faces.cli.pages.abreast import FEW_CPUS, host_of
from fleutan.faces.cli.pages.steering import ranges
from fleutan.faces.cli.pages.volume import TX_RX
from fleutan.table import Table
from fleutan.views import View, cpus

#: Time in interrupts and softirqs, and all else; where packets were dropped the first is red.
_SERVING = ("magenta", "dim")
_DROPPING = ("red", "dim")
#: How narrow the list of queues may be cut.
_FLOORS = {"serves": 20}
_PRODUCTS = ("rx_bdp", "tx_bdp")


def carried(found: Table, look: Look) -> Iterator[str]:
    """A bar for the bytes of each CPU, sent before received."""
    sides = [np.nan_to_num(numbers(found, name)) for name in ("tx_bytes", "rx_bytes")]
    sums = sides[0] + sides[1]
    kept = (sums > 0) | (len(found) <= FEW_CPUS)
    most = max(float(sums.max(initial=0)), 1.0)
    parts = [(one / most, other / most) for one, other in zip(*(side[kept].tolist() for side in sides), strict=True)]
    columns = _known(found.take(kept), cpus.CARRIED, look)
    yield from _stacks(columns, ("TX", "RX"), parts, [TX_RX] * len(parts), look)
    if not kept.all():
        idle = ranges(cpu for cpu in found.take(~kept).columns["cpu"].objects() if cpu is not None)
        yield from map(look.aside, wrapped(f"nothing on CPUs {idle}".split(), look.screen.width, " "))
    yield look.screen.rule()


def served(found: Table, look: Look) -> Iterator[str]:
    """A bar for the time of each CPU: in interrupts and softirqs, then of all else; red where it dropped packets."""
    found = found.take(found.columns["cpu"].mask())
    soft, hard, busy, idle = (
        np.nan_to_num(numbers(found, name)) for name in ("cpu_softirq", "cpu_irq", "cpu_busy", "cpu_idle")
    )
    whole = np.maximum(busy + idle, 1)
    network = soft + hard
    parts = list(zip((network / whole).tolist(), (np.maximum(busy - network, 0) / whole).tolist(), strict=True))
    dropped = np.nan_to_num(numbers(found, "softnet_dropped")) > 0
    columns = _known(found, cpus.SERVED, look)
    if busy.any():
        colours = [_DROPPING if drops else _SERVING for drops in dropped.tolist()]
        yield from _stacks(columns, ("SOFTIRQ", "BUSY"), parts, colours, look)
    else:
        yield from tabular(columns, look)
    yield look.screen.rule()


def _stacks(
    columns: Sequence[Strip],
    titles: tuple[str, str],
    parts: Sequence[tuple[float, float]],
    colours: Sequence[tuple[str, str]],
    look: Look,
) -> Iterator[str]:
    marks = "█▒" if look.screen.blocks else "#="
    bars = beside_bars(columns, " ".join(map("".join, zip(marks, titles, strict=True))), look)
    if look.heading:
        yield bars.heading
    for pair, painted, line in zip(parts, colours, bars.beside, strict=True):
        yield f"{look.screen.stack(pair, bars.room, painted)} {line}"


def _known(found: Table, names: Sequence[str], look: Look) -> list[Strip]:
    """The columns in which anything is known; of the node where there are several."""
    view = View("", (), (), (), cpus.LOAD_SPARE, ())
    shown = [name for name in names if _tells(found, name)]
    made = strips(found, shown, look, view)
    return [strip._replace(luxury=False, floor=_FLOORS.get(name)) for name, strip in zip(shown, made, strict=True)]


def _tells(found: Table, name: str) -> bool:
    if name == "numa_node":
        return host_of(found).several
    if name in _PRODUCTS:  # a flow of which none is known adds nothing to the sum
        return bool(np.nan_to_num(numbers(found, name)).any())
    return name == "cpu" or (name in found and bool(found.columns[name].mask().any()))
