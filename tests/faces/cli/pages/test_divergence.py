# SPDX-License-Identifier: Apache-2.0
"""Where paths part as a page, from tables made by hand; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tests.analysis.test_paths import path as way
from tests.faces.cli.pages.test_hops import FLOWS, MANY, PATHS, SCREENS

from fleutan.analysis.paths import Hop, Path
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.divergence import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]

#: Two ways to one destination, and one to another behind the same router.
PARTING = [PATHS[0], PATHS[1], PATHS[5]]


def drawn(table: Table, paths: Sequence[Path], screen: Screen = Screen(100), heading: bool = True) -> list[str]:  # noqa: B008
    return list(page(table, paths, Look(screen, heading)))


def named(*ways: str) -> list[Path]:
    return [way(*words.split(), name=f"p{number}") for number, words in enumerate(ways)]


@pytest.mark.parametrize("name", SCREENS)
def test_golden(name: str, make: Make, golden: Callable[[str, str], None]) -> None:
    golden(f"delta-{name}", "".join(f"{line}\n" for line in drawn(make(FLOWS), PARTING, SCREENS[name])))


@pytest.mark.parametrize("name", ["100", "40"])
def test_golden_of_all(name: str, make: Make, golden: Callable[[str, str], None]) -> None:
    golden(f"delta-all-{name}", "".join(f"{line}\n" for line in drawn(make(FLOWS), PATHS, SCREENS[name])))


@pytest.mark.parametrize("width", [24, 30, 40, 57, 80, 100, 137])
@pytest.mark.parametrize("paths", [PATHS, PARTING, PATHS[:1], []])
def test_no_line_is_longer_than_the_screen(width: int, paths: list[Path], make: Make) -> None:
    for line in drawn(make(FLOWS), paths, Screen(width)):
        assert cell_width(line) <= width
        assert line.isprintable()


def test_many_long_paths(make: Make) -> None:
    lines = drawn(make(FLOWS), MANY, Screen(100))
    assert max(map(cell_width, lines)) <= 100
    branches = lines[lines.index("THE PATHS PART AFTER this host") + 2 : -1]
    assert [line[:12] for line in branches] == [f"2001:db8:1:{number}" for number in range(3)]


def test_what_is_the_same_stands_in_one_line(make: Make) -> None:
    lines = drawn(make([]), named("a b c z", "a b d z"), Screen(40))
    assert lines == [
        "0 flows  2 paths",
        "",
        "1-2 the same: a, b",
        "   p0 flow z  p1 flow z",
        ">  3 c 3ms    3 d 3ms",
        "4 the same: z",
        "─" * 40,
        "THE PATHS PART AFTER b",
        *lines[8:],
    ]


def test_an_inserted_hop_shifts_nothing(make: Make) -> None:
    lines = drawn(make([]), named("a b z", "a x b y z"), Screen(60))
    assert lines[2:8] == [
        "1 the same: a",
        "   p0 flow z  p1 flow z",
        ">             2 x 2ms",
        "   2 b 2ms    3 b 3ms",
        ">             4 y 4ms",
        "1 hop the same: z",
    ]
    assert [line.split()[:2] for line in lines[-3:-1]] == [["b", "p0"], ["x", "p1"]]


def test_a_path_that_ends_and_one_that_is_silent(make: Make) -> None:
    lines = drawn(make([]), named("a", "a * b", "a c"), Screen(60))
    assert lines[2] == "1 the same: a"
    assert [line.split()[:2] for line in lines[-4:-1]] == [["ends", "p0"], ["*", "p1"], ["c", "p2"]]


def test_silent_destinations_are_different_ones(make: Make) -> None:
    silent = [
        Path(f"p{number}", "flow", (*way("a", "b").hops, Hop(3, (), 3, 3)), destination=f"192.0.2.{number}")
        for number in (1, 1, 2)
    ]
    assert drawn(make([]), silent[:2])[2] == "1-3 the same: a, b, (192.0.2.1)"
    assert [line.split()[0] for line in drawn(make([]), silent)[-3:-1]] == ["(192.0.2.1)", "(192.0.2.2)"]


def test_paths_that_do_not_part(make: Make) -> None:
    assert drawn(make([]), [], heading=False) == ["no path"]
    one = drawn(make([]), named("a * z"), Screen(60))
    assert one[2:] == ["1-3 the same: a, *, z", "one path: nothing to compare it with", "─" * 60]
    two = drawn(make([]), named("a b z", "a b z"), Screen(60))
    assert two[2:] == ["1-3 the same: a, b, z", "no path differs from another", "─" * 60]
    assert drawn(make([]), [Path("p0", "flow", (), "unsent")])[2:-1] == ["one path: nothing to compare it with"]


def test_branches_say_whose_flows_and_how_much_longer(make: Make) -> None:
    lines = drawn(make(FLOWS), PARTING, Screen(140))
    assert [line.split("  ") for line in (" ".join(line.split()) for line in lines[-3:-1])] == [
        ["ae1-0.core1.fra.transit.example p0,p1 3 12.3ms +0 6.90ms +0 nginx(812), curl(25562), iperf3(25725)"],
        ["ae2.core2.fra.transit.example p5 1 15.5ms +3.20ms 16.1ms +9.20ms nginx(812)"],
    ]
    bare = make([{name: row[name] for name in ("path", "proto")} for row in FLOWS])
    assert drawn(bare, PARTING, Screen(140))[-2].split()[-2:] == ["-", "-"]
    unknown = make([{**row, "proc": None} for row in FLOWS])
    assert drawn(unknown, PARTING, Screen(140))[-2].split()[-1] == "-"
    nothing = make(FLOWS).take(np.zeros(len(FLOWS), np.bool_))
    assert drawn(nothing, PARTING, Screen(140))[-2].split()[2:] == ["0", "15.5ms", "+3.20ms", "-", "-"]


def test_rows_that_differ_are_marked_and_painted(make: Make) -> None:
    lines = drawn(make([]), named("a b x z", "a c x z"), Screen(60, colour=True))
    assert "\x1b[33m>\x1b[0m  \x1b[33m2 b 2ms\x1b[0m    \x1b[33m2 c 2ms\x1b[0m" in lines
    assert "\x1b[2m1 the same: a\x1b[0m" in lines
