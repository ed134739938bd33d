# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from fleutan.analysis import queues
from fleutan.analysis.queues import Balance, balance, balances, by_queue, sentences, since, with_loads
from fleutan.column import Column, text_column
from fleutan.table import Reading, Table

TEXTS = ("netns", "dev", "direction", "qdisc", "handle", "layer", "parent", "proc", "xps_cpus")
NAMES = ("netns", "dev", "direction", "queue", "sport", "bytes", "packets", "segments")


def whole(values: Sequence[int | None]) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    return Column(np.array([value or 0 for value in values], np.int64), known)


def table(kind: str, names: Sequence[str], *rows: Sequence[Any]) -> Table:
    columns: Mapping[str, Sequence[Any]] = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    made = {name: text_column(found) if name in TEXTS else whole(found) for name, found in columns.items()}
    return Table(kind, made, Reading("mine", "host", 100))


def queue_table(*rows: Sequence[Any]) -> Table:
    names = ("netns_inode", "netns", "dev", "direction", "queue", "handle", "qdisc", "qdisc_bytes", "interrupts")
    return table("queues", names, *rows)


def traffic(*rows: Sequence[Any]) -> Table:
    return table("traffic", NAMES, *rows)


def objects(found: Table, name: str) -> list[Any]:
    return found.columns[name].objects()


def test_counters_become_differences_and_the_rest_stays() -> None:
    before = queue_table(
        (1, "host", "eth0", "tx", 0, "8:", "fq", 100, 5), (1, "host", "eth0", "tx", 1, "9:", "fq", 7, 6)
    )
    after = queue_table(
        (1, "host", "eth0", "tx", 1, "9:", "fq", 19, 6), (1, "host", "eth0", "tx", 0, "8:", "fq", 140, 9)
    )
    found = since(before, after, 5)
    assert objects(found, "qdisc_bytes") == [12, 40]
    assert objects(found, "interrupts") == [0, 4]
    assert objects(found, "queue") == [1, 0]
    assert (found.reading.interval_ns, found.reading.at_ns) == (5, 100)


def test_a_new_discipline_counts_from_nothing_and_one_that_went_back_is_unknown() -> None:
    before = queue_table(
        (1, "host", "eth0", "tx", 0, "8:", "fq", 100, 5), (1, "host", "eth0", "tx", 1, "0:", "fq", 90, 5)
    )
    after = queue_table(
        (1, "host", "eth0", "tx", 0, "9:", "htb", 40, 9), (1, "host", "eth0", "tx", 1, "0:", "fq", 3, 9)
    )
    found = since(before, after, 5)
    assert objects(found, "qdisc_bytes") == [40, None]
    assert objects(found, "interrupts") == [None, 4]


def test_what_was_not_known_before_or_is_not_now_is_unknown() -> None:
    before = queue_table((1, "host", "eth0", "tx", 0, None, None, None, 5))
    after = queue_table((1, "host", "eth0", "tx", 0, None, None, 40, None))
    found = since(before, after, 5)
    assert (objects(found, "qdisc_bytes"), objects(found, "interrupts")) == ([None], [None])
    bare = Table("cpus", {"cpu": whole([0])})
    later = Table("cpus", {"cpu": whole([0, 1]), "net_rx": whole([4, 5])})
    assert objects(since(bare, later, 5), "net_rx") == [None, None]


ETH0 = (
    (1, "host", "eth0", "rx", 0, None, None, None, None),
    (1, "host", "eth0", "tx", 0, "8:", "fq", 1, None),
    (1, "host", "eth0", "tx", 1, "9:", "fq", 1, None),
)


def test_loads_are_summed_by_queue_and_idle_queues_carried_nothing() -> None:
    found = with_loads(
        queue_table(*ETH0),
        traffic(
            ("host", "eth0", "tx", 1, 5, 100, 2, 3),
            ("host", "eth0", "tx", 1, 6, 50, 1, 1),
            ("host", "eth0", "rx", 0, 5, 9, 1, 1),
        ),
    )
    assert objects(found, "bytes") == [9, 0, 150]
    assert objects(found, "packets") == [1, 0, 3]
    assert objects(found, "segments") == [1, 0, 4]
    assert objects(found, "qdisc") == [None, "fq", "fq"]


