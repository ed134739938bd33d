# SPDX-License-Identifier: Apache-2.0
"""Paths as a page, from tables made by hand; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tests.faces.cli.pages.test_hops import FLOWS, GATEWAY, MANY, PATHS, SCREENS, SPINES, at

from fleutan.analysis.paths import Path
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.paths import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]


def drawn(table: Table, paths: Sequence[Path], screen: Screen = Screen(100), heading: bool = True) -> list[str]:  # noqa: B008
    return list(page(table, paths, Look(screen, heading)))


@pytest.mark.parametrize("name", SCREENS)
def test_golden(name: str, make: Make, golden: Callable[[str, str], None]) -> None:
    golden(f"paths-{name}", "".join(f"{line}\n" for line in drawn(make(FLOWS), PATHS, SCREENS[name])))


@pytest.mark.parametrize("width", [24, 30, 40, 57, 80, 100, 137])
@pytest.mark.parametrize("paths", [PATHS, PATHS[:1], MANY, []])
def test_no_line_is_longer_than_the_screen(width: int, paths: list[Path], make: Make) -> None:
    for line in drawn(make(FLOWS), paths, Screen(width)):
        assert cell_width(line) <= width
        assert line.isprintable()


def test_without_paths_and_flows(make: Make) -> None:
    flows = make(FLOWS)
    assert drawn(flows.take(np.zeros(len(flows), np.bool_)), []) == ["0 flows  0 paths", "", "no path"]
    assert drawn(make(FLOWS[5:6]), [])[0] == "1 flow  0 paths  1 not traced"
    assert drawn(make(FLOWS[5:6]), [])[3].startswith("-     tcp")


def test_without_headings_columns_keep_theirs(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS, heading=False)
    assert lines[0].startswith("p0    tcp")
    assert lines[9].startswith("HOP  p0 flow 192.0.2.9")


def test_every_path_and_every_router_is_there(make: Make) -> None:
    text = "\n".join(drawn(make([]), MANY, Screen(80)))
    assert [f"p{number} flow" in text for number in range(30)] == [True] * 30
    for hop in MANY[2].hops:
        for router in hop.routers:
            assert router.address in text


def test_hops_stand_at_their_distance(make: Make) -> None:
    path = Path("p0", "icmp", (at(3, GATEWAY), at(5, *SPINES)), "last", "192.0.2.1")
    lines = drawn(make([]), [path], Screen(60))
    assert [line[:5] for line in lines[2:]] == ["HOP  ", "  3  ", "  5  ", "     ", "     ", "     ", "RTT  ", "─" * 5]


def test_a_destination_that_kept_silent_is_in_brackets_and_one_that_was_not_found_is_not(make: Make) -> None:
    assert "(192.0.2.10)" in "\n".join(drawn(make([]), PATHS[1:2]))
    assert "(" not in "\n".join(drawn(make([]), PATHS[4:5]))


def test_what_is_wrong_is_painted(make: Make) -> None:
    text = "\n".join(drawn(make([]), PATHS, Screen(100, colour=True)))
    assert "\x1b[1mp0 flow 192.0.2.9\x1b[0m" in text
    assert "\x1b[31mrefused: no way on\x1b[0m" in text
    assert "\x1b[2m*\x1b[0m" in text
