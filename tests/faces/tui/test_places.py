# SPDX-License-Identifier: Apache-2.0
"""Tables of CPUs and queues from looks made by hand, and from this host."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.live.test_queues import look, traffic

from fleutan.column import Column
from fleutan.errors import Gone
from fleutan.faces.tui.places import Places
from fleutan.linux.cpus import Times
from fleutan.sources import cpus, queues
from fleutan.table import Table


class Host:
    """Two CPUs that do as much again between two looks, and the queues of ``tests.live.test_queues``."""

    def __init__(self) -> None:
        self.looks = 0

    def cpus(self) -> cpus.Snapshot:
        self.looks += 1
        softirqs = {"NET_RX": dict.fromkeys((0, 1), 10 * self.looks)}
        return cpus.Snapshot(1, self.looks, 1, dict.fromkeys((0, 1), Times(*[0] * 8)), softirqs, [], {}, ())

    def queues(self, _: str | None) -> queues.Snapshot:
        return look(100 * self.looks, self.looks)


def gone(_: str | None) -> queues.Snapshot:
    raise Gone("the network namespace web")


def flows(counted: Table | None = None) -> Table:
    return Table("flows", {}, related={} if counted is None else {"traffic": counted})


def objects(table: Table, name: str) -> list[Any]:
    return table.columns[name].objects()


def test_nothing_is_known_before_the_first_look() -> None:
    assert Places().tables(flows()) == {}


def test_counters_are_of_the_time_between_the_last_two_looks() -> None:
    host = Host()
    places = Places(None, host.queues, host.cpus)
    places.look()
    first = places.tables(flows())
    assert objects(first["cpus"], "net_rx") == [0, 0]
    for _ in range(2):
        places.look()
    found = places.tables(flows())
    assert objects(found["cpus"], "net_rx") == [10, 10]
    assert (found["queues"].reading.interval_ns, len(found["queues"])) == (1, 3)
    assert "rx_bytes" not in found["cpus"]
    assert "bytes" not in found["queues"]


def test_counted_packets_stand_beside_them() -> None:
    host = Host()
    places = Places(None, host.queues, host.cpus)
    places.look()
    counted = traffic(3, 4).with_columns({"counted_above": Column(np.array([False, True]))})
    found = places.tables(flows(counted))
    assert objects(found["cpus"], "tx_packets") == [3, 0]
    assert objects(found["queues"], "packets") == [0, 7, 0]


def test_what_cannot_be_read_is_left_out() -> None:
    host = Host()
    places = Places("web", gone, host.cpus)
    places.look()
    assert set(places.tables(flows())) == {"cpus"}
    counted = traffic(3).with_columns({"counted_above": Column(np.array([False]))})
    assert set(places.tables(flows(counted))) == {"cpus"}


def test_this_host() -> None:
    places = Places()
    places.look()
    places.look()
    assert set(places.tables(flows())) == {"cpus", "queues"}
