# SPDX-License-Identifier: Apache-2.0
"""``fleutan fields``: the catalogue of fields."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from fleutan.faces.cli import completion

if TYPE_CHECKING:
    from fleutan.fields import Field

#: The columns between a field's name and its meaning.
_BETWEEN: tuple[tuple[str, Callable[[Field], str]], ...] = (
    ("KEY", lambda field: field.key),
    ("KIND", lambda field: field.kind),
    ("UNIT", lambda field: field.unit),
)
#: Less room for the meanings is too little.
_LEAST = 24


@click.command("fields", short_help="List the fields that flows have.")
@click.argument("names", nargs=-1, shell_complete=completion.fields)
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List the fields that flows have: for filters, --fields, --sort, --group and JSON.

    With NAMES only those; a name may be a field's key or alias too.
    """
    import json

    from fleutan.faces.cli.terminal import screen
    from fleutan.fields import FIELDS, require

    chosen = [require(name) for name in names] or [field for field in FIELDS if field.of_flows]
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
    click.echo("\n".join(table(chosen, screen(sys.stdout).width)))


def table(fields: Sequence[Field], width: int | None) -> Iterator[str]:
    """A field a line, its meaning wrapped; where there is little room only its name stands before it."""
    from fleutan.faces.cli.layout import GAP, Strip, cell_width, lines, wrapped

    name = Strip("FIELD", [field.name for field in fields])
    heads = list(lines([name, *(Strip(title, [read(field) for field in fields]) for title, read in _BETWEEN)], None))
    margin = max(map(cell_width, heads)) + GAP
    if width is not None and width - margin < _LEAST:
        heads = list(lines([name], None))
        margin = max(map(cell_width, heads)) + GAP
    room = None if width is None else max(width - margin, _LEAST)
    for head, says in zip(heads, ["MEANING", *(field.help for field in fields)], strict=True):
        first = head.ljust(margin)
        for text in wrapped(says.split(), room, " "):
            yield first + text
            first = " " * margin
