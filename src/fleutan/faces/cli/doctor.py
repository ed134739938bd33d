# SPDX-License-Identifier: Apache-2.0
"""``fleutan doctor``: what this host allows, and what would allow more."""

from __future__ import annotations

import json
import sys

import click

_COLOURS = {"ok": "green", "degraded": "yellow", "missing": "red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def command(as_json: bool) -> None:
    """Say what this kernel, these privileges and these libraries allow.

    Each finding has its reason and, where something is missing, the line that gives it.
    """
    from fleutan.faces.cli.terminal import screen
    from fleutan.sources.doctor import diagnose

    findings = diagnose()
    if as_json:
        rows = [{**finding._asdict(), "remedy": finding.remedy or None} for finding in findings]
        click.echo(json.dumps({"schema": "fleutan/doctor/1", "findings": rows}, indent=1))
        return
    here = screen(sys.stdout)
    topic_width = max(len(finding.topic) for finding in findings)
    for finding in findings:
        status = here.paint(f"{finding.status:8}", _COLOURS[finding.status])
        click.echo(f"{status}  {finding.topic:{topic_width}}  {finding.detail}")
        if finding.remedy:
            click.echo(f"{'':8}  {'':{topic_width}}  -> {finding.remedy}")
