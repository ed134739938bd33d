# SPDX-License-Identifier: Apache-2.0
"""Measures over time as pictures; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.errors import UsageError
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.plot import page, series
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

SECOND, MINUTE = 10**9, 60 * 10**9
#: Thursday 17 September 2009, 18:25:00.154005 UTC.
AT = 1_253_211_900_154_005_000
MINUTES = np.delete(np.arange(200), range(60, 80))
WAVES = Table(
    "traffic",
    {
        "time": Column(AT + MINUTES * MINUTE),
        "bytes": Column((1e6 * (1.2 + np.sin(MINUTES / 15)) ** 3).astype(np.int64)),
        "packets": Column(MINUTES**2),
    },
)
SCREENS = {"80": Screen(80), "40": Screen(40), "ascii": Screen(80, blocks=False), "pipe": Screen()}


def drawn(table: Table, *measures: str, screen: Screen = Screen(80), heading: bool = True) -> list[str]:  # noqa: B008
    return list(page(table, measures, Look(screen, heading), utc=True))


def of(seconds: Sequence[float], values: Sequence[float | None], name: str = "bytes") -> Table:
    known = np.array([value is not None for value in values], np.bool_)
    numbers = np.array([value or 0 for value in values], np.float64 if name == "bbr_cwnd_gain" else np.int64)
    times = Column(AT + (np.array(seconds) * SECOND).astype(np.int64))
    return Table("traffic", {"time": times, name: Column(numbers, known)})


@pytest.mark.parametrize("name", SCREENS)
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    lines = drawn(WAVES, "bytes", "packets", screen=SCREENS[name])
    golden(f"plot-{name}", "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("width", [10, 24, 40, 80, 137])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    for line in drawn(WAVES, "bytes", screen=Screen(width)):
        assert cell_width(line) <= max(width, 19)
        assert line == line.rstrip()


def test_a_row_fills_the_time_that_it_lasts() -> None:
    lines = drawn(of([0, 60, 120], [1, 0, 4]), "bytes")
    assert lines[0] == "bytes  every 1min  mean 1.67B  greatest 4B at 2009-09-17 18:27:00 UTC"
    charts = [line[11:].ljust(69) for line in lines[1:13]]
    assert lines[1].startswith("       4B ┤")
    assert lines[7].startswith("       2B ┤")
    assert charts[0] == " " * 46 + "█" * 23
    assert charts[-1] == "█" * 23 + "▁" * 23 + "█" * 23
    assert lines[-1].split() == ["18:25:00", "18:26:00", "18:27:00", "18:28:00"]


def test_many_rows_in_a_column_are_their_mean() -> None:
    lines = drawn(of(range(69 * 4), [1, 2, 3, 6] * 69), "bytes", heading=False)
    assert lines[0].startswith("       3B ┤")
    assert lines[0][11:] == "█" * 69


def test_time_of_which_nothing_is_known_is_blank() -> None:
    lines = drawn(of([0, 1, 2, 10, 11, 12], [1, None, 1, 1, 1, 1]), "bytes", heading=False)
    base = lines[11][11:].ljust(69)
    assert base.count("█") == pytest.approx(69 * 5.5 / 13, abs=3)
    assert base[:4] == base[-4:] == "████"
    assert "  " in base
    assert drawn(of([0, 1], [None, None]), "bytes")[0] == "bytes  every 1s  not known"


def test_what_is_nothing_is_the_base_line() -> None:
    lines = drawn(of([0, 1], [0, 0]), "bytes")
    assert lines[0].endswith("greatest 0 at 2009-09-17 18:25:00 UTC")
    assert lines[12] == "          │" + "▁" * 69


def test_rows_of_the_same_time_are_one_point() -> None:
    assert series(of([0, 0, 1], [1, 2, None]), "bytes").values[0] == 3
    assert series(of([0, 0, 1], [1, 2, 5], "rtt"), "rtt").values.tolist() == [1.5, 5]
    assert series(of([1, 0], [1.5, 2.5], "bbr_cwnd_gain"), "bbr_cwnd_gain").values.tolist() == [2.5, 1.5]
    assert np.isnan(series(of([0, 1], [1, None]), "bytes").values[1])


def test_a_picture_of_days_has_dates() -> None:
    lines = drawn(of([0, 86_400, 172_800], [1, 2, 3]), "bytes")
    assert lines[-1].split("  ")[-1].strip() == "09-20 18:25"
    assert "every 1d" in lines[0]


def test_one_row_alone_is_drawn() -> None:
    assert drawn(of([0], [5]), "bytes")[1] == "       5B ┤" + "█" * 69


def test_without_a_row_there_is_nothing_to_draw() -> None:
    assert drawn(of([], []), "bytes") == ["nothing to draw"]


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        ((), "not 0"),
        (("bytes",) * 3, "not 3"),
        (("proto",), "proto is no measure"),
        (("sport",), "sport is no measure"),
        (("octet",), "no field is called 'octet'"),
        (("packets",), "has no column 'packets'"),
    ],
)
def test_what_cannot_be_drawn_is_a_wrong_question(measures: tuple[str, ...], message: str) -> None:
    table = of([0], [5]).with_columns({"proto": text_column(["tcp"]), "sport": Column(np.array([80]))})
    with pytest.raises(UsageError, match=message):
        drawn(table, *measures)
