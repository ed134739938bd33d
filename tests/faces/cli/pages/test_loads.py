# SPDX-License-Identifier: Apache-2.0
"""What routers and links carry as a page, from tables made by hand; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.faces.cli.pages.test_hops import FLOWS, MANY, PATHS, SCREENS

from fleutan.analysis.paths import Link, Path, loads
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.loads import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]

RATES = {"p0": [20e6, 1e6], "p1": [300e6], "p2": [0.0], "p3": [5e6], "p4": [0.0], "p5": [2e6]}


def drawn(
    table: Table,
    paths: Sequence[Path],
    screen: Screen = Screen(100),  # noqa: B008
    most: int | None = None,
    rates: dict[str, list[float]] = RATES,
    heading: bool = True,
) -> list[str]:
    return list(page(table, paths, loads(paths, rates), Look(screen, heading), most))


@pytest.mark.parametrize("name", SCREENS)
def test_golden(name: str, make: Make, golden: Callable[[str, str], None]) -> None:
    golden(f"loads-{name}", "".join(f"{line}\n" for line in drawn(make(FLOWS), PATHS, SCREENS[name], 8)))


@pytest.mark.parametrize("width", [24, 30, 40, 57, 80, 100, 137])
@pytest.mark.parametrize("paths", [PATHS, PATHS[:1], MANY, []])
def test_no_line_is_longer_than_the_screen(width: int, paths: list[Path], make: Make) -> None:
    for line in drawn(make(FLOWS), paths, Screen(width)):
        assert cell_width(line) <= width
        assert line.isprintable()


def test_the_heaviest_come_first_and_the_rest_is_folded(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS, Screen(100, blocks=False), 2)
    assert [line.lstrip("# ").split() for line in lines] == [
        ["8", "flows", "6", "paths", "1", "not", "traced", "12", "routers", "14", "links", "328Mbps"],
        [],
        ["ROUTERS", "RATE", "FLOWS", "PATHS", "ROUTER", "AS"],
        ["323Mbps", "6", "p0-p2,p4,p5", "gw.office.example"],
        ["321Mbps", "3", "p0,p1", "ae1-0.core1.fra.transit.example", "AS64496", "DE"],
        ["...", "10", "more", "routers:", "--all", "shows", "every", "one"],
        ["-" * 100],
        ["LINKS", "RATE", "FLOWS", "PATHS", "FROM", "TO"],
        ["323Mbps", "6", "p0-p2,p4,p5", "this", "host", "->", "gw.office.example"],
        ["321Mbps", "3", "p0,p1", "gw.office.example", "->", "ae1-0.core1.fra.transit.exa~"],
        ["...", "12", "more", "links:", "--all", "shows", "every", "one"],
        ["-" * 100],
    ]


def test_both_ends_of_a_link_stand_on_a_narrow_screen(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS, Screen(40))
    assert all("->" in line for line in lines[-15:-1])


def test_where_no_rate_is_known_flows_are_compared(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS, Screen(100, blocks=False), 2, {path: [0.0] * len(RATES[path]) for path in RATES})
    assert lines[0].endswith("14 links")
    assert lines[3].count("#") == 2 * lines[4].count("#")


def test_without_routers(make: Make) -> None:
    assert drawn(make([]), []) == ["0 flows  0 paths  0 routers  0 links", "", "no router that answered"]
    assert drawn(make([]), [Path("p0", "flow", (), "unsent")], heading=False) == ["no router that answered"]


def test_without_headings_there_are_bars(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS, Screen(80), 1, heading=False)
    assert [line[0] for line in lines] == ["█", ".", "─", "█", ".", "─"]


def test_links_of_paths_that_are_not_shown(make: Make) -> None:
    strange = [Link("ev\x1bil", "192.0.2.1", 8.0, 1)]
    lines = list(page(make([]), [], ([Link("192.0.2.1", "192.0.2.1", 8.0, 1)], strange), Look(Screen(80))))
    assert lines[3].split()[1:] == ["8bps", "1", "-", "192.0.2.1"]
    assert lines[6].split()[1:] == ["8bps", "1", "-", "ev\\x1bil", "->", "192.0.2.1"]
