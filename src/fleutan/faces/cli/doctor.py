# SPDX-License-Identifier: Apache-2.0
"""``fleutan doctor``: what this host allows, and what would allow more."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fleutan.faces.cli.terminal import Screen
    from fleutan.sources.doctor import Finding

_COLOURS = {"ok": "green", "degraded": "yellow", "missing": "red"}
_STATUS_WIDTH = max(map(len, _COLOURS))
_TO = "-> "
#: However narrow the terminal, a detail gets this much of it.
_LEAST = 20


@click.command("doctor", short_help="Say what this host allows, and what would allow more.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def command(as_json: bool) -> None:
    """Say what this kernel, these privileges and these libraries allow.

    Each finding has its reason and, where something is missing, the line that gives it.
    """
    import json

    from fleutan.faces.cli.terminal import screen
    from fleutan.sources.doctor import diagnose

    findings = diagnose()
    if as_json:
        rows = [{**finding._asdict(), "remedy": finding.remedy or None} for finding in findings]
        click.echo(json.dumps({"schema": "fleutan/doctor/1", "findings": rows}, indent=1))
        return
    for line in lines(findings, screen(sys.stdout)):
        click.echo(line)


def lines(findings: Sequence[Finding], here: Screen) -> Iterator[str]:
    """A finding a line, its remedy below it; both wrapped into the screen."""
    from fleutan.faces.cli.layout import wrapped

    topics = max(len(finding.topic) for finding in findings)
    margin = " " * (_STATUS_WIDTH + 2 + topics + 2)
    room = None if here.width is None else max(here.width - len(margin), _LEAST)
    for finding in findings:
        first = (
            f"{here.paint(f'{finding.status:{_STATUS_WIDTH}}', _COLOURS[finding.status])}  {finding.topic:{topics}}  "
        )
        for text in wrapped(finding.detail.split(), room, " "):
            yield first + text
            first = margin
        first = _TO
        for text in wrapped(finding.remedy.split(), None if room is None else room - len(_TO), " "):
            yield margin + first + text
            first = " " * len(_TO)
