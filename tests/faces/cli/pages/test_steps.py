# SPDX-License-Identifier: Apache-2.0
"""Where time goes as a page, from tables made by hand; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.faces.cli.pages.test_hops import CORE, FLOWS, GATEWAY, MANY, PATHS, SCREENS, at

from fleutan.analysis.paths import Path, Router
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.steps import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]


def drawn(table: Table, paths: Sequence[Path], screen: Screen = Screen(100), heading: bool = True) -> list[str]:  # noqa: B008
    return list(page(table, paths, Look(screen, heading)))


@pytest.mark.parametrize("name", SCREENS)
def test_golden(name: str, make: Make, golden: Callable[[str, str], None]) -> None:
    golden(f"slow-{name}", "".join(f"{line}\n" for line in drawn(make(FLOWS), PATHS, SCREENS[name])))


@pytest.mark.parametrize("width", [24, 30, 40, 57, 80, 100, 137])
@pytest.mark.parametrize("paths", [PATHS, PATHS[:1], MANY, []])
def test_no_line_is_longer_than_the_screen(width: int, paths: list[Path], make: Make) -> None:
    for line in drawn(make(FLOWS), paths, Screen(width)):
        assert cell_width(line) <= width
        assert line.isprintable()


def test_without_paths(make: Make) -> None:
    assert drawn(make([]), []) == ["0 flows  0 paths", "", "no path"]
    assert drawn(make([]), [Path("p0", "flow", (), "unsent", "192.0.2.1")]) == [
        "0 flows  1 path",
        "",
        "p0 flow 192.0.2.1  0 flows  unsent: no way out of this host",
        "no hop",
        "─" * 100,
    ]


def test_the_hop_that_adds_the_most_has_the_widest_bar(make: Make) -> None:
    slow = Router("192.0.2.1", (45_200.0, 47_200.0))
    path = Path("p0", "flow", (at(1, GATEWAY), at(2, CORE), at(3, slow)), destination="192.0.2.1")
    lines = drawn(make([]), [path], Screen(100, blocks=False))
    room = lines[3].index("HOP") - 1
    assert [line.count("#") for line in lines[4:7]] == [1, 4, room]
    assert lines[6].split()[1:] == ["3", "40ms", "+-500us", "45.2ms", "0", "192.0.2.1"]
    assert lines[-1].startswith("+-: half")


def test_a_hop_that_only_answers_slowly_says_so(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS[:1])
    assert next(line for line in lines if line.endswith("slow reply")).split()[-3] == "198.51.100.33"
    assert "slow reply: it answers late, but what goes on through it does not come late" in lines
    assert not [line for line in drawn(make(FLOWS), PATHS[3:4]) if "slow" in line or "NOTE" in line]


def test_a_bar_is_red_where_loss_comes_in(make: Make) -> None:
    end = Router("192.0.2.1", (9_000.0,))
    path = Path("p0", "flow", (at(1, GATEWAY), at(2, CORE, lost=1), at(3, end, lost=1)), destination="192.0.2.1")
    lines = drawn(make([]), [path], Screen(100, colour=True))
    assert ["\x1b[31m" in line for line in lines[4:7]] == [False, True, False]
    assert [line.split()[-2] for line in lines[4:7]] == ["0", "33%", "0"]


def test_above_the_bars_stand_the_flows_of_the_path(make: Make) -> None:
    lines = drawn(make(FLOWS), PATHS, Screen(80), heading=False)
    assert lines[0] == "p0 flow 192.0.2.9  2 flows  rtt 12.3ms, tcp 12.9ms"
    assert [line.split()[1] for line in lines[1:3]] == ["10.9.0.1#41056", "10.9.0.1#41058"]
    assert "40000" not in "\n".join(line for line in lines if "127.0.0.1" in line)


def test_flows_of_which_only_their_path_is_known(make: Make) -> None:
    bare = make([{"path": "p0"}, {"path": "p0"}])
    lines = drawn(bare, PATHS[:1])
    assert lines[2] == "p0 flow 192.0.2.9  2 flows  rtt 12.3ms"
    assert lines[3].startswith("ADDED")
