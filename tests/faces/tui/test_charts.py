# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleutan.faces.tui import charts
from fleutan.views.ranking import SEVERITY

NAN = float("nan")


def points(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_a_sparkline_is_full_at_its_greatest() -> None:
    assert charts.spark(points(0, 1, 2, 3, 4, 5, 6, 7), 8) == "▁▂▃▄▅▆▇█"
    assert charts.spark(points(0, 1, 2, 3, 4, 5, 6, 7), 8, blocks=False) == "_.:-=+*#"
    assert charts.spark(points(1e9, 1, 0), 3) == "█▂▁"


def test_what_is_not_known_is_blank() -> None:
    assert charts.spark(points(NAN, 0, NAN, 5), 6) == "   ▁ █"
    assert charts.spark(points(), 3) == "   "
    assert charts.spark(points(NAN), 2) == "  "
    assert charts.spark(points(1, 2), 0) == ""


def test_the_newest_points_stand_at_the_right() -> None:
    assert charts.spark(points(9, 0, 1), 2) == "▁█"


def test_a_chart_has_so_many_lines() -> None:
    assert charts.chart(points(0, 1, 8, 16, NAN), 5, 2) == ["   █ ", "▁▁██ "]
    assert charts.chart(points(0, 1, 12, 16, NAN), 5, 2) == ["  ▄█ ", "▁▁██ "]
    assert charts.chart(points(0, 1, 12, 16, 2), 6, 2, blocks=False) == ["   ## ", " _.##."]
    assert charts.chart(points(0, 7), 3, 1) == [" ▁█"]
    assert charts.chart(points(0, 0), 2, 2) == ["  ", "▁▁"]
    assert charts.chart(points(1, 2, 3), 2, 3)[0] == " █"


def test_verdicts_are_letters() -> None:
    assert len(charts.LETTERS) == len(SEVERITY)
    assert charts.verdicts(points(0, NAN, 3, 6), 6) == "  L C."
    assert charts.verdicts(points(0, 1), 1) == "R"
    assert charts.verdicts(points(0, 1), 0) == ""
