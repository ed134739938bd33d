# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.limits import COLOURS, page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table
from fleutan.views.limits import VIEW
from fleutan.views.ranking import SEVERITY

Make = Callable[..., Table]
EVIDENCE, HINT = "2.5 % of 44 MB retransmitted", "the path loses packets: see its devices"


def drawn(table: Table, look: Look) -> list[str]:
    return list(page(table, ("limit", "rtt"), [("loss", 1), (None, 2)], look, VIEW))


def one(make: Make, limit: str | None, evidence: str | None, hint: str | None) -> Table:
    return make([{"limit": limit, "evidence": evidence, "hint": hint, "rtt": 1000}])


def test_without_a_limit_all_stands_in_a_line(make: Make) -> None:
    lines = drawn(one(make, "loss", EVIDENCE, HINT), Look(Screen()))
    assert lines == [
        "3 flows  loss 1  not known 2",
        "",
        "LIMIT  RTT",
        "loss   1ms",
        f"    {EVIDENCE} -> {HINT}",
    ]


def test_a_hint_that_does_not_fit_has_lines_of_its_own(make: Make) -> None:
    lines = drawn(one(make, "loss", EVIDENCE, HINT), Look(Screen(36), heading=False))
    assert lines[1:] == ["    2.5 % of 44 MB retransmitted", "    -> the path loses packets: see", "       its devices"]


def test_however_narrow_words_stay_whole(make: Make) -> None:
    lines = drawn(one(make, "loss", EVIDENCE, HINT), Look(Screen(10), heading=False))
    assert "    retransmitted" in lines


@pytest.mark.parametrize(
    ("evidence", "hint", "lines"), [(None, None, []), ("what is", None, ["    what is"]), ("x " * 20, None, None)]
)
def test_there_may_be_less_to_say(evidence: str | None, hint: str | None, lines: list[str] | None, make: Make) -> None:
    found = drawn(one(make, None, evidence, hint), Look(Screen(30), heading=False))[1:]
    assert found == (lines if lines is not None else ["    " + " ".join("x" * 13), "    " + " ".join("x" * 7)])


def test_the_verdict_is_painted(make: Make) -> None:
    look = Look(Screen(80, colour=True), heading=False)
    row, details = drawn(one(make, "loss", EVIDENCE, HINT), look)
    assert row == "\x1b[31mloss\x1b[0m   1ms"[: len(row)]
    assert details == f"    {EVIDENCE} \x1b[2m-> {HINT}\x1b[0m"
    assert set(SEVERITY) <= set(COLOURS)
