# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.steering import ranges, section
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]

_SETTINGS = dict.fromkeys(("irq_effective_cpus", "irq_cpus", "rps_cpus", "rps_flow_cnt", "xps_cpus"))


def queue(direction: str, number: int | None, dev: str = "eth0", **known: Any) -> dict[str, Any]:
    unset = {"rps_cpus": "", "rps_flow_cnt": 0} if direction == "rx" else {"xps_cpus": ""}
    place = {"netns": "host", "dev": dev, "direction": direction, "queue": number}
    return {**place, **_SETTINGS, **unset, "bytes": 1, **known}


def drawn(table: Table | None, width: int | None = None) -> list[str]:
    return list(section(table, Look(Screen(width))))[:-1]


def test_what_is_set_stands_there_and_neighbours_alike_are_one(make: Make) -> None:
    rows = [
        queue("rx", 0, irq_cpus="0-3", irq_effective_cpus="2"),
        queue("rx", 1, irq_cpus="0-3", rps_cpus="0-1"),
        *(queue("tx", number) for number in range(3)),
        queue("tx", 5),
        queue("tx", 6, xps_cpus="1"),
    ]
    assert drawn(make(rows)) == [
        "DEV   QUEUES    IRQ CPUS  RPS CPUS  XPS CPUS",
        "eth0  rx 0      2         off",
        "eth0  rx 1      0-3       0-1",
        "eth0  tx 0-2,5  -                   off",
        "eth0  tx 6      -                   1",
    ]


def test_only_devices_that_carried_anything(make: Make) -> None:
    rows = [
        queue("rx", 0, "idle", bytes=0, rps_cpus="1"),
        queue("rx", 0, bytes=0),
        queue("tx", 0, bytes=5),
        queue("rx", None, "gone", bytes=5),
        queue("rx", 0, "ev\x1bil", netns=None, rps_flow_cnt=4096),
    ]
    assert drawn(make(rows)) == [
        "DEV            QUEUES  RFS FLOWS",
        "eth0           rx 0    off",
        "eth0           tx 0",
        "ev\\x1bil in -  rx 0    4096",
    ]


def test_every_device_where_it_is_not_known_what_they_carried(make: Make) -> None:
    rows = [{name: value for name, value in queue("rx", 0, xps_cpus=None).items() if name != "bytes"}]
    assert drawn(make(rows)) == ["neither interrupts, RPS, RFS nor XPS are set for the queues of eth0"]
    assert drawn(make([{**rows[0], "rps_cpus": "1"}]))[1] == "eth0  rx 0    1"


def test_nothing_to_say(make: Make) -> None:
    assert list(section(None, Look(Screen()))) == []
    assert list(section(make([queue("rx", 0, bytes=0)]), Look(Screen()))) == []


def test_long_lists_are_cut_to_the_screen(make: Make) -> None:
    lines = drawn(make([queue("rx", 0, rps_cpus=",".join(map(str, range(0, 64, 2))))]), 40)
    assert len(lines[1]) == 40
    assert lines[1].endswith("…")


@pytest.mark.parametrize(("numbers", "text"), [((), ""), ((3,), "3"), ((0, 1, 2, 3, 8), "0-3,8"), ((1, 3, 4), "1,3-4")])
def test_ranges(numbers: tuple[int, ...], text: str) -> None:
    assert ranges(numbers) == text
