# SPDX-License-Identifier: Apache-2.0
"""The whole program on a terminal that textual simulates, fed by hand."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from rich.console import Console
from textual.events import Key, Paste
from textual.pilot import Pilot

from fleutan.errors import Gone
from fleutan.faces.tui import drawing
from fleutan.faces.tui.app import STYLES, Top
from fleutan.faces.tui.keys import KEYS
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Failed, Round

Make = Callable[..., Any]
Golden = Callable[[str, str], None]
Act = Callable[[Top, Pilot[int]], Coroutine[Any, Any, None]]


def run(model: Model, feed: Make, act: Act, size: tuple[int, int] = (80, 24)) -> Top:
    """Runs the program while ``act`` presses its keys."""

    async def running() -> Top:
        app = Top(model, feed)
        async with app.run_test(size=size) as pilot:
            await act(app, pilot)
        return app

    return asyncio.run(running())


async def until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    """Lets the program go on until a condition holds, or fails."""
    for _ in range(200):
        if holds():
            return
        await pilot.pause()
    raise AssertionError(shown(pilot.app))  # type: ignore[arg-type]


def shown(app: Top) -> str:
    """What textual put on the screen."""
    width, height = app.size
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(width=width, height=height, file=nowhere, record=True, legacy_windows=False)
        console.print(app.screen._compositor.render_update(full=True))
        return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"


def drawn(app: Top) -> str:
    """What the model's lines are."""
    look = drawing.Look(*app.size, message=app.control.message, prompt=app.control.prompt)
    lines = ("".join(text for text, _ in line).rstrip() for line in drawing.screen(app.control.model, look))
    return "\n".join([*lines, ""])


def test_golden_the_screen_shows_the_lines_of_the_model(model: Model, recorded: Make, golden: Golden) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        await until(pilot, lambda: shown(app) == drawn(app))
        await pilot.press("a", "space")
        assert "▾" in shown(app)
        await pilot.press("escape", "slash", *"rtt", "space", "greater_than_sign")
        golden("top-app-80x24", shown(app))

    run(model, recorded, act)


def test_keys_typed_ahead_come_in_their_order(model: Model, recorded: Make) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        signs = [("slash", "/"), *((sign, sign) for sign in "sport=443"), ("enter", "\r"), ("j", "j")]
        for key, sign in signs:
            app.post_message(Key(key, sign))
        await until(pilot, lambda: app.control.model.cursor == 1)
        assert app.control.feed.told[-1] == ("ask", "sport=443")  # type: ignore[attr-defined]

    run(model, recorded, act)


def test_every_size_is_filled(model: Model, recorded: Make) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        for size in ((40, 24), (200, 50), (10, 2), (80, 24)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: shown(app) == drawn(app))

    run(model, recorded, act)


def test_rounds_are_shown_when_they_come(model: Model, recorded: Make, second: Make) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        post = app.control.feed.post  # type: ignore[attr-defined]
        post(Round(second(13)))
        await until(pilot, lambda: "tx 30Mbps" in shown(app))
        post(Failed(Gone("network namespace web is gone")))
        await until(pilot, lambda: "network namespace web is gone" in shown(app))

    app = run(model, recorded, act)
    assert app.control.feed.told == [("start",), ("stop",)]  # type: ignore[attr-defined]


def test_text_can_be_pasted(model: Model, recorded: Make) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        await pilot.press("slash")
        app.post_message(Paste("tcp and dport 443"))
        await until(pilot, lambda: "tcp and dport 443" in shown(app))

    run(model, recorded, act)


@pytest.mark.parametrize(("key", "status"), [("q", 0), ("ctrl+c", 130)])
def test_the_end_by_a_key(model: Model, recorded: Make, key: str, status: int) -> None:
    async def act(_: Top, pilot: Pilot[int]) -> None:
        await pilot.press(key)

    assert run(model, recorded, act).return_value == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_end_by_a_signal(model: Model, recorded: Make, number: signal.Signals) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        os.kill(os.getpid(), number)
        await until(pilot, lambda: app.return_value is not None)

    assert run(model, recorded, act).return_value == 128 + number


def test_ctrl_z_is_no_trouble(model: Model, recorded: Make) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        await pilot.press("ctrl+z")
        await until(pilot, lambda: shown(app) == drawn(app))

    run(model, recorded, act)


def test_without_colour_there_is_none(model: Model, recorded: Make) -> None:
    async def act(app: Top, pilot: Pilot[int]) -> None:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        colours = {
            segment.style.color.name for strip in strips for segment in strip if segment.style and segment.style.color
        }
        assert bool(colours - {"default"}) is ("NO_COLOR" not in os.environ)

    run(model, recorded, act)


def test_pieces_have_styles(model: Model) -> None:
    for tab in range(1, 8):
        model.open(tab)
        lines = drawing.screen(model, drawing.Look(200, 50))
        assert {style for line in lines for _, style in line} <= set(STYLES)
    assert len({name for key in KEYS for name in key.names}) > 30
