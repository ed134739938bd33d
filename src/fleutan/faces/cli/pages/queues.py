# SPDX-License-Identifier: Apache-2.0
"""Bars for what each queue of each device carried, and below them for the flows in each queue.

What feeds the queues is drawn in ``qdiscs``, what is worth doing about them in ``advice``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import is_word, numbers
from fleutan.analysis.queues import COUNTERS, QUEUE, keys_of, placed, sentences
from fleutan.analysis.totals import places
from fleutan.analysis.traffic import is_counted
from fleutan.column import Column
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip, wrapped
from fleutan.faces.cli.pages import UNFOLDED, Look, beside_bars, flow_count, folded, strips, summary, tabular
from fleutan.faces.cli.pages import advice as worth
from fleutan.faces.cli.pages import qdiscs as disciplines
from fleutan.faces.cli.pages.qdiscs import figured, left_out
from fleutan.table import Table
from fleutan.views import ENDS, queues

COLOURS = {"tx": "green", "rx": "blue"}
_DROPPING = "red"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Device(NamedTuple):
    """A device with its queues and disciplines; NaN where what it carried or dropped is not known."""

    key: tuple[str | None, str | None]
    queues: Table
    qdiscs: Table
    sent: float
    received: float
    dropped: float

    @property
    def name(self) -> str:
        """The device, and where it is when that is not the host."""
        return _named(*self.key)

    @property
    def carried(self) -> float:
        """What is known of both directions; NaN where nothing is."""
        known = [amount for amount in (self.sent, self.received) if not np.isnan(amount)]
        return sum(known) if known else np.nan

    @property
    def busy(self) -> bool:
        """Whether anything came to it."""
        return self.carried > 0 or self.dropped > 0


def page(table: Table, look: Look, most: int | None = None) -> Iterator[str]:
    """The devices that carried anything, each with its queues and what feeds them; then the flows of each queue.

    ``most`` is how many flows a queue shows, of its greatest; where it is None nothing is folded.
    """
    devices = _devices(table)
    busy = sorted((device for device in devices if device.busy), key=lambda device: -np.nan_to_num(device.carried))
    yield from summary(_totals(table, len(busy)), look)
    for device in busy:
        yield from _device(device, look, most)
    yield from _flows(table, busy, look, most)
    yield from _without([device for device in devices if not device.busy], look, most)
    yield from worth.section(table.related.get("advice"), look, most)


def _totals(table: Table, devices: int) -> Iterator[str]:
    yield flow_count(len(table))
    yield f"{devices:,} {'device' if devices == 1 else 'devices'}"
    counted = is_counted(table)
    for verb, direction in (("sent", "tx"), ("received", "rx")):
        total = _sum(numbers(table, f"{direction}_{'bytes' if counted else 'rate'}"))
        if not np.isnan(total):
            yield f"{verb} {figures.size(total) if counted else figures.rate(total)}"
    if table.reading.interval_ns:
        yield f"in {figures.time_us(table.reading.interval_ns / 1e3)}"


# -- devices


def _devices(table: Table) -> list[Device]:
    """Every device, in the order of the table of queues."""
    found = table.related.get("queues")
    if not found:
        return []
    theirs = table.related.get("qdiscs") or Table("qdiscs", {}, table.reading)
    hanging = _by_device(theirs) if theirs else {}
    none = np.zeros(0, np.int64)
    return [
        _of_device(key, found.take(rows), theirs.take(hanging.get(key, none)))
        for key, rows in _by_device(found).items()
    ]


def _by_device(table: Table) -> dict[tuple[Any, ...], Ints]:
    """The rows of each device, in their order."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(keys_of(table, QUEUE[:2])):
        found.setdefault(key, []).append(row)
    return {key: np.array(rows, np.int64) for key, rows in found.items()}


def _of_device(key: tuple[Any, ...], rows: Table, qdiscs: Table) -> Device:
    root = qdiscs.take(is_word(qdiscs, "parent", "root") & is_word(qdiscs, "layer", "qdisc"))
    sides = [numbers(_side(rows, direction), "bytes") for direction in ("tx", "rx")]
    sent, received = (_sum(amounts) for amounts in sides)
    if "bytes" not in rows:
        sent = _sum(numbers(root, "qdisc_bytes"))
    return Device((key[0], key[1]), rows, qdiscs, sent, received, _sum(numbers(root, "qdisc_drops")))


