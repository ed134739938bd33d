# SPDX-License-Identifier: Apache-2.0
"""Which CPUs the traffic went through, and whether its processes ran there.

Works on the Tables ``traffic`` (``cpu`` is where a packet was received in softirq, or sent),
``cpus``, ``runs`` and ``queues``.  What would change it is the business of ``advice``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fleutan.analysis.figures import float_column, int_column, numbers
from fleutan.analysis.queues import COUNTERS, Balance, balance, keys_of
from fleutan.analysis.totals import places, totals
from fleutan.column import Column, text_column
from fleutan.table import Table

DIRECTIONS = ("rx", "tx")
#: The figures of a CPU: each counter of traffic in each direction.
FIGURES = tuple(f"{direction}_{counter}" for direction in DIRECTIONS for counter in COUNTERS)
_BY_CPU = ("run_time", "run_time_estimated", *FIGURES)


def with_traffic(cpus: Table, traffic: Table) -> Table:
    """The table of CPUs with what each received and sent: packets, bytes, segments.

    ``rx_bdp`` and ``tx_bdp`` are there where the traffic has its flows' ``bdp``: each flow's
    product is parted over the CPUs by its bytes in that direction.  Traffic of a CPU that the
    table does not have (it went off line) has a row with nothing else known.
    """
    cpus = _with_missing(cpus, traffic)
    row_of = {cpu: row for row, cpu in enumerate(cpus.columns["cpu"].objects())}
    columns = {name: np.zeros(len(cpus)) for name in FIGURES}
    sums = totals(traffic, ("direction", "cpu"), COUNTERS)
    for counter in COUNTERS:
        amounts = np.nan_to_num(numbers(sums, counter)).tolist()
        for (direction, cpu), amount in zip(keys_of(sums, ("direction", "cpu")), amounts, strict=True):
            columns[f"{direction}_{counter}"][row_of[cpu]] = amount
    if "bdp" in traffic.columns:
        columns |= _products(traffic, row_of)
    return cpus.with_columns({name: int_column(values) for name, values in columns.items()})


def _with_missing(cpus: Table, traffic: Table) -> Table:
    """The table with a row for each CPU of the traffic that it lacks."""
    present = cpus.columns["cpu"].objects()
    missing = [cpu for cpu in dict.fromkeys(traffic.columns["cpu"].objects()) if cpu not in present]
    if not missing:
        return cpus
    rows = np.concatenate([np.arange(len(cpus)), np.zeros(len(missing), np.int64)])
    old = np.arange(len(rows)) < len(cpus)
    columns = {}
    for name, column in cpus.columns.items():
        padded = column if len(cpus) else Column(np.zeros(1, column.values.dtype), None, column.words)
        columns[name] = _masked(padded.take(rows), old)
    values = [*present, *missing]
    known = np.array([cpu is not None for cpu in values], np.bool_)
    columns["cpu"] = Column(np.array([cpu or 0 for cpu in values], np.int64), known)
    return replace(cpus, columns=columns)


def _masked(column: Column, known: Any) -> Column:
    if column.words is not None:
        return Column(np.where(known, column.values, np.int32(-1)), None, column.words)
    return Column(column.values, column.mask() & known)


def _products(traffic: Table, row_of: Mapping[int | None, int]) -> dict[str, Any]:
    """Bandwidth-delay products by CPU, of each direction."""
    flow = ("proto", "src", "sport", "dst", "dport", "netns_inode", "cookie", "direction")
    parts = totals(traffic, (*flow, "cpu"), ("bytes",))
    whole = totals(parts, flow, ("bytes",))
    share = numbers(parts, "bytes") / np.maximum(_spread(parts, whole, flow), 1)
    amounts = np.nan_to_num(share * numbers(parts, "bdp"))
    found = {f"{direction}_bdp": np.zeros(len(row_of)) for direction in DIRECTIONS}
    for (direction, cpu), amount in zip(keys_of(parts, ("direction", "cpu")), amounts.tolist(), strict=True):
        found[f"{direction}_bdp"][row_of[cpu]] += amount
    return found


def _spread(parts: Table, whole: Table, by: Sequence[str]) -> Any:
    """The bytes of the whole flow for each of its parts."""
    return numbers(whole, "bytes")[places(parts, by)]


def with_serves(cpus: Table, queues: Table) -> Table:
    """The table of CPUs with the rx queues whose packets come to each: ``eth0 rx 0 (irq)``, ``eth0 rx 1 (rps)``."""
    served: dict[int, list[str]] = {}
    names = ("netns", "dev", "direction", "queue", "rps_cpus", "irq_cpus", "irq_effective_cpus")
    for netns, dev, direction, queue, rps, allowed, effective in keys_of(queues, names):
        if direction != "rx":
            continue
        place = f"{dev} rx {queue}" if netns == "host" else f"{netns}/{dev} rx {queue}"
        for cpu in listed(effective or allowed):
            served.setdefault(cpu, []).append(f"{place} (irq)")
        for cpu in listed(rps):
            served.setdefault(cpu, []).append(f"{place} (rps)")
    texts = [", ".join(served.get(cpu, [])) or None for cpu in cpus.columns["cpu"].objects()]
    return cpus.with_columns({"serves": text_column(texts)})


def listed(cpus: str | None) -> tuple[int, ...]:
    """The CPUs of a list as the kernel writes it (``0-3,8``); none for an unknown one."""
    found: list[int] = []
    for part in filter(None, (cpus or "").split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


@dataclass
class _Process:
    """The processes that hold the same sockets: what they ran and what they received and sent, by CPU."""

    pids: tuple[int, ...]
    proc: str | None
    figures: dict[str, Counter[int | None]] = field(default_factory=lambda: {name: Counter() for name in _BY_CPU})

    def cpus(self) -> list[int | None]:
        """The CPUs that have any part in it, the unknown one last."""
        found = {cpu for counts in self.figures.values() for cpu, amount in counts.items() if amount}
        return sorted(found, key=lambda cpu: (cpu is None, cpu or 0))

    def packets(self) -> int:
        """All that it received and sent."""
        return sum(sum(self.figures[f"{direction}_packets"].values()) for direction in DIRECTIONS)


def by_process(runs: Table, traffic: Table, nodes: Mapping[int, int]) -> Table:
    """The Table ``runs`` joined with the traffic: a row for each process and CPU that either of them names.

    Where it ran, where its packets were received and where they were sent stand side by side.  A
    socket that several processes hold is theirs together: their times are summed, ``pids`` names
    them all, ``pid`` and ``proc`` the first.  Traffic without an owner is left out.  Who carried
    the most packets comes first.
    """
    found = sorted(_processes(runs, traffic), key=lambda process: (-process.packets(), process.pids))
    rows = [(process, cpu) for process in found for cpu in process.cpus()]
    figures = {name: _whole([process.figures[name][cpu] for process, cpu in rows]) for name in _BY_CPU}
    sets = tuple(dict.fromkeys(process.pids for process in found))
    columns = {
        "pid": _whole([process.pids[0] for process, _ in rows]),
        "pids": Column(np.array([sets.index(process.pids) for process, _ in rows], np.int32), None, sets),
        "proc": text_column([process.proc for process, _ in rows]),
        "cpu": _whole([cpu for _, cpu in rows]),
        "numa_node": _whole([None if cpu is None else nodes.get(cpu) for _, cpu in rows]),
        **figures,
    }
    return Table("runs", columns, traffic.reading)


def _processes(runs: Table, traffic: Table) -> list[_Process]:
    """The sets of processes that the traffic names; one process alone where it has no sets."""
    owner = "pids" if "pids" in traffic.columns else "pid"
    sums = totals(traffic, (owner, "direction", "cpu"), COUNTERS)
    names = sums.columns["proc"].objects() if "proc" in sums.columns else [None] * len(sums)
    counts = [np.nan_to_num(numbers(sums, counter)).astype(np.int64).tolist() for counter in COUNTERS]
    found: dict[tuple[int, ...], _Process] = {}
    for row, (held, direction, cpu) in enumerate(keys_of(sums, (owner, "direction", "cpu"))):
        if held is None:
            continue
        pids = held if isinstance(held, tuple) else (held,)
        process = found.setdefault(pids, _Process(pids, names[row]))
        for counter, values in zip(COUNTERS, counts, strict=True):
            process.figures[f"{direction}_{counter}"][cpu] += values[row]
    _add_runs(found, runs)
    return list(found.values())


def _add_runs(processes: Mapping[tuple[int, ...], _Process], runs: Table) -> None:
    sets: dict[int, list[_Process]] = {}
    for process in processes.values():
        for pid in process.pids:
            sets.setdefault(pid, []).append(process)
    for pid, cpu, run_time, estimated in keys_of(runs, ("pid", "cpu", "run_time", "run_time_estimated")):
        for process in sets.get(pid, ()):
            process.figures["run_time"][cpu] += run_time or 0
            process.figures["run_time_estimated"][cpu] += estimated or 0


def _whole(values: Sequence[int | None]) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), known)


def crossings(processes: Table) -> Table:
    """The Table ``crossings``: the share of each process's packets that came to where it did not run.

    A row for each process of the table ``by_process``; for CPUs and for NUMA nodes.  A packet
    received on CPU c is taken as read on CPU r with the share of its time that the process ran on
    r: exact where it ran on one CPU only, else what would be without any steering.  Unknown where
    it received nothing or ran no time that is known.
    """
    rows: dict[tuple[int, ...], list[tuple[int, float, float, int | None]]] = {}
    first: dict[tuple[int, ...], int] = {}
    names = ("pids", "cpu", "rx_packets", "run_time", "numa_node")
    for row, (pids, cpu, packets, run_time, node) in enumerate(keys_of(processes, names)):
        first.setdefault(pids, row)
        rows.setdefault(pids, [])
        if cpu is not None:
            rows[pids].append((cpu, packets, run_time, node))
    kept = processes.take(np.array(list(first.values()), np.int64))
    by_cpu = [_crossed({cpu: (rx, ran) for cpu, rx, ran, _ in parts}) for parts in rows.values()]
    by_node = [_crossed(_by_node(parts)) for parts in rows.values()]
    columns = {name: kept.columns[name] for name in ("pid", "pids", "proc")}
    columns["rx_packets"] = _whole([int(sum(rx for _, rx, _, _ in parts)) for parts in rows.values()])
    columns["cross_cpu"] = float_column(np.array(by_cpu, np.float64), 4)
    columns["cross_numa"] = float_column(np.array(by_node, np.float64), 4)
    return Table("crossings", columns, processes.reading)


def _by_node(parts: Sequence[tuple[int, float, float, int | None]]) -> dict[Any, tuple[float, float]]:
    """Packets and time by node; CPUs without a node are one."""
    found: dict[Any, tuple[float, float]] = {}
    for _, packets, run_time, node in parts:
        before = found.get(node, (0.0, 0.0))
        found[node] = (before[0] + packets, before[1] + run_time)
    return found


def _crossed(parts: Mapping[Any, tuple[float, float]]) -> float:
    packets = sum(received for received, _ in parts.values())
    run_time = sum(ran for _, ran in parts.values())
    if not packets or not run_time:
        return float("nan")
    together = sum(received * ran for received, ran in parts.values())
    return max(0.0, 1 - together / (packets * run_time))


def spread(cpus: Table, figure: str = "rx_packets") -> Balance | None:
    """How evenly a figure is spread over the CPUs; None for one CPU, or where there is nothing of it."""
    amounts = zip(cpus.columns["cpu"].objects(), np.nan_to_num(numbers(cpus, figure)).tolist(), strict=True)
    return balance({cpu: amount for cpu, amount in amounts if cpu is not None})
