# SPDX-License-Identifier: Apache-2.0
"""The screens as text: ``make golden`` rewrites them, the difference is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleutan.faces.cli.layout import cell_width
from fleutan.faces.tui import drawing
from fleutan.faces.tui.drawing import Look
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.prompt import Prompt
from fleutan.faces.tui.rounds import Cost, Round

Make = Callable[..., Any]
Golden = Callable[[str, str], None]


def text(model: Model, look: Look) -> str:
    lines = ("".join(piece for piece, _ in line).rstrip() for line in drawing.screen(model, look))
    return "\n".join([*lines, ""])


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 24), (200, 50), (80, 7), (24, 5)])
def test_golden_flows(model: Model, golden: Golden, width: int, height: int) -> None:
    golden(f"top-flows-{width}x{height}", text(model, Look(width, height)))


def test_golden_flows_in_ascii(model: Model, golden: Golden) -> None:
    model.take(Round(model.live.take(np.array([0])), cost=Cost(0.0123, 84.4), filter="dst 203.0.113.0/24"))
    found = text(model, Look(80, 24, blocks=False, message="a message"))
    assert found.isascii()
    golden("top-flows-ascii", found)


@pytest.mark.parametrize("width", [80, 40])
def test_golden_processes(model: Model, golden: Golden, width: int) -> None:
    model.open(2)
    model.toggle_group()
    model.paused = True
    golden(f"top-processes-{width}x24", text(model, Look(width, 24)))


@pytest.mark.parametrize(
    ("tab", "name"),
    [(3, "units"), (4, "peers"), (5, "cpus"), (6, "states"), (7, "limits"), (8, "queues")],
)
def test_golden_tabs(model: Model, golden: Golden, tab: int, name: str) -> None:
    model.open(tab)
    golden(f"top-{name}-100x16", text(model, Look(100, 16)))


def test_golden_closed_flows(model: Model, second: Make, golden: Golden) -> None:
    model.take(Round(second(13).take(np.array([0, 2]))))
    model.toggle_closed()
    golden("top-closed-100x16", text(model, Look(100, 16)))


@pytest.mark.parametrize("width", [80, 40])
def test_golden_help(model: Model, golden: Golden, width: int) -> None:
    model.show("help")
    golden(f"top-help-{width}x40", text(model, Look(width, 40)))


def test_golden_details(model: Model, golden: Golden) -> None:
    model.watch()
    golden("top-details-80x24", text(model, Look(80, 24)))


def test_golden_filter_with_trouble(model: Model, golden: Golden) -> None:
    prompt = Prompt("filter", "filter (Enter: apply, Esc: leave it)", "tcp and rtt >> 3", 16)
    prompt.say("a value must follow '>'", 13)
    golden("top-filter-80x24", text(model, Look(80, 24, prompt=prompt)))


def test_a_caret_stays_below_its_place(model: Model) -> None:
    prompt = Prompt("filter", "filter", "a" * 50 + "!" + "b" * 20, 71)
    prompt.say("wrong", 50)
    lines = text(model, Look(40, 24, prompt=prompt)).splitlines()
    at = next(number for number, line in enumerate(lines) if "!" in line)
    assert lines[at].index("!") == lines[at + 1].index("^")
    prompt.at = 0
    assert text(model, Look(40, 24, prompt=prompt)).splitlines()[-2].index("^") == 39


def test_before_the_first_round_nothing_is_known(empty: Model) -> None:
    assert "nothing to show" in text(empty, Look(80, 24))
    empty.filter = "udp"
    assert "no flow matches the filter" in text(empty, Look(80, 24))
    assert "reading" in text(Model(), Look(80, 24))


def test_long_pages_scroll(model: Model) -> None:
    model.show("help")
    first = text(model, Look(60, 12))
    model.move(3)
    assert text(model, Look(60, 12)).splitlines()[:5] == first.splitlines()[3:8]
    model.move(999)
    last = text(model, Look(60, 12))
    assert NOTE_END in last
    assert model.offset < 100


NOTE_END = "allow it)"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 250),
    height=st.integers(1, 60),
    page=st.sampled_from(["list", "help", "details"]),
    blocks=st.booleans(),
    asked=st.booleans(),
)
def test_every_size_has_a_screen(model: Model, width: int, height: int, page: Any, blocks: bool, asked: bool) -> None:
    if page == "details":
        model.watch()
    model.show(page)
    prompt = Prompt("filter", "filter", "rtt > ", 6, "a value must follow", 6) if asked else None
    lines = drawing.screen(model, Look(width, height, blocks, message="a rather long message", prompt=prompt))
    model.unwatch()
    assert len(lines) == height
    assert all(cell_width("".join(piece for piece, _ in line)) <= width for line in lines)
