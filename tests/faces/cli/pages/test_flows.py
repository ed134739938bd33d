# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.flows import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

COLOURED = Look(Screen(80, colour=True))


def test_a_line_a_flow(flows: Table) -> None:
    lines = list(page(flows, ("proto", "remote"), Look(Screen())))
    assert len(lines) == len(flows) + 1
    assert lines[0].split() == ["PROTO", "REMOTE"]
    assert len(list(page(flows, ("proto", "remote"), COLOURED))) == len(lines)


def test_what_changed_is_painted(changed: Table) -> None:
    lines = list(page(changed, ("change",), COLOURED))
    assert lines[0] == "\x1b[1mCHANGE\x1b[0m"
    assert lines[1:] == ["-", "-", "-", "-", "-", "\x1b[32mnew\x1b[0m", "\x1b[2mgone\x1b[0m", "-", "-"]
    assert list(page(changed, ("change",), COLOURED._replace(heading=False))) == lines[1:]
