# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.volume import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table
from fleutan.views.volume import VIEW


def drawn(table: Table, rows: Table, look: Look, interval: bool = False) -> list[str]:
    return list(page(table, rows, rows, VIEW, look, interval))


def test_without_flows(empty: Table) -> None:
    assert drawn(empty, empty, Look(Screen())) == ["no flow"]


@pytest.mark.parametrize("interval", [False, True])
def test_two_sections_end_with_a_rule(interval: bool, changed: Table) -> None:
    lines = drawn(changed, changed, Look(Screen(80)), interval)
    rules = [place for place, line in enumerate(lines) if set(line) == {"─"}]
    assert rules == [len(changed) + 3, 2 * len(changed) + 5]
    total = "9 flows  sent 6.37Mbps  received 49.0Mbps" if interval else "9 flows  sent 1.00GB  received 1.53GB"
    assert lines[0] == total


def test_bars_are_of_both_directions(changed: Table) -> None:
    row = changed.take(np.array([6]))  # 1.2 MB sent, 64 kB received
    line = drawn(row, row, Look(Screen(80), heading=False))[-2]
    assert line.split()[0] == "█" * 15 + "▒"
    assert line.split()[1:3] == ["1.20MB", "64kB"]


def test_the_product_is_part_of_the_window(changed: Table) -> None:
    row = changed.take(np.array([0]))  # window 252 kB, product 109 kB
    line = drawn(row, row, Look(Screen(80, blocks=False), heading=False))[0]
    assert line.split()[0] == "#" * 7 + "=" * 9
    assert line.split()[1:4] == ["252kB", "109kB", "25.7Mbps"]


def test_rows_left_out_are_told(changed: Table) -> None:
    lines = drawn(changed, changed.take(np.arange(2)), Look(Screen(80)))
    assert lines.count("... 7 more flows: --all shows every one") == 2