def test_traffic_of_no_known_queue_went_by_the_only_one() -> None:
    rows = (("host", "eth0", "rx", None, 5, 9, 1, 1), ("host", "eth0", "rx", 0, 5, 2, 1, 1))
    assert objects(with_loads(queue_table(*ETH0), traffic(*rows)), "bytes") == [11, 0, 0]


def test_traffic_of_a_queue_that_is_not_there_is_not_lost() -> None:
    found = with_loads(
        queue_table(*ETH0),
        traffic(("host", "eth0", "tx", None, 5, 9, 1, 1), ("web", "gone", "tx", 3, 5, 4, 1, 1)),
    )
    assert list(queues.keys_of(found, ("netns", "dev", "direction", "queue", "bytes", "qdisc", "netns_inode"))) == [
        ("host", "eth0", "rx", 0, 0, None, 1),
        ("host", "eth0", "tx", 0, 0, "fq", 1),
        ("host", "eth0", "tx", 1, 0, "fq", 1),
        ("host", "eth0", "tx", None, 9, None, None),
        ("web", "gone", "tx", 3, 4, None, None),
    ]


def test_flows_of_a_queue_come_the_least_first() -> None:
    found = by_queue(
        traffic(
            ("host", "eth0", "tx", 1, 5, 100, 2, 3),
            ("host", "eth0", "tx", 0, 7, 70, 2, 3),
            ("host", "eth0", "tx", 1, 6, 50, 1, 1),
            ("host", "eth0", "tx", 1, 6, 20, 1, 1),
            ("host", "eth0", "rx", 1, 6, 20, 1, 1),
        ).with_columns({"cpu": whole([0, 0, 0, 1, 0])})
    )
    assert list(queues.keys_of(found, ("direction", "queue", "sport", "bytes"))) == [
        ("rx", 1, 6, 20),
        ("tx", 0, 7, 70),
        ("tx", 1, 6, 70),
        ("tx", 1, 5, 100),
    ]
    assert "cpu" not in found


@pytest.mark.parametrize("amounts", [{}, {0: 5.0}, {0: 0.0, 1: 0.0}])
def test_what_has_no_balance(amounts: dict[int, float]) -> None:
    assert balance(amounts) is None


def test_a_balance_in_one_line() -> None:
    skewed = balance({0: 5.0, 1: 5.0, 2: 80.0, 3: 10.0})
    assert skewed == Balance(4, 100.0, 2, 80.0)
    assert skewed is not None
    assert (skewed.share, skewed.ratio, skewed.uneven) == (0.8, 3.2, True)
    assert skewed.sentence("eth0 tx", "queue", "bytes") == (
        "eth0 tx: queue 2 carries 80% of the bytes, 3.2 times an even part of 4 queues"
    )
    even = balance({0: 50.0, 1: 55.0})
    assert even is not None
    assert even.sentence("eth0 tx", "queue", "bytes") == "eth0 tx: 2 queues carry the bytes evenly, at most 52% each"
    between = balance({0: 50.0, 1: 90.0})
    assert between is not None
    assert between.sentence("eth0 tx", "queue", "bytes") == "eth0 tx: 2 queues carry the bytes, at most 64% each"


def test_a_line_for_each_device_with_several_queues() -> None:
    loads = with_loads(
        queue_table(
            *ETH0, (2, "web", "veth", "tx", 0, None, None, None, None), (2, "web", "veth", "tx", 1, *[None] * 4)
        ),
        traffic(("host", "eth0", "tx", 1, 5, 100, 1, 1), ("web", "veth", "tx", 0, 5, 4, 1, 1)),
    )
    assert set(balances(loads)) == {("host", "eth0", "tx"), ("web", "veth", "tx")}
    assert sentences(loads) == [
        "eth0 tx: queue 1 carries 100% of the bytes, 2.0 times an even part of 2 queues",
        "veth in web tx: queue 0 carries 100% of the bytes, 2.0 times an even part of 2 queues",
    ]
