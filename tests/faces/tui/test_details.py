# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleutan.faces.tui import details
from fleutan.faces.tui.charts import Signs
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Round
from fleutan.faces.tui.tabs import DETAILS

Make = Callable[..., Any]
Golden = Callable[[str, str], None]
MORE = {
    "cmdline": "postgres: app app 192.0.2.11(5432) idle in transaction",
    "cong": "cubic",
    "mss": 1448,
    "snd_wnd": 65_536,
    "evidence": "had data to send in 3 % of 1 s",
    "hint": "the process gives too little to send: see what it waits for (CPU, disk, requests of the peer)",
}


def text(model: Model, height: int = 24, width: int = 80, blocks: bool = True) -> str:
    found = details.lines(model, height, Signs(width, blocks), None)
    return "\n".join(["".join(piece for piece, _ in line).rstrip() for line in found] + [""])


@pytest.fixture
def watching(model: Model, second: Make, make_row: Make, make_table: Make) -> Model:
    """The details of the flow of postgres, with all that is asked besides."""
    model.watch()
    table = second(13)
    found = next(one for one in table.take(np.array([2])).rows())
    plain = make_row(3, found["proc"], "192.0.2.11#5432", retrans_rate=2.5, limit="app", tx_rate=1, rx_rate=1)
    detail = make_table([plain | MORE], (*table.columns, *DETAILS))
    model.take(Round(table, detail=detail))
    return model


@pytest.mark.parametrize(("width", "height"), [(80, 21), (40, 21), (120, 46)])
def test_golden_details(watching: Model, golden: Golden, width: int, height: int) -> None:
    golden(f"top-history-{width}x{height}", text(watching, height, width))


def test_without_signs_beyond_ascii(watching: Model) -> None:
    assert text(watching, blocks=False).isascii()


def test_a_closed_flow_keeps_its_history(watching: Model, second: Make) -> None:
    watching.take(Round(second(14).take(np.array([0]))))
    found = text(watching)
    assert found.splitlines()[0].endswith("closed")
    assert "tx rate" in found
    assert "limit    app\n" in found


def test_a_flow_without_a_verdict_has_none(model: Model) -> None:
    while model.live.take(model.lines.rows[[model.cursor]])["limit"][0] is not None:
        model.move(1)
    model.watch()
    assert "to do" not in text(model)


def test_a_forgotten_flow_says_so(watching: Model, second: Make) -> None:
    watching.reset()
    assert "no history yet" in text(watching)
    watching.take(Round(second(14).take(np.array([0]))))
    watching.reset()
    assert text(watching) == "this flow is gone, and no longer remembered\n"


def test_one_point_has_no_past(second: Make) -> None:
    model = Model()
    model.take(Round(second(1)))
    model.watch()
    assert "ago" not in text(model)
    assert "now" in text(model)
