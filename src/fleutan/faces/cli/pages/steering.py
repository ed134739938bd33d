# SPDX-License-Identifier: Apache-2.0
"""How queues and CPUs are bound to each other: interrupts, RPS, RFS and XPS, as they are set.

What the queues carried is drawn in ``queues``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.queues import QUEUE, keys_of, placed
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip, wrapped
from fleutan.faces.cli.pages import Look, tabular
from fleutan.table import Table

_OFF = "off"


class Setting(NamedTuple):
    """What can be set of the queues of some directions: its heading and the fields that tell, the first known."""

    title: str
    directions: tuple[str, ...]
    names: tuple[str, ...]


SETTINGS = (
    Setting("IRQ CPUS", ("rx", "tx"), ("irq_effective_cpus", "irq_cpus")),
    Setting("RPS CPUS", ("rx",), ("rps_cpus",)),
    Setting("RFS FLOWS", ("rx",), ("rps_flow_cnt",)),
    Setting("XPS CPUS", ("tx",), ("xps_cpus",)),
)


def section(queues: Table | None, look: Look) -> Iterator[str]:
    """The settings of the queues of devices that carried anything; columns in which nothing is set are left out.

    Neighbouring queues that are set alike stand in one line.
    """
    rows = _carrying(queues) if queues else None
    if not rows:
        return
    columns = [Strip("DEV", [], floor=8, yields=True), Strip("QUEUES", [], floor=7)]
    columns += [Strip(setting.title, [], floor=12) for setting in SETTINGS]
    for (place, direction, *cells), alike in groupby(_rows(rows), lambda row: row[:-1]):
        values = (place, f"{direction} {ranges(row[-1] for row in alike)}", *cells)
        for column, cell in zip(columns, values, strict=True):
            column.cells.append(cell)
    told = [column for column in columns[2:] if set(column.cells) - {_OFF, figures.UNKNOWN, ""}]
    if told:
        yield from tabular([*columns[:2], *told], look)
    else:
        places = ", ".join(dict.fromkeys(columns[0].cells))
        line = f"neither interrupts, RPS, RFS nor XPS are set for the queues of {places}"
        yield from map(look.aside, wrapped(line.split(), look.screen.width, " "))
    yield look.screen.rule()


def _carrying(queues: Table) -> Table:
    """The queues of devices that carried anything, of all where it is not known; none that has no number."""
    devices = list(keys_of(queues, QUEUE[:2]))
    moved = np.nan_to_num(numbers(queues, "bytes"), nan=0.0 if "bytes" in queues else 1.0) > 0
    busy = {device for device, carried in zip(devices, moved.tolist(), strict=True) if carried}
    kept = np.array([device in busy for device in devices], np.bool_) & queues.columns["queue"].mask()
    settings = [queues.columns[name].mask() for one in SETTINGS for name in one.names if name in queues]
    if settings:  # of a device that is gone nothing is known
        kept &= np.any(settings, axis=0)
    return queues.take(kept)


def _rows(rows: Table) -> Iterator[tuple[Any, ...]]:
    """Of every queue the device, the direction, the settings, and its number."""
    known = {name: rows.columns[name].objects() for setting in SETTINGS for name in setting.names if name in rows}
    for row, (netns, dev, direction, queue) in enumerate(keys_of(rows, QUEUE)):
        place = figures.printable(placed(netns or figures.UNKNOWN, dev or figures.UNKNOWN))
        values = [
            [known[name][row] for name in setting.names if name in known] if direction in setting.directions else None
            for setting in SETTINGS
        ]
        yield (place, direction, *("" if found is None else _spelled(found) for found in values), queue)


def _spelled(values: Iterable[Any]) -> str:
    """The first that is known; nothing and 0 are off."""
    found = [value for value in values if value is not None]
    if not found:
        return figures.UNKNOWN
    return figures.printable(str(next((value for value in found if value), _OFF)))


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in order, as the kernel writes a list: ``0-3,8``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
