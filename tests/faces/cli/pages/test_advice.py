# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import UNFOLDED, Look
from fleutan.faces.cli.pages.advice import continued, section
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

HEADING = "WORTH DOING (commands for root; none of them is run)"
WITHIN = "printf '%s|' sh -c 'echo f > /sys/class/net/eth0/queues/tx-0/xps_cpus' --"


def test_commands_stand_below_their_reason(make: Callable[..., Table]) -> None:
    advice = make(
        [
            {"advice": "queue 1 of eth\x1b0 carries all", "remedy": "echo 1 > a"},
            {"advice": "queue 1 of eth\x1b0 carries all", "remedy": "echo 2 > b"},
            {"advice": "one lock", "remedy": "tc qdisc replace dev eth1 root mq"},
        ]
    )
    assert list(section(advice, Look(Screen(60)), None)) == [
        HEADING,
        "queue 1 of eth\\x1b0 carries all",
        "    echo 1 > a",
        "    echo 2 > b",
        "one lock",
        "    tc qdisc replace dev eth1 root mq",
        "─" * 60,
    ]


def test_without_advice_there_is_nothing(make: Callable[..., Table]) -> None:
    assert list(section(None, Look(Screen()), None)) == []
    assert list(section(Table("advice", {}), Look(Screen()), None)) == []


def test_many_commands_are_folded(make: Callable[..., Table]) -> None:
    advice = make([{"advice": "why", "remedy": f"echo {number}"} for number in range(UNFOLDED + 1)])
    assert list(section(advice, Look(Screen()), 5))[-2] == "... 1 more command: --all shows every one"
    assert len(list(section(advice, Look(Screen()), None))) == UNFOLDED + 4


@pytest.mark.parametrize("width", range(20, 90, 7))
def test_a_command_that_goes_on_is_the_same_for_a_shell(width: int) -> None:
    """Single quotes keep the backslash and the end of the line: the shell that ``sh -c`` starts removes them."""
    lines = list(continued(WITHIN, width))
    assert all(cell_width(line) <= width for line in lines)
    said, wanted = (
        subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True).stdout.split("|")
        for text in ("\n".join(lines), WITHIN)
    )
    inner = subprocess.run(
        ["sh", "-c", f"printf '%s|' {said[2].replace('>', '')}"], capture_output=True, text=True, check=True
    )
    assert inner.stdout == "echo|f|/sys/class/net/eth0/queues/tx-0/xps_cpus|"
    assert said[:2] + said[3:] == wanted[:2] + wanted[3:]


def test_a_command_that_fits_is_left_alone() -> None:
    assert list(continued("echo  1", 11)) == ["    echo  1"]
    assert list(continued("echo " + "x" * 500, None)) == ["    echo " + "x" * 500]
    assert all(cell_width(line) <= 24 for line in continued("echo " + "日" * 50, 24))
    assert all(cell_width(line) <= 20 for line in continued("echo " + "x" * 50, 3))
