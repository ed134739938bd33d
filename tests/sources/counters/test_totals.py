# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.sources.counters.asked import Told, counted, hardware, made

from fleutan.sources.counters.totals import Totals


def test_the_kernels_totals_of_what_counts_once() -> None:
    told = Told(hardware(), hardware(3, "eth1"), made("bridge", 4, "br0"))
    told.stats = {2: counted(100), 3: counted(1000)}
    totals = Totals(told.table())
    assert totals.read() == {
        "pkts_in": 1100,
        "packets_out": 1102,
        "bytes_in": 1104,
        "bytes_out": 1106,
        "errs_in": 1108,
        "errs_out": 1110,
        "drops_in": 106 + 109 + 1006 + 1009,
        "drops_out": 1114,
    }
    assert totals.notes() == []


def test_a_total_never_falls() -> None:
    told = Told(hardware(), hardware(3, "eth1"))
    told.stats = {2: counted(100), 3: counted(1000)}
    totals = Totals(told.table())
    first = totals.read()
    unplugged = told.devices.pop(3)
    told.clock.now += 2
    assert totals.read() == first
    told.add(unplugged)
    told.stats[3] = counted(10)
    told.clock.now += 2
    assert totals.read()["bytes_in"] == 102 + 1002 + 12
    told.stats[2] = counted(50)  # reset
    assert totals.read()["bytes_in"] == 102 + 1002 + 12 + 52
    told.devices.clear()
    told.clock.now += 2
    assert totals.read()["bytes_in"] == 102 + 1002 + 12 + 52


def test_where_nothing_is_known_it_is_unknown() -> None:
    assert set(Totals(Told(made("bridge", 4, "br0")).table()).read().values()) == {None}
    told = Told(hardware())
    told.silent.add("stats")
    totals = Totals(told.table())
    assert set(totals.read().values()) == {None}
    assert totals.notes() == ["host_net_io: stats: not told"]
