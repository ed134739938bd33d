# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest

from fleutan.faces.cli.layout import Strip, cell_width
from fleutan.faces.cli.pages import UNFOLDED, Look
from fleutan.faces.cli.pages.abreast import Amounts, Host, Measure, abreast, by_cpu, host_of
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]
SMALL = Host({0: 0, 1: 0}, False)


def drawn(amounts: dict[str, Amounts], host: Host = SMALL, width: int = 60, most: int | None = 40) -> list[str]:
    return list(by_cpu(amounts, host, Look(Screen(width)), most))


def test_each_bar_is_a_share_of_all_cpus() -> None:
    assert drawn({"run_time": {0: 3000, 1: 1000}, "rx_packets": {1: 5}, "tx_packets": {}}) == [
        "RAN                 RECEIVED          SENT              CPU",
        "███████▌       3ms                 0                 0    0",
        "██▌            1ms  ██████████     5                 0    1",
    ]


def test_what_is_estimated_and_what_is_not_known() -> None:
    lines = drawn({"run_time": {0: 3000}, "run_time_estimated": {0: 20, 1: 0}, "rx_packets": {None: 7}})
    assert [line.split()[-3] for line in lines[1:3]] == ["~3ms", "0"]
    assert lines[3].split()[-2:] == ["7", "-"]
    assert [line.split()[0] for line in drawn({"run_time": {}, "rx_packets": {0: 1}})[1:]] == ["-", "-"]


def test_of_many_cpus_those_with_a_part_in_it() -> None:
    many = Host({cpu: cpu // 8 for cpu in range(16)}, True)
    lines = drawn({"rx_packets": {9: 1, 3: 5, 4: 0}}, many)
    assert [line.split()[-2:] for line in lines] == [["CPU", "NODE"], ["3", "0"], ["9", "1"]]
    assert drawn({"rx_packets": {None: 1}}, many)[1].split()[-2:] == ["-", "-"]


def test_too_many_cpus_are_folded() -> None:
    amounts: dict[str, Amounts] = {"rx_packets": {cpu: cpu + 1.0 for cpu in range(UNFOLDED + 3)}}
    lines = drawn(amounts)
    assert [line.split()[-1] for line in lines[1:3]] == ["3", "4"]
    assert lines[-1] == "... 3 more CPUs: --all shows every one"
    assert len(drawn(amounts, most=None)) == UNFOLDED + 4


@pytest.mark.parametrize(
    ("width", "heading"),
    [
        (44, "RAN          RECEIVED   SENT       CPU  NODE"),
        (36, "RAN         RECEIVED  SENT      CPU"),
        (26, "RAN  RECEIVED  SENT  CPU"),
        (18, "RAN  RECEIVED  CPU"),
    ],
)
def test_where_it_is_narrow_the_node_goes_then_the_bars(width: int, heading: str) -> None:
    amounts: dict[str, Amounts] = {"run_time": {0: 3000}, "rx_packets": {0: 5}, "tx_packets": {0: 1}}
    lines = drawn(amounts, Host({0: 0, 1: 1}, True), width)
    assert lines[0] == heading
    assert all(cell_width(line) <= width for line in lines)


def test_bars_are_painted_and_the_heading_may_be_left_out() -> None:
    measure = Measure("A", "green", [1.0, 0.0], ["1", "0"], 1)
    labels = [Strip("B", ["x", "y"])]
    look = Look(Screen(10, colour=True), heading=False)
    assert list(abreast([measure], labels, look)) == [f"\x1b[32m{'█' * 5}\x1b[0m 1  x", f"{' ' * 5} 0  y"]


def test_the_host_is_its_table_of_cpus(make: Make) -> None:
    assert host_of(None) == Host({}, False)
    assert host_of(make([{"cpu": 0}, {"cpu": 1}])) == Host({0: None, 1: None}, False)
    rows = [{"cpu": 0, "numa_node": 0}, {"cpu": 1, "numa_node": 1}, {"cpu": None, "numa_node": None}]
    assert host_of(make(rows)) == Host({0: 0, 1: 1}, True)
