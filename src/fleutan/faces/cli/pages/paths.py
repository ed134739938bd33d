# SPDX-License-Identifier: Apache-2.0
"""The paths of flows: each flow with its path, then the paths side by side, hop by hop.

Where they part is drawn in ``divergence``, what they carry in ``loads``, where their time goes in
``steps``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleutan.analysis.paths import Path
from fleutan.faces.cli.pages import Look, strips, summary, tabular
from fleutan.faces.cli.pages.bands import Row, bands
from fleutan.faces.cli.pages.hops import FLOWS, ended, entries, heading, least_rtts, shown, times, told
from fleutan.table import Table


def page(table: Table, paths: Sequence[Path], look: Look) -> Iterator[str]:
    """The flows of ``table``, each with the path it takes (field ``path``); then the paths, a column each."""
    yield from summary(told(table, paths), look)
    if len(table):
        yield from tabular(strips(table, shown(table, FLOWS.columns), look, FLOWS), look)
        yield look.screen.rule()
    if not paths:
        yield "no path"
        return
    yield from bands(_rows(table, paths), look)
    yield look.screen.rule()


def _rows(table: Table, paths: Sequence[Path]) -> list[Row]:
    """The headings, a row for each distance, how each path ended, and round-trip times."""
    of_flows = least_rtts(table)
    by_ttl = [{hop.ttl: hop for hop in path.hops} for path in paths]
    ttls = sorted({ttl for hops in by_ttl for ttl in hops})
    hops = [
        Row(
            f"{ttl:>3}",
            [entries(path, found[ttl]) if ttl in found else () for path, found in zip(paths, by_ttl, strict=True)],
        )
        for ttl in ttls
    ]
    return [
        Row("HOP", [heading(path) for path in paths], "bold"),
        *hops,
        Row("", [ended(path) for path in paths], "red"),
        Row("RTT", [times(path, of_flows) for path in paths]),
    ]
