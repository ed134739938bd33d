# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fleutan.analysis import cpus
from fleutan.analysis.queues import keys_of
from fleutan.column import Column, text_column
from fleutan.table import Table

TEXTS = ("netns", "dev", "direction", "proc", "rps_cpus", "irq_cpus", "irq_effective_cpus", "serves")
NODES = {0: 0, 1: 0, 2: 1, 3: 1}


def whole(values: Sequence[int | None]) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), known)


def lists(values: Sequence[tuple[int, ...] | None]) -> Column:
    words = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = [-1 if value is None else words.index(value) for value in values]
    return Column(np.array(codes, np.int32), None, words)


def table(kind: str, names: Sequence[str], *rows: Sequence[Any]) -> Table:
    made = {}
    for place, name in enumerate(names):
        values = [row[place] for row in rows]
        made[name] = text_column(values) if name in TEXTS else lists(values) if name == "pids" else whole(values)
    return Table(kind, made)


def traffic(*rows: Sequence[Any]) -> Table:
    return table("traffic", ("direction", "cpu", "sport", "bytes", "packets", "segments"), *rows)


def cpu_table(*numbers: int) -> Table:
    return table("cpus", ("cpu", "net_rx"), *((number, 7) for number in numbers))


def test_each_cpu_with_what_it_received_and_sent() -> None:
    found = cpus.with_traffic(
        cpu_table(0, 1), traffic(("rx", 1, 5, 100, 2, 3), ("tx", 0, 5, 40, 1, 1), ("rx", 1, 6, 11, 1, 1))
    )
    names = ("cpu", "rx_bytes", "rx_packets", "rx_segments", "tx_bytes", "tx_packets", "tx_segments")
    assert list(keys_of(found, names)) == [(0, 0, 0, 0, 40, 1, 1), (1, 111, 3, 4, 0, 0, 0)]
    assert "rx_bdp" not in found


def test_a_cpu_that_went_off_line_keeps_its_traffic() -> None:
    serves = {"serves": text_column(["eth0 rx 0 (irq)"])}
    found = cpus.with_traffic(
        cpu_table(0).with_columns(serves), traffic(("rx", 3, 5, 100, 2, 3), ("tx", None, 5, 4, 1, 1))
    )
    assert list(keys_of(found, ("cpu", "net_rx", "serves", "rx_bytes", "tx_bytes"))) == [
        (0, 7, "eth0 rx 0 (irq)", 0, 0),
        (3, None, None, 100, 0),
        (None, None, None, 0, 4),
    ]
    empty = cpus.with_traffic(cpu_table(), traffic(("rx", 3, 5, 100, 2, 3)))
    assert list(keys_of(empty, ("cpu", "net_rx", "rx_bytes"))) == [(3, None, 100)]


def test_products_are_parted_by_bytes() -> None:
    counted = traffic(
        ("rx", 0, 5, 30, 1, 1),
        ("rx", 1, 5, 10, 1, 1),
        ("tx", 1, 5, 8, 1, 1),
        ("rx", 1, 6, 5, 1, 1),
        ("rx", 1, 7, 5, 1, 1),
    ).with_columns({"bdp": whole([1000, 1000, 1000, 70, None])})
    found = cpus.with_traffic(cpu_table(0, 1), counted)
    assert list(keys_of(found, ("cpu", "rx_bdp", "tx_bdp"))) == [(0, 750, 0), (1, 320, 1000)]


def test_which_queues_a_cpu_serves() -> None:
    names = ("netns", "dev", "direction", "queue", "rps_cpus", "irq_cpus", "irq_effective_cpus")
    queues = table(
        "queues",
        names,
        ("host", "eth0", "rx", 0, "", "0-3", "1"),
        ("host", "eth0", "rx", 1, None, "0,1", None),
        ("web", "veth", "rx", 0, "0-1", None, None),
        ("host", "eth0", "tx", 0, None, None, "0"),
    )
    found = cpus.with_serves(cpu_table(0, 1, 2), queues)
    assert found.columns["serves"].objects() == [
        "eth0 rx 1 (irq), web/veth rx 0 (rps)",
        "eth0 rx 0 (irq), eth0 rx 1 (irq), web/veth rx 0 (rps)",
        None,
    ]


