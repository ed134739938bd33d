# SPDX-License-Identifier: Apache-2.0
"""On which CPUs processes ran and their packets were received and sent; and what each CPU carries.

The bars are drawn in ``abreast`` and ``carried``, what binds queues to CPUs in ``steering``, what
is worth doing about it in ``advice``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.advice import CROSSING
from fleutan.analysis.cpus import spread
from fleutan.analysis.figures import numbers
from fleutan.analysis.queues import keys_of
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import wrapped
from fleutan.faces.cli.pages import Look, flow_count, folded, ownerless, strips, summary, tabular
from fleutan.faces.cli.pages import advice as worth
from fleutan.faces.cli.pages.abreast import BARS, ESTIMATED, Amounts, Host, by_cpu, host_of
from fleutan.faces.cli.pages.carried import carried, served
from fleutan.faces.cli.pages.steering import section as steering
from fleutan.table import Table
from fleutan.views import ENDS, cpus

#: How evenly the CPUs carry: the figure, and what it is called.
_EVENNESS = {
    "rx_packets": ("received", "packets"),
    "tx_packets": ("sent", "packets"),
    "net_rx": ("received", "softirqs"),
}
#: What the sign before a figure means.
_ESTIMATE = "~ partly estimated: of threads that changed CPU, half is counted where they were, half where they are"
#: The columns of a flow that stand there whatever is known.
_ALWAYS = ("proto", "src", "sport", "dst", "dport")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Crossings = Mapping[tuple[int, ...], tuple[float | None, float | None]]

_NO_ROWS: Ints = np.zeros(0, np.int64)


class _Process(NamedTuple):
    """Those who hold the same sockets: figures by CPU, the rows of their flows, the busiest first."""

    name: str
    pids: tuple[int, ...]
    amounts: Mapping[str, Amounts]
    flows: Ints

    def total(self, *names: str) -> float:
        """The sum of these figures over all CPUs."""
        return sum(sum(self.amounts[name].values()) for name in names if name in self.amounts)


def processes(table: Table, look: Look, most: int | None = None) -> Iterator[str]:
    """The processes, who carried the most packets first: flows of each, and where it ran, received and sent.

    ``most`` is how many processes are shown, and flows of each; where it is None nothing is folded.
    """
    found = _processes(table)
    shown = found[:most]
    host = host_of(table.related.get("cpus"))
    orphans = ownerless.without_owner(table.related.get("traffic"))
    yield from summary(_told(table, found, orphans), look)
    if not found and not orphans:
        yield "no process with packets" if _is_counted(table) else "no process that ran"
        yield look.screen.rule()
    yield from _blocks(table, shown, host, look, most)
    if len(found) > len(shown):
        yield _more(found[len(shown) :], look)
    if orphans:
        yield from ownerless.block(orphans, host, look, most)
    yield from _closing(table, shown, look, most)


def _is_counted(table: Table) -> bool:
    """Whether it is known which packets the processes received and sent."""
    found = table.related.get("processes")
    return found is not None and "rx_packets" in found


def _told(table: Table, found: Sequence[_Process], orphans: Table | None) -> Iterator[str]:
    yield flow_count(len(table))
    yield f"{len(found):,} {'process' if len(found) == 1 else 'processes'}"
    if _is_counted(table):
        for verb, name in (("received", "rx_packets"), ("sent", "tx_packets")):
            own = sum(process.total(name) for process in found)
            yield f"{verb} {figures.count(own + ownerless.packets(orphans, name[:2]))} packets"
    else:
        yield "packets not counted"
    if table.reading.interval_ns:
        yield f"in {figures.time_us(table.reading.interval_ns / 1e3)}"


# -- processes


def _processes(table: Table) -> list[_Process]:
    """Every process of the table ``processes``, the busiest first."""
    rows = table.related.get("processes")
    if not rows:
        return []
    held = _flows_by_holders(table)
    names = [name for name in (*BARS, ESTIMATED) if name in rows]
    columns = [np.nan_to_num(numbers(rows, name)).tolist() for name in names]
    pids = rows.columns["pids"].objects() if "pids" in rows else [(pid,) for pid in rows.columns["pid"].objects()]
    keyed = zip(pids, rows.columns["proc"].objects(), rows.columns["cpu"].objects(), *columns, strict=True)
    found = []
    for (holders, proc), of_cpu in groupby(keyed, lambda row: row[:2]):
        by_cpu = list(of_cpu)
        amounts = {name: {row[2]: row[3 + place] for row in by_cpu} for place, name in enumerate(names)}
        flows = held.get(holders, _NO_ROWS) if "pids" in rows else _of_member(held, holders[0])
        found.append(_Process(_named(proc, holders), holders, amounts, flows))
    return sorted(found, key=lambda each: (-each.total("rx_packets", "tx_packets"), -each.total("run_time")))


def _named(proc: str | None, pids: tuple[int, ...]) -> str:
    """``nginx(4)``, and how many more hold the same sockets."""
    name = figures.printable(proc or figures.UNKNOWN)
    return name if len(pids) == 1 else f"{name} and {len(pids) - 1:,} more"


def _flows_by_holders(table: Table) -> dict[tuple[int, ...], Ints]:
    """The rows of the flows by who holds their sockets, of each the busiest first."""
    if "pids" not in table or not len(table):
        return {}
    column = table.columns["pids"]
    order = np.lexsort((-_bytes(table), column.values))
    starts = np.flatnonzero(np.diff(column.values[order], prepend=-2))
    parts = np.split(order, starts[1:])
    return {column.words[column.values[part[0]]]: part for part in parts if column.values[part[0]] >= 0}  # type: ignore[index]


def _bytes(flows: Table) -> Floats:
    """What each flow moved in the interval."""
    found: Floats = np.nan_to_num(numbers(flows, "tx_bytes")) + np.nan_to_num(numbers(flows, "rx_bytes"))
    return found


def _of_member(held: Mapping[tuple[int, ...], Ints], pid: int) -> Ints:
    """The flows that a process holds, alone or with others."""
    found = [rows for holders, rows in held.items() if pid in holders]
    return np.concatenate(found) if found else _NO_ROWS


def _blocks(table: Table, shown: Sequence[_Process], host: Host, look: Look, most: int | None) -> Iterator[str]:
    """A block a process; the columns of the flows are as wide in all of them."""
    moved = _bytes(table)
    kept = [_kept(process.flows, moved, most) for process in shown]
    rows = table.take(np.concatenate([*kept, _NO_ROWS]))
    told = {name for name, column in rows.columns.items() if name in _ALWAYS or column.mask().any()}
    names = [name for name in cpus.FLOWS.columns if told.issuperset(ENDS.get(name, (name,)))]
    lines = tabular(strips(rows, names, look, cpus.FLOWS), look)
    heading = [next(lines)] if look.heading else []
    crossings = _crossings(table.related.get("crossings"))
    for process, flows in zip(shown, kept, strict=True):
        yield look.title(look.cut(f"~>{process.name}"))
        if len(flows):
            yield from heading
        yield from (next(lines) for _ in range(len(flows)))
        yield from _hidden(process.flows[len(flows) :], moved, look)
        yield from by_cpu(process.amounts, host, look, most)
        yield from _crossing(process, crossings, host, look)
        yield look.screen.rule()


def _kept(rows: Ints, moved: Floats, most: int | None) -> Ints:
    """The flows to show: of those that moved anything the busiest, one at the least; of none is known, the first."""
    if most is None:
        return rows
    busy = max(int(np.count_nonzero(moved[rows])), 1) if moved.any() else len(rows)
    return rows[: min(busy, most)]


def _hidden(rows: Ints, moved: Floats, look: Look) -> Iterator[str]:
    """The line that stands for the flows left out."""
    if not len(rows):
        return
    greatest = float(moved[rows[0]])
    between = f" of {figures.size(greatest)} or less" if greatest else " that moved nothing" if moved.any() else ""
    yield folded(len(rows), between, look)


def _more(rest: Sequence[_Process], look: Look) -> str:
    """The line that stands for the processes left out."""
    packets = sum(process.total("rx_packets", "tx_packets") for process in rest)
    with_what = f" with {figures.count(packets)} packets" if packets else ""
    noun = "process" if len(rest) == 1 else "processes"
    return look.aside(look.cut(f"... {len(rest):,} more {noun}{with_what}: --all shows every one"))


def _crossings(found: Table | None) -> Crossings:
    """What crosses by CPU and by NUMA node, by who holds the sockets."""
    rows = keys_of(found, ("pids", "cross_cpu", "cross_numa")) if found else ()
    return {pids: (cross_cpu, cross_numa) for pids, cross_cpu, cross_numa in rows}


def _crossing(process: _Process, crossings: Crossings, host: Host, look: Look) -> Iterator[str]:
    """One line: how much of what it received came to where it did not run."""
    if not process.total("rx_packets"):
        return
    by_cpu, by_node = crossings.get(process.pids, (None, None))
    sentence = _crossed(process, by_cpu, by_node if host.several else None)
    colour = "yellow" if by_cpu and by_cpu > CROSSING else "" if by_cpu else "dim"
    yield from _painted(sentence, colour, look)


def _crossed(process: _Process, by_cpu: float | None, by_node: float | None) -> str:
    if by_cpu is None:
        return "crosses: not known, for it was not seen to run"
    if not by_cpu:
        return "crosses: nothing, it ran where its packets were received"
    # Who ran on several CPUs may have read each packet on any of them.
    about = "about " if sum(time > 0 for time in process.amounts["run_time"].values()) > 1 else ""
    said = f"crosses: {about}{figures.share(by_cpu)} of its packets were received on a CPU where it did not run"
    if by_node is None:
        return said
    return f"{said}, {f'{about}{figures.share(by_node)}' if by_node else 'none'} on a NUMA node where it did not"


def _painted(sentence: str, colour: str, look: Look) -> Iterator[str]:
    """A sentence in as many lines as it needs."""
    for line in wrapped(sentence.split(), look.screen.width, " "):
        yield look.screen.paint(line, colour) if colour else line


# -- what is true of all


def _closing(table: Table, shown: Sequence[_Process], look: Look, most: int | None) -> Iterator[str]:
    """What the sign before a figure means, how evenly the CPUs carry, and what is worth doing."""
    found = table.related.get("cpus")
    if found and not _is_counted(table):
        yield from served(found, look)
    told = [*_painted(_ESTIMATE, "dim", look)] if any(process.total(ESTIMATED) for process in shown) else []
    told += _even(found, look, 1)
    yield from _ruled(told, look)
    yield from worth.section(table.related.get("advice"), look, most)


def _even(found: Table | None, look: Look, most: int) -> list[str]:
    """How evenly the CPUs received and sent, where that is known: ``most`` of these."""
    if not found:
        return []
    counted = "rx_packets" in found
    names = [name for name in _EVENNESS if counted == (name != "net_rx") and name in found]
    lines: list[str] = []
    for name, balance in [(name, balance) for name in names if (balance := spread(found, name))][:most]:
        where, what = _EVENNESS[name]
        lines += _painted(balance.sentence(where, "CPU", what), "yellow" if balance.uneven else "", look)
    return lines


def _ruled(lines: Sequence[str], look: Look) -> Iterator[str]:
    yield from lines
    if lines:
        yield look.screen.rule()


# -- load


def load(table: Table, look: Look) -> Iterator[str]:
    """What each CPU received and sent, what that cost it, and which queues bring it there."""
    found = table.related.get("cpus")
    yield from summary(_load_told(table, found), look)
    if not found:
        yield "no CPU"
        return
    if "rx_bytes" in found:
        yield from carried(found, look)
    yield from served(found, look)
    yield from steering(table.related.get("queues"), look)
    yield from _ruled(_even(found, look, 2), look)
    yield from worth.section(table.related.get("advice"), look, None)


def _load_told(table: Table, found: Table | None) -> Iterator[str]:
    yield flow_count(len(table))
    count = len(host_of(found).nodes)
    yield f"{count:,} {'CPU' if count == 1 else 'CPUs'}"
    if found and "rx_bytes" in found:
        for verb, name in (("sent", "tx_bytes"), ("received", "rx_bytes")):
            yield f"{verb} {figures.size(float(np.nansum(numbers(found, name))))}"
    else:
        yield "packets not counted"
    if table.reading.interval_ns:
        yield f"in {figures.time_us(table.reading.interval_ns / 1e3)}"
