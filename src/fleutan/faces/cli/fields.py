# SPDX-License-Identifier: Apache-2.0
"""``fleutan fields``: the catalogue of fields."""

from __future__ import annotations

import json
import sys

import click


@click.command("fields")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List the fields that flows have: for filters, --fields, --sort, --group and JSON.

    With NAMES only those; a name may be a field's key or alias too.
    """
    from fleutan.faces.cli.layout import Strip, lines
    from fleutan.faces.cli.terminal import screen
    from fleutan.fields import FIELDS, require

    chosen = [require(name) for name in names] or FIELDS
    if as_json:
        rows = [
            {
                "name": field.name,
                "key": field.key,
                "kind": field.kind,
                "type": field.type,
                "unit": field.unit or None,
                "aliases": list(field.aliases),
                "help": field.help,
                "source": field.source,
            }
            for field in chosen
        ]
        click.echo(json.dumps({"schema": "fleutan/fields/1", "fields": rows}, indent=1))
        return
    strips = [
        Strip("FIELD", [field.name for field in chosen]),
        Strip("KEY", [field.key for field in chosen]),
        Strip("KIND", [field.kind for field in chosen]),
        Strip("UNIT", [field.unit for field in chosen]),
        Strip("MEANING", [field.help for field in chosen], floor=20),
    ]
    click.echo("\n".join(lines(strips, screen(sys.stdout).width)))
