# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from fleutan.faces.cli.terminal import PICTURE, WIDEST, Screen, screen


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A terminal of 91 columns and 33 lines."""
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 33, 91, 0, 0))
    with open(theirs, "w", encoding="utf-8") as stream, open(mine, "rb"):
        yield stream


def test_a_pipe_has_no_width_and_no_colour() -> None:
    found = screen(io.TextIOWrapper(io.BytesIO(), "utf-8"), {"COLUMNS": "40", "TERM": "xterm"})
    assert found == Screen(None, encoding="utf-8")
    assert found.paint("text", "red") == "text"


@pytest.mark.parametrize(
    ("environ", "moves", "colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_a_terminal_moves_and_has_colour_unless_told(
    environ: dict[str, str], moves: bool, colour: bool, terminal: TextIO
) -> None:
    found = screen(terminal, environ)
    assert (found.width, found.height, found.moves, found.colour, found.blocks) == (91, 33, moves, colour, True)


@pytest.mark.parametrize(
    ("environ", "size"),
    [({"COLUMNS": "40"}, (40, 33)), ({"LINES": "5", "COLUMNS": "x"}, (91, 5)), ({"COLUMNS": "0"}, (91, 33))],
)
def test_the_environment_may_say_how_large_it_is(
    environ: dict[str, str], size: tuple[int, int], terminal: TextIO
) -> None:
    found = screen(terminal, environ)
    assert (found.width, found.height) == size


def test_a_terminal_of_no_size_has_the_usual_one(terminal: TextIO) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 0, 0, 0, 0))
    assert screen(terminal, {})[:2] == (80, 24)


def test_a_terminal_without_a_descriptor_has_the_usual_size() -> None:
    class Odd(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    assert screen(Odd(io.BytesIO(), "utf-8"), {})[:2] == (80, 24)


@pytest.mark.parametrize(
    ("encoding", "environ", "blocks"),
    [
        ("utf-8", {}, True),
        ("utf-8", {"LANG": "de_DE.UTF-8"}, True),
        ("utf-8", {"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, False),
        ("utf-8", {"LC_CTYPE": "POSIX"}, False),
        ("utf-8", {"LC_ALL": "", "LANG": "C.UTF-8"}, True),
        ("ascii", {}, False),
        ("latin-1", {"LANG": "de_DE.UTF-8"}, False),
    ],
)
def test_blocks_where_they_are_understood(encoding: str, environ: dict[str, str], blocks: bool) -> None:
    found = screen(io.TextIOWrapper(io.BytesIO(), encoding), environ)
    assert found.blocks is blocks
    assert found.ellipsis == ("…" if blocks else "~")
    assert found.encoding == encoding


def test_a_stream_may_have_no_encoding() -> None:
    assert screen(io.StringIO(), dict(os.environ)).encoding == "ascii"


def test_paint() -> None:
    assert Screen(80, colour=True).paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert Screen(80, colour=True).paint("", "red") == ""


@pytest.mark.parametrize(
    ("part", "blocks", "found"),
    [
        (0.0, True, "    "),
        (1.0, True, "████"),
        (7.0, True, "████"),
        (0.5, True, "██  "),
        (0.0001, True, "▏   "),
        (0.6, True, "██▍ "),
        (0.6, False, "### "),
        (-1.0, False, "    "),
    ],
)
def test_bars(part: float, blocks: bool, found: str) -> None:
    assert Screen(blocks=blocks).bar(part, 4) == found


def test_a_bar_in_colour_is_as_wide() -> None:
    assert Screen(80, colour=True).bar(0.5, 4, "red") == "\x1b[31m██\x1b[0m  "


@pytest.mark.parametrize(
    ("parts", "blocks", "found"),
    [
        ((0.0, 0.0), True, "    "),
        ((0.5, 0.5), True, "██▒▒"),
        ((0.25, 0.0), True, "█   "),
        ((0.0, 0.001), True, "▒   "),
        ((3.0, 1.0), True, "███▒"),
        ((0.5, 0.25), False, "##= "),
    ],
)
def test_two_bars_end_to_end(parts: tuple[float, float], blocks: bool, found: str) -> None:
    assert Screen(blocks=blocks).stack(parts, 4, ("green", "blue")) == found


def test_rules_and_pictures_are_no_wider_than_one_reads() -> None:
    assert Screen(3).rule() == "───"
    assert Screen(3, blocks=False).rule() == "---"
    assert Screen().picture == PICTURE
    assert Screen(500).picture == WIDEST
