# SPDX-License-Identifier: Apache-2.0
"""How those are that collect into a lake: of each its stages with what they lost, and its exporters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip
from fleutan.faces.cli.pages import Look, exporters, summary, tabular
from fleutan.programs.status import table
from fleutan.sources.exporters import Problem


def page(found: Sequence[Mapping[str, Any]], look: Look) -> Iterator[str]:
    """One after the other; a line where there is none."""
    if not found:
        yield "nobody collects into this lake"
    for place, one in enumerate(found):
        if place:
            yield ""
        yield from _collector(one, look)


def _collector(one: Mapping[str, Any], look: Look) -> Iterator[str]:
    state = "" if one["lives"] else "is gone, its last word: "
    yield from summary((f"process {one['pid']} {state}since {one['began']}, at {one['at']}",), look)
    yield from tabular(list(_stages(one["stages"])), look)
    for kind, rows in one["unknown_rates"].items():
        yield look.cut(f"{rows:,} {kind} whose sampling rate nobody told")
    for unread in one["unread"]:
        yield look.cut(f"{unread['times']:,} x {unread['reason']}")
    if one["trouble"]:
        yield look.screen.paint(look.cut(figures.printable(one["trouble"])), "red")
    yield ""
    problems = [Problem(**problem) for problem in one["problems"]]
    yield from exporters.page(table("exporters", one["exporters"]), problems, look)


def _stages(stages: Sequence[Mapping[str, Any]]) -> Iterator[Strip]:
    yield Strip("STAGE", [str(stage["stage"]) for stage in stages])
    yield Strip("OF", [str(stage["of"]) for stage in stages], floor=8)
    for title, key in (("PASSED", "passed"), ("LOST", "lost")):
        yield Strip(title, [f"{stage[key]:,}" for stage in stages], right=True)
    yield Strip("UNIT", [str(stage["unit"]) for stage in stages])
    yield Strip("WAITING", [figures.size(stage["waiting"]) for stage in stages], right=True)