RUNS = table(
    "runs",
    ("pid", "cpu", "run_time", "run_time_estimated"),
    (7, 0, 900, 0),
    (7, 2, 100, 50),
    (8, 2, 300, 0),
    (8, None, 40, 40),
    (9, 1, 5, 0),
)
OWNED = ("pids", "proc", "direction", "cpu", "bytes", "packets", "segments")


def owned(*rows: Sequence[Any]) -> Table:
    return table("traffic", OWNED, *rows)


def test_where_it_ran_received_and_sent_side_by_side() -> None:
    counted = owned(
        ((7,), "web(7)", "rx", 0, 100, 10, 12),
        ((7,), "web(7)", "tx", 3, 200, 20, 20),
        ((7, 8), "web(7)", "rx", 2, 1000, 90, 90),
        (None, None, "rx", 2, 1000, 90, 90),
    )
    found = cpus.by_process(RUNS, counted, NODES)
    names = ("pids", "proc", "pid", "cpu", "numa_node", "run_time", "run_time_estimated", "rx_packets", "tx_packets")
    assert list(keys_of(found, names)) == [
        ((7, 8), "web(7)", 7, 0, 0, 900, 0, 0, 0),
        ((7, 8), "web(7)", 7, 2, 1, 400, 50, 90, 0),
        ((7, 8), "web(7)", 7, None, None, 40, 40, 0, 0),
        ((7,), "web(7)", 7, 0, 0, 900, 0, 10, 0),
        ((7,), "web(7)", 7, 2, 1, 100, 50, 0, 0),
        ((7,), "web(7)", 7, 3, 1, 0, 0, 0, 20),
    ]


def test_without_sets_a_process_is_its_own() -> None:
    names = ("pid", "direction", "cpu", "bytes", "packets", "segments")
    found = cpus.by_process(RUNS, table("traffic", names, (9, "rx", 1, 5, 6, 7), (None, "rx", 1, 5, 6, 7)), NODES)
    assert list(keys_of(found, ("pids", "proc", "cpu", "run_time", "rx_segments"))) == [((9,), None, 1, 5, 7)]


@pytest.mark.parametrize(
    ("rows", "cross_cpu", "cross_numa"),
    [
        ([((9,), "a", "rx", 1, 1, 100, 1)], 0.0, 0.0),
        ([((9,), "a", "rx", 0, 1, 100, 1)], 1.0, 0.0),
        ([((9,), "a", "rx", 3, 1, 75, 1), ((9,), "a", "rx", 1, 1, 25, 1)], 0.75, 0.75),
        ([((7,), "a", "rx", 0, 1, 100, 1)], 0.1, 0.1),
        ([((9,), "a", "tx", 0, 1, 100, 1)], None, None),
        ([((5,), "a", "rx", 0, 1, 100, 1)], None, None),
    ],
)
def test_what_crosses(rows: list[tuple[Any, ...]], cross_cpu: float | None, cross_numa: float | None) -> None:
    found = cpus.crossings(cpus.by_process(RUNS, owned(*rows), NODES))
    assert list(keys_of(found, ("cross_cpu", "cross_numa"))) == [(cross_cpu, cross_numa)]
    assert found.kind == "crossings"


def test_of_nothing_nothing_crosses() -> None:
    assert len(cpus.crossings(cpus.by_process(RUNS, owned(), NODES))) == 0


def test_time_of_no_known_place_does_not_count() -> None:
    found = cpus.crossings(cpus.by_process(RUNS, owned(((8,), "b", "rx", 2, 1, 10, 1)), NODES))
    assert list(keys_of(found, ("pid", "rx_packets", "cross_cpu"))) == [(8, 10, 0.0)]


def test_how_evenly_cpus_receive() -> None:
    counted = cpus.with_traffic(cpu_table(0, 1), traffic(("rx", 1, 5, 9, 30, 1), ("rx", 0, 5, 9, 10, 1)))
    spread = cpus.spread(counted)
    assert spread is not None
    assert (spread.busiest, spread.ratio, spread.parts) == (1, 1.5, 2)
    assert cpus.spread(counted, "tx_packets") is None