def _side(rows: Table, direction: str) -> Table:
    """The queues of one direction; where some packets went by no queue that is known, 0 is unknown of the others."""
    side = rows.take(is_word(rows, "direction", direction))
    nameless = ~side.columns["queue"].mask()
    if not nameless.any():
        return side
    counts = {name: side.columns[name] for name in COUNTERS if name in side}
    return side.with_columns({name: Column(each.values, nameless | (each.values > 0)) for name, each in counts.items()})


def _sum(values: Floats) -> float:
    """The sum of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.sum()) if len(known) else np.nan


def _named(netns: str | None, dev: str | None) -> str:
    return figures.printable(placed(netns or figures.UNKNOWN, dev or figures.UNKNOWN))


def _device(device: Device, look: Look, most: int | None) -> Iterator[str]:
    """One device: its queues each way, how evenly they carry, what feeds them."""
    told = [
        f"{verb} {figures.size(amount)}"
        for verb, amount in (("sent", device.sent), ("received", device.received))
        if not np.isnan(amount)
    ]
    if not np.isnan(device.dropped):
        told.append(f"dropped {figures.count(device.dropped)}")
    yield from map(look.title, wrapped([device.name, *told], look.screen.width))
    for direction in ("tx", "rx"):
        yield from _queues(_side(device.queues, direction), direction, look, most)
    for sentence in _evenness(device):
        yield from wrapped(sentence.split(), look.screen.width, " ")
    yield from disciplines.section(device.qdiscs, _side(device.queues, "tx"), look, most)
    yield look.screen.rule()


def _queues(rows: Table, direction: str, look: Look, most: int | None) -> Iterator[str]:
    """A bar a queue, red where packets were dropped before it; without bars where nothing is known of their bytes."""
    names = queues.QUEUES[direction]
    load = _load(rows)
    if load != "bytes":
        names = tuple(queues.UNCOUNTED.get(name, name) for name in names)
    rows = rows.take(_telling(rows, load))
    shown = rows.take(_greatest(numbers(rows, load), most))
    columns = figured(shown, names, look, queues.QUEUES_SPARE)
    amounts = numbers(shown, load)
    if not np.isnan(amounts).all():
        yield from _bars(columns, direction, amounts, numbers(shown, "qdisc_drops") > 0, look)
    elif len(columns) > 1:
        yield from tabular([columns[0]._replace(title=f"{direction.upper()} {columns[0].title}"), *columns[1:]], look)
    if len(shown) < len(rows):
        yield left_out(len(rows) - len(shown), "queue", look)


def _bars(columns: Sequence[Strip], direction: str, amounts: Floats, drops: Mask, look: Look) -> Iterator[str]:
    bars = beside_bars(columns, direction.upper(), look)
    if look.heading:
        yield bars.heading
    parts = np.nan_to_num(amounts) / max(float(np.nanmax(amounts)), 1.0)
    for part, dropping, line in zip(parts.tolist(), drops.tolist(), bars.beside, strict=True):
        yield f"{look.screen.bar(part, bars.room, _DROPPING if dropping else COLOURS[direction])} {line}"


def _telling(rows: Table, load: str) -> Mask:
    """The queues of which more is known than their number."""
    told: Mask = ~np.isnan(numbers(rows, load))
    for name in ("qdisc", "irq_effective_cpus", "rps_cpus"):
        if name in rows:
            told |= np.array([bool(text) for text in rows.columns[name].objects()], np.bool_)
    return told


def _load(rows: Table) -> str:
    """The field that tells what the queues carried."""
    return "bytes" if "bytes" in rows else queues.UNCOUNTED["bytes"]


def _greatest(amounts: Floats, most: int | None) -> Ints:
    """The rows to show, in their order: of many those that carried the most."""
    if most is None or len(amounts) <= UNFOLDED:
        return np.arange(len(amounts))
    return np.sort(np.argsort(-np.nan_to_num(amounts), kind="stable")[:UNFOLDED])


def _evenness(device: Device) -> Iterator[str]:
    """A sentence for each direction with several queues, if it is known what each of them carried."""
    for direction in ("tx", "rx"):
        rows = _side(device.queues, direction)
        amounts = numbers(rows, _load(rows))
        nowhere = float(np.nansum(amounts[~rows.columns["queue"].mask()]))
        if nowhere:
            yield f"{device.name} {direction}: which queue {figures.size(nowhere)} went through is not known"
        elif not np.isnan(amounts).any():
            loads = rows.with_columns({"bytes": rows.columns[_load(rows)]})
            yield from map(figures.printable, sentences(loads))


# -- the flows of each queue


class _Part(NamedTuple):
    """The flows of one queue: what it is, the rows of all of them, ascending, and how many of the first are folded."""

    title: str
    direction: str
    rows: Ints
    folded: int


def _flows(table: Table, devices: Sequence[Device], look: Look, most: int | None) -> Iterator[str]:
    """A section for each queue, its flows ascending; the widest bar of a device is that of its greatest flow."""
    volumes = table.related.get("volumes") or Table("traffic", {}, table.reading)
    by_queue = _by_queue(volumes) if volumes else {}
    found = [list(_parts(device, by_queue, numbers(volumes, "bytes"), most)) for device in devices]
    shown = [part.rows[part.folded :] for parts in found for part in parts]
    if not shown:
        return
    rows = volumes.take(np.concatenate(shown))
    names = [name for name in queues.VIEW.columns if name in rows or name in ENDS]
    bars = beside_bars(strips(rows, names, look, queues.VIEW), "FLOWS", look)
    if look.heading:
        yield bars.heading
    lines = iter(bars.beside)
    amounts = np.nan_to_num(numbers(volumes, "bytes"))
    for parts in found:
        greatest = max((float(amounts[part.rows].max()) for part in parts), default=1.0) or 1.0
        for part in parts:
            yield from _heading(part, amounts[part.rows], look)
            for share in (amounts[part.rows[part.folded :]] / greatest).tolist():
                yield f"{look.screen.bar(share, bars.room, COLOURS[part.direction])} {next(lines)}"
    yield look.screen.rule()


def _heading(part: _Part, amounts: Floats, look: Look) -> Iterator[str]:
    """Which queue, how much in how many flows; below it what is folded."""
    told = (part.title, flow_count(len(amounts)), figures.size(float(amounts.sum())))
    yield from map(look.title, wrapped(told, look.screen.width))
    if part.folded:
        least = amounts[: part.folded]
        low, high = (figures.size(float(edge)) for edge in (least[0], least[-1]))
        between = f" of {low}" if low == high else f" from {low} to {high}"
        yield folded(part.folded, between, look)


def _by_queue(volumes: Table) -> dict[tuple[Any, ...], Ints]:
    """The rows of each queue, in their order."""
    groups = places(volumes, QUEUE)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return dict(zip(keys_of(volumes.take(order[starts]), QUEUE), np.split(order, starts[1:]), strict=True))


def _parts(
    device: Device, by_queue: Mapping[tuple[Any, ...], Ints], amounts: Floats, most: int | None
) -> Iterator[_Part]:
    """The device's queues that had any flow, tx before rx; what went by no queue that is known went by the only one."""
    for direction in ("tx", "rx"):
        queue_of = _side(device.queues, direction).columns["queue"].objects()
        numbered = sorted({queue for queue in queue_of if queue is not None})
        rows = {
            queue: by_queue[key] for queue in (*numbered, None) if (key := (*device.key, direction, queue)) in by_queue
        }
        if len(numbered) == 1 and rows:
            every = np.concatenate(list(rows.values()))
            rows = {numbered[0]: every[np.argsort(amounts[every], kind="stable")]}
        for queue, found in rows.items():
            place = f" {queue}" if queue is not None else ", queue not known"
            yield _Part(f"{device.name} {direction}{place}", direction, found, max(len(found) - most, 0) if most else 0)


# -- devices without bars


def _without(devices: Sequence[Device], look: Look, most: int | None) -> Iterator[str]:
    """The devices that carried nothing, and those of which it is not known."""
    idle = [device for device in devices if device.carried == 0]
    unknown = [device for device in devices if np.isnan(device.carried)]
    for start, those in (("nothing by:", idle), ("not known, for nothing counts there:", unknown)):
        names = [device.name for device in those[: None if most is None else UNFOLDED]]
        if names:
            words = f"{start} {', '.join(names)}".split()
            yield from map(look.aside, wrapped(words, look.screen.width, " "))
        if len(those) > len(names):
            yield left_out(len(those) - len(names), "device", look)
