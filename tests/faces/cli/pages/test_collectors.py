# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.collectors import page
from fleutan.faces.cli.terminal import Screen


def collector(**more: Any) -> dict[str, Any]:
    stage = {"stage": "kernel", "of": "127.0.0.1 port 6343", "unit": "datagrams", "passed": 12345, "lost": 6}
    row = {"exporter": "192.0.2.1", "protocol": "sflow-5", "datagrams": 1200, "octets": 9, "rates": [400], "missing": 3}
    row |= dict.fromkeys(("agent", "domain"))
    counts = "flow_records packet_samples counter_samples discards option_records templates late repeated restarts"
    row |= dict.fromkeys((*counts.split(), "unread_sets", "rejected"), 0)
    return {
        "pid": 7,
        "began": "2026-01-01T10:00:00Z",
        "at": "2026-01-01T11:00:00Z",
        "lives": True,
        "trouble": "",
        "stages": [stage | {"waiting": 2_000_000}],
        "unknown_rates": {},
        "unread": [],
        "exporters": [row],
        "problems": [],
        **more,
    }


def drawn(*found: dict[str, Any], width: int = 120) -> list[str]:
    return list(page(found, Look(Screen(width, 24))))


def test_where_nobody_collects() -> None:
    assert drawn() == ["nobody collects into this lake"]


def test_stages_stand_above_exporters() -> None:
    lines = drawn(collector())
    assert lines[0] == "process 7 since 2026-01-01T10:00:00Z, at 2026-01-01T11:00:00Z"
    assert lines[2].split() == ["STAGE", "OF", "PASSED", "LOST", "UNIT", "WAITING"]
    assert lines[3].split() == ["kernel", "127.0.0.1", "port", "6343", "12,345", "6", "datagrams", "2MB"]
    assert "1,200 datagrams  1 exporter" in lines
    assert lines[-1].split()[:2] == ["192.0.2.1", "sflow-5"]


def test_what_is_wrong_is_said() -> None:
    problem = {"where": "NetFlow", "reason": "no template", "times": 4}
    lines = drawn(
        collector(
            lives=False,
            trouble="samples cannot be written: \x1b[2J",
            unread=[{"reason": "datagram of no known protocol", "times": 1000}],
            unknown_rates={"records": 12},
            problems=[problem],
        )
    )
    assert lines[0].startswith("process 7 is gone, its last word: since")
    assert "12 records whose sampling rate nobody told" in lines
    assert "1,000 x datagram of no known protocol" in lines
    assert "samples cannot be written: \\x1b[2J" in lines
    assert lines[-1] == "4 x NetFlow: no template"


def test_several_are_told_apart_and_fit() -> None:
    lines = drawn(collector(), collector(pid=8), width=40)
    assert sum(line.startswith("process") for line in lines) == 2
    assert max(map(len, lines)) <= 40
