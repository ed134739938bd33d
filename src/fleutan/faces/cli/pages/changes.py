# SPDX-License-Identifier: Apache-2.0
"""What became of paths since they were traced before."""

from __future__ import annotations

from collections.abc import Iterator

from fleutan.analysis.changes import Changes
from fleutan.analysis.paths import Path
from fleutan.faces.cli import figures
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.divergence import compared


def page(found: Changes, since: str, look: Look) -> Iterator[str]:
    """Each change with the two paths side by side, then what is new and what is gone; ``since`` says since when."""
    since = figures.printable(since)
    if not found:
        yield look.cut(f"no path has changed since {since}")
        return
    for before, after, aligned in found.changed:
        yield look.title(look.cut(f"{_told(after)} has changed since {since}"))
        yield from compared(aligned, (before._replace(id="before"), after._replace(id="now")), look)
        yield look.screen.rule()
    for paths, what in ((found.new, "new"), (found.gone, "not there any more")):
        for path in paths:
            way = " ".join(", ".join(sorted(hop.addresses)) or "*" for hop in path.hops)
            yield look.cut(f"{_told(path)} is {what}: {figures.printable(way)}")


def _told(path: Path) -> str:
    return figures.printable(f"the path to {path.destination} ({path.method})")
