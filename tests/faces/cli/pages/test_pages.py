# SPDX-License-Identifier: Apache-2.0
"""What the pages have in common."""

from __future__ import annotations

import pytest

from fleutan.faces.cli.layout import Strip
from fleutan.faces.cli.pages import Look, beside_bars, flow_count, folded, strips, summary, tabular, title_of
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table
from fleutan.views.flows import VIEW

BOLD, DIM, OFF = "\x1b[1m", "\x1b[2m", "\x1b[0m"


@pytest.mark.parametrize(
    ("name", "title"), [("proc", "OWNER"), ("bytes_sent", "TX"), ("rtt_var", "RTT VAR"), ("local", "LOCAL")]
)
def test_titles(name: str, title: str) -> None:
    assert title_of(name) == title


def test_what_a_column_is(flows: Table) -> None:
    proc, local, rtt, pid, state = strips(flows, ("proc", "local", "rtt", "pid", "state"), Look(Screen()))
    assert (proc.title, proc.right, proc.floor, proc.tail) == ("OWNER", False, 12, "(")
    assert (local.right, local.floor, local.tail, local.yields) == (False, 15, "#", True)
    assert (rtt.right, rtt.floor, rtt.yields) == (True, None, False)
    assert (pid.right, state.right) == (False, False)


def test_a_view_says_what_may_go(flows: Table) -> None:
    found = {strip.title: strip for strip in strips(flows, ("retrans", "proto", "rtt", "proc"), Look(Screen()), VIEW)}
    assert found["RETRANS"].spare > found["PROTO"].spare > found["RTT"].spare > found["OWNER"].spare == 0
    assert found["RETRANS"].luxury
    assert not found["RTT"].luxury


def test_what_is_known_of_no_flow_goes_first(flows: Table) -> None:
    datagrams = flows.take(flows.column("proto").values == 1)
    rtt, proto = strips(datagrams, ("rtt", "proto"), Look(Screen()), VIEW)
    assert rtt.luxury
    assert rtt.spare > proto.spare
    assert not strips(datagrams.take(flows["dport"][:1] < 0), ("rtt",), Look(Screen()), VIEW)[0].luxury


def test_the_heading_is_painted_where_it_is_wanted() -> None:
    columns = [Strip("A", ["x"])]
    assert list(tabular(columns, Look(Screen(9, colour=True)))) == [f"{BOLD}A{OFF}", "x"]
    assert list(tabular(columns, Look(Screen(9, colour=True), heading=False))) == ["x"]


@pytest.mark.parametrize(
    ("width", "room"), [(None, 40), (100, 40), (120, 48), (300, 48), (60, 24), (40, 8), (20, 8), (35, 8)]
)
def test_bars_take_what_is_free(width: int | None, room: int) -> None:
    columns = [Strip("A", ["x" * 20]), Strip("B", ["y" * 10], floor=5)]
    found = beside_bars(columns, "TITLE OF THE BARS THAT IS TOO LONG FOR MOST OF THEM", Look(Screen(width)))
    assert found.room == room
    assert found.heading[room] == " "
    assert found.heading[room - 1] in "…S"[:1] + "ETRM AOF"
    assert width is None or all(room + 1 + len(line) <= max(width, 30) for line in found.beside)


def test_lines_above_and_below() -> None:
    look = Look(Screen(30, colour=True))
    assert list(summary(["7 flows", "sent 8GB", "received 9MB"], look)) == [
        f"{BOLD}7 flows  sent 8GB{OFF}",
        f"{BOLD}received 9MB{OFF}",
        "",
    ]
    assert list(summary(["7 flows"], Look(Screen(), heading=False))) == []
    assert folded(1, "", look) == f"{DIM}... 1 more flow: --all shows …{OFF}"
    assert folded(1234, " of 5us", Look(Screen())) == "... 1,234 more flows of 5us: --all shows every one"
    assert look.cut("x" * 40) == "x" * 29 + "…"
    assert Look(Screen()).cut("x" * 400) == "x" * 400


def test_counts() -> None:
    assert flow_count(1) == "1 flow"
    assert flow_count(1000, "TCP ") == "1,000 TCP flows"
