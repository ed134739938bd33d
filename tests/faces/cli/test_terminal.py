# SPDX-License-Identifier: Apache-2.0
import io
import os
import pty

import pytest

from fleutan.faces.cli.terminal import Screen, screen


def test_a_pipe_has_no_width_and_no_colour() -> None:
    found = screen(io.StringIO(), {})
    assert found.width is None
    assert not found.colour
    assert found.paint("text", "red") == "text"


@pytest.mark.parametrize(
    ("environ", "colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_has_both_unless_told(environ: dict[str, str], colour: bool) -> None:
    mine, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as stream, open(mine, "rb"):
        found = screen(stream, environ)
    assert found.width
    assert found.colour is colour
    assert found.blocks


def test_paint() -> None:
    assert Screen(80, colour=True).paint("x", "red") == "\x1b[31mx\x1b[0m"


@pytest.mark.parametrize(
    ("part", "blocks", "found"),
    [
        (0.0, True, ""),
        (1.0, True, "████"),
        (7.0, True, "████"),
        (0.5, True, "██"),
        (0.0001, True, "▏"),
        (0.6, True, "██▍"),
        (0.6, False, "###"),
        (-1.0, False, ""),
    ],
)
def test_bars(part: float, blocks: bool, found: str) -> None:
    assert Screen(blocks=blocks).bar(part, 4) == found


def test_rules() -> None:
    assert Screen().rule(3) == "───"
    assert Screen(blocks=False).rule(3) == "---"
    assert not screen(io.TextIOWrapper(io.BytesIO(), "ascii"), dict(os.environ)).blocks
