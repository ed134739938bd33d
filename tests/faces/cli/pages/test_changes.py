# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.analysis.test_paths import path

from fleutan.analysis.changes import changes
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages import changes as pages
from fleutan.faces.cli.terminal import Screen

BEFORE = [path("a", "b", "z"), path("a", "y")]
AFTER = [path("a", "c", "z"), path("a", "\x1b", "x")]


def drawn(width: int | None = 80) -> list[str]:
    return list(pages.page(changes(BEFORE, AFTER), "14:02:11", Look(Screen(width, 24))))


def test_what_has_changed_stands_side_by_side() -> None:
    lines = drawn()
    assert lines[0] == "the path to z (flow) has changed since 14:02:11"
    assert any("before" in line and "now" in line for line in lines)
    assert any(line.startswith(">") and "b" in line and "c" in line for line in lines)
    assert lines[-2:] == ["the path to x (flow) is new: a \\x1b x", "the path to y (flow) is not there any more: a y"]


def test_nothing_has_changed() -> None:
    same = changes(BEFORE, BEFORE)
    assert list(pages.page(same, "14:02:11", Look(Screen(80, 24)))) == ["no path has changed since 14:02:11"]


@pytest.mark.parametrize("width", [30, 80])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    assert all(len(line) <= width for line in drawn(width))


def test_without_a_terminal_nothing_is_cut() -> None:
    assert any("is not there any more: a y" in line for line in drawn(None))
