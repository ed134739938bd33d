# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleutan.errors import Gone
from fleutan.faces.tui.control import _ACTIONS, Control
from fleutan.faces.tui.keys import KEYS
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.rounds import Failed, Round

Make = Callable[..., Any]


@pytest.fixture
def control(model: Model, recorded: Make) -> Control:
    return Control(model, recorded())


def told(control: Control) -> list[tuple[Any, ...]]:
    feed: Any = control.feed
    return list(feed.told)


def press(control: Control, *keys: str) -> None:
    for key in keys:
        control.press(key, None)


def write(control: Control, text: str) -> None:
    for sign in text:
        control.press(sign, sign)


def test_every_key_has_its_action() -> None:
    assert {key.action for key in KEYS} == set(_ACTIONS)


@pytest.mark.parametrize("key", [name for key in KEYS for name in key.names])
def test_no_key_fails_on_a_host_without_flows(key: str, empty: Model, recorded: Make) -> None:
    control = Control(empty, recorded())
    press(control, key, key, "escape")
    assert control.prompt is None


def test_q_and_ctrl_c_end_it(control: Control) -> None:
    press(control, "f12")
    assert control.status is None
    press(control, "q")
    assert control.status == 0
    press(control, "slash", "ctrl+c")
    assert control.status == 130


def test_pages(control: Control) -> None:
    model = control.model
    press(control, "question_mark")
    assert model.page == "help"
    press(control, "j", "enter", "question_mark")
    assert (model.page, model.cursor) == ("list", 0)
    press(control, "enter")
    assert (model.page, told(control)) == ("details", [("watch", 3)])
    press(control, "question_mark")
    assert (model.page, told(control)[-1]) == ("help", ("watch", None))
    press(control, "escape", "enter", "2")
    assert (model.page, model.tab.number, told(control)[-1]) == ("list", 2, ("watch", None))


def test_the_cursor_moves(control: Control) -> None:
    model = control.model
    model.scroll(2)
    press(control, "j", "j", "up")
    assert model.cursor == 1
    press(control, "pagedown")
    assert model.cursor == 3
    press(control, "pageup", "G", "g")
    assert model.cursor == 0
    press(control, "end")
    assert model.cursor == 3


def test_order(control: Control) -> None:
    press(control, "s", "S")
    assert control.model.order() == ("retrans_rate", False)


def test_groups(control: Control) -> None:
    model = control.model
    press(control, "space")
    assert control.message == "no group here: 'a' or a tab groups the flows"
    press(control, "a")
    assert (model.tab.by, control.message) == ("proc", "")
    lines = len(model.lines)
    press(control, "enter")
    assert len(model.lines) > lines
    press(control, "space")
    assert len(model.lines) == lines
    press(control, "a")
    assert model.tab.number == 1


def test_tabs(control: Control) -> None:
    press(control, "tab", "right")
    assert control.model.tab.number == 3
    press(control, "shift+tab", "left", "left")
    assert control.model.tab.number == 8
    press(control, "tab", "9")
    assert (control.model.tab.number, control.message[:28]) == (1, "no drops: nothing was droppe")


def test_other_tables_have_no_details(control: Control, second: Make, make_table: Make) -> None:
    drops = make_table([{"dev": "eth0"}], ("dev",), "drops")
    control.arrived(Round(second(13), others={"drops": drops}))
    press(control, "9", "enter")
    assert (control.model.page, told(control)) == ("list", [])


def test_what_the_feed_is_told(control: Control) -> None:
    press(control, "p")
    assert control.message == "paused: p goes on"
    press(control, "p", "r", "t")
    assert told(control) == [("pause", True), ("pause", False), ("reset",)]
    assert (control.message, control.model.with_closed) == ("closed flows are shown", True)
    press(control, "t")
    assert control.message == "closed flows are hidden"
    assert control.model.history.rounds == 0


def test_rounds_arrive(control: Control, second: Make) -> None:
    control.arrived(Round(second(13)))
    assert control.model.history.rounds == 13
    control.arrived(Failed(Gone("network namespace web is\x1b gone\nand more")))
    assert control.message == "network namespace web is\\x1b gone"
    press(control, "f12")
    assert control.message != ""
    press(control, "j")
    assert control.message == ""


def test_a_filter_is_typed(control: Control) -> None:
    press(control, "slash")
    write(control, "rtt >> 5ms")
    assert control.prompt is not None
    assert (control.prompt.trouble, control.prompt.caret) == ("a value must follow '>'", 5)
    press(control, "enter")
    assert control.prompt is not None
    press(control, "ctrl+u")
    control.paste("rtt > 5ms")
    assert control.prompt.trouble == ""
    press(control, "enter")
    assert str(control.prompt) == "None"
    assert control.message == "filtering"
    assert told(control) == [("ask", "rtt > 5ms")]


def test_a_filter_is_left(control: Control) -> None:
    control.model.filter = "tcp"
    press(control, "slash")
    assert control.prompt is not None
    assert control.prompt.text == "tcp"
    write(control, "q ")
    press(control, "f12", "escape")
    assert str(control.prompt) == "None"
    assert (control.status, told(control)) == (None, [])
    control.paste("udp")
    assert control.prompt is None


def test_an_export_never_writes_over_a_file(control: Control, tmp_path: Path) -> None:
    there, fresh = tmp_path / "there.json", tmp_path / "fresh.json"
    there.write_text("kept")
    press(control, "e")
    assert control.prompt is not None
    assert control.prompt.text == "fleutan-web1-20270115-080012.json"
    press(control, "ctrl+u", "enter")
    assert control.prompt.trouble == "no name: No such file or directory"
    write(control, str(there))
    press(control, "enter")
    assert control.prompt.trouble == f"{there} exists: choose another name"
    press(control, "ctrl+u")
    assert control.prompt.trouble == ""
    write(control, str(fresh))
    press(control, "enter")
    assert control.prompt is None
    assert control.message.startswith("wrote ")
    assert there.read_text() == "kept"
    assert json.loads(fresh.read_text())["schema"] == "fleutan/flows/1"
