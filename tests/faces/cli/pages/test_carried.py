# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.carried import carried, served
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]


def cpu(number: int | None, sent: int = 0, received: int = 0, **known: Any) -> dict[str, Any]:
    return {"cpu": number, "tx_bytes": sent, "rx_bytes": received, "numa_node": None, **known}


def spent(number: int | None, soft: int | None, busy: int | None, **known: Any) -> dict[str, Any]:
    idle = None if busy is None else 1_000_000 - busy
    return {"cpu": number, "cpu_softirq": soft, "cpu_irq": soft, "cpu_busy": busy, "cpu_idle": idle, **known}


def test_bytes_of_both_directions_stand_in_one_bar(make: Make) -> None:
    rows = [cpu(0, 300, 100), cpu(1, 0, 200), cpu(None, 0, 1)]
    assert list(carried(make(rows), Look(Screen(40)))) == [
        "█TX ▒RX          RX BYTES  TX BYTES  CPU",
        "████████████▒▒▒▒     100B      300B    0",
        "▒▒▒▒▒▒▒▒             200B         0    1",
        "▒                      1B         0    -",
        "─" * 40,
    ]


def test_of_many_cpus_those_without_anything_are_one_line(make: Make) -> None:
    lines = list(carried(make([cpu(number, 5 * (number == 4)) for number in range(16)]), Look(Screen(80))))
    assert len(lines) == 4
    assert lines[1].split()[-1] == "4"
    assert lines[2] == "nothing on CPUs 0-3,5-15"


def test_the_node_stands_there_where_there_are_several(make: Make) -> None:
    one = [cpu(0, 1, numa_node=0), cpu(1, 1, numa_node=0)]
    look = Look(Screen(80))
    assert next(carried(make(one), look)).split()[-1] == "CPU"
    assert next(carried(make([one[0], cpu(1, 1, numa_node=1)]), look)).split()[-2:] == ["CPU", "NODE"]


def test_products_stand_there_where_any_is_known(make: Make) -> None:
    rows = [cpu(0, 1, rx_bdp=0, tx_bdp=7), cpu(1, 1, rx_bdp=0, tx_bdp=0)]
    heading = next(carried(make(rows), Look(Screen(80))))
    assert heading.split()[-3:] == ["TX", "BDP", "CPU"]
    assert "RX BDP" not in heading


def test_time_in_softirqs_and_all_other_time(make: Make) -> None:
    rows = [spent(0, 125_000, 500_000), spent(1, 0, 0), spent(None, None, None)]
    lines = list(served(make(rows), Look(Screen(40, blocks=False))))
    assert lines[0].split() == ["#SOFTIRQ", "=BUSY", "SOFTIRQ", "BUSY", "CPU"]
    assert lines[1].split() == ["####====", "125ms", "500ms", "0"]
    assert lines[2].split() == ["0", "0", "1"]
    assert len(lines) == 4


def test_a_cpu_that_dropped_is_red(make: Make) -> None:
    rows = [spent(0, 500_000, 1_000_000, softnet_dropped=3), spent(1, 500_000, 1_000_000, softnet_dropped=0)]
    lines = list(served(make(rows), Look(Screen(80, colour=True), heading=False)))
    assert [line[:5] for line in lines[:2]] == ["\x1b[31m", "\x1b[35m"]


def test_without_times_there_are_no_bars(make: Make) -> None:
    rows = [{"cpu": 0, "net_rx": 7, "serves": "eth0 rx 0 (irq)"}]
    assert list(served(make(rows), Look(Screen(80)))) == [
        "NET_RX  CPU  SERVES",
        "     7    0  eth0 rx 0 (irq)",
        "─" * 80,
    ]
