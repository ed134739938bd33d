# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fleutan.analysis.latency import Bins, Extremes, distribution, extremes
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.latency import grade, histogram, page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table
from fleutan.views.latency import VIEW

Make = Callable[..., Table]
STEPS = (10.0, 20.0, 100.0)


def crowd(make: Make, *rtts: int) -> Table:
    ends = {"src": "10.0.0.1", "dst": "10.0.0.2", "dport": 443, "proto": "tcp", "proc": "x(1)"}
    return make([{"rtt": rtt, "min_rtt": rtt // 2, "sport": place, **ends} for place, rtt in enumerate(rtts)])


def drawn(table: Table, shown: Extremes, look: Look | None = None) -> list[str]:
    spread = distribution(table["rtt"])
    return list(page(table, spread, shown, look or Look(Screen()), STEPS, VIEW))


@pytest.mark.parametrize(
    ("steps", "colours"),
    [
        ((10.0, 20.0, 100.0), ["green", "green", "yellow", "magenta", "red"]),
        ((10.0, 100.0), ["green", "green", "yellow", "yellow", "red"]),
        ((100.0,), ["green", "green", "green", "green", "red"]),
    ],
)
def test_the_last_colour_is_for_what_reaches_every_step(steps: tuple[float, ...], colours: list[str]) -> None:
    assert [grade(rtt, steps) for rtt in (0, 9_999, 10_000, 20_000, 100_000)] == colours


def test_without_flows(make: Make) -> None:
    empty = crowd(make, 1).take(np.zeros(1, np.bool_))
    assert drawn(empty, extremes(0, 9)) == ["no TCP flow with a round-trip time"]


def test_sections_end_with_a_rule(make: Make) -> None:
    lines = drawn(crowd(make, 1000, 2000), extremes(2, 9))
    assert lines[0] == "2 TCP flows  rtt min 1ms  median 1ms  p90 2ms  p99 2ms  max 2ms"
    assert [place for place, line in enumerate(lines) if set(line) == {"─"}] == [len(lines) - 4 - 1, len(lines) - 1]
    assert lines[-2].split()[1:] == ["2ms", "1ms", "10.0.0.1#1", "10.0.0.2#443", "x(1)"]
    assert lines[-2].startswith("█" * 40)


def test_a_figure_stands_behind_its_bar(make: Make) -> None:
    first, second = drawn(crowd(make, 1000, 2000), extremes(2, 9), Look(Screen(80), heading=False))[-3:-1]
    assert len(second.split()[0]) == 2 * len(first.split()[0])


def test_the_longest_bar_is_that_of_the_longest_time_in_any_order(make: Make) -> None:
    lines = drawn(crowd(make, 300, 9000, 20), Extremes(range(2), range(3, 3), 1), Look(Screen(80), heading=False))
    assert lines[-2] == "... 1 more flow of 20us: --all shows every one"
    assert lines[-3].split()[0] == "█" * 32


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (Extremes(range(1), range(3, 4), 2), "... 2 more flows from 2us to 3us: --all shows every one"),
        (Extremes(range(0), range(2, 4), 2), "... 2 more flows from 1us to 2us: --all shows every one"),
        (Extremes(range(2), range(4, 4), 2), "... 2 more flows from 3us to 4us: --all shows every one"),
    ],
)
def test_what_is_folded_is_told_in_its_place(shown: Extremes, line: str, make: Make) -> None:
    lines = drawn(crowd(make, 1, 2, 3, 4), shown, Look(Screen(80), heading=False))
    assert lines[-4 + len(shown.low)] == line


def test_bins_are_painted_by_where_they_begin() -> None:
    spread = distribution(np.array([5_000, 150_000]), Bins("linear", 2))
    low, high = list(histogram(spread, Look(Screen(40, colour=True), heading=False), STEPS))
    assert low.startswith("\x1b[32m")
    assert high.startswith("\x1b[31m")
    assert high.endswith("1  [100ms - 200ms]")


def test_labels_tell_bins_apart() -> None:
    spread = distribution(np.array([100_001, 100_002, 100_004]), Bins("linear", 4))
    labels = [line.split("  ")[-1] for line in histogram(spread, Look(Screen(), heading=False), STEPS)]
    assert labels[0] == "[100,001us - 100,002us]"
    assert len(set(labels)) == len(labels)


def test_a_single_time_is_a_bin_of_its_own() -> None:
    line = next(histogram(distribution(np.array([7, 7])), Look(Screen(), heading=False), STEPS))
    assert line.endswith("2  [7us]")
