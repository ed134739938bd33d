# SPDX-License-Identifier: Apache-2.0
"""What is worth doing: why, and the commands for it, in lines that a shell takes as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

from fleutan.analysis.queues import keys_of
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import cell_width, wrapped
from fleutan.faces.cli.pages import UNFOLDED, Look
from fleutan.faces.cli.pages.qdiscs import left_out
from fleutan.table import Table

_INDENT = "    "
#: No command is broken into lines shorter than this.
_LEAST = 20


def section(advice: Table | None, look: Look, most: int | None) -> Iterator[str]:
    """Each piece of the table ``advice`` with its commands; no line where there is none.

    Many commands of one piece are folded unless ``most`` is None.
    """
    if not advice:
        return
    width = look.screen.width
    heading = "WORTH DOING (commands for root; none of them is run)"
    yield from map(look.title, wrapped(heading.split(), width, " "))
    for reason, rows in groupby(keys_of(advice, ("advice", "remedy")), lambda row: row[0]):
        yield from wrapped(figures.printable(reason).split(), width, " ")
        commands = [command for _, command in rows]
        for command in islice(commands, None if most is None else UNFOLDED):
            yield from continued(figures.printable(command), width)
        if most is not None and len(commands) > UNFOLDED:
            yield left_out(len(commands) - UNFOLDED, "command", look)
    yield look.screen.rule()


def continued(command: str, width: int | None) -> Iterator[str]:
    """The command, indented, in lines that end with a backslash where it goes on.

    A shell removes the backslash with the end of the line, and one that is within single quotes
    the inner shell: ``sh -c`` reads it again.
    """
    if width is None or cell_width(_INDENT + command) <= width:
        yield _INDENT + command
        return
    width = max(width, _LEAST)
    line = _INDENT
    for word in command.split(" "):
        if line.strip() and cell_width(f"{line}{word} \\") > width:
            yield line + "\\"
            line = _INDENT
        line += word
        while cell_width(line) > width - 2:  # the word goes on where the next line begins
            head = next(line[:end] for end in range(width, 0, -1) if cell_width(line[:end]) < width)
            yield head + "\\"
            line = line[len(head) :]
        line += " "
    yield line.rstrip()
