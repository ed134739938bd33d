# SPDX-License-Identifier: Apache-2.0
"""Where paths part and meet again: what they have in common in one line, what differs side by side.

How paths are aligned is the business of ``analysis.divergence``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.divergence import Branch, Divergence, divergence
from fleutan.analysis.divergence import Row as Aligned
from fleutan.analysis.paths import Path, flows_of
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import Strip, wrapped
from fleutan.faces.cli.pages import Look, summary, tabular
from fleutan.faces.cli.pages.bands import Row, bands
from fleutan.faces.cli.pages.hops import SILENT, ended, entries, heading, least_rtts, plural, ranges, told, who
from fleutan.table import Table

#: Before a row that differs.
MARK = ">"
_THIS_HOST = "this host"
#: A branch that has no hop there.
_NOWHERE = "ends"

Ints = NDArray[np.int64]


def page(table: Table, paths: Sequence[Path], look: Look) -> Iterator[str]:
    """What differs between the paths, hop by hop; then the ways on where they part first, and whose flows take them."""
    yield from summary(told(table, paths), look)
    if not paths:
        yield "no path"
        return
    found = divergence(paths)
    yield from compared(found, paths, look)
    if found.branches:
        yield look.screen.rule()
        words = (look.cut(word) for word in f"THE PATHS PART AFTER {_after(found, paths)}".split(" "))
        yield from map(look.title, wrapped(words, look.screen.width, " "))
        yield from tabular(_branches(found, table, paths), look)
    else:
        yield look.cut("one path: nothing to compare it with" if len(paths) == 1 else "no path differs from another")
    yield look.screen.rule()


def compared(found: Divergence, paths: Sequence[Path], look: Look) -> Iterator[str]:
    """The rows that differ side by side, those before and behind them in a line each."""
    yield from _common(found.rows[: found.first], paths, look)
    if found.branches:
        yield from bands(_rows(found, paths), look)
        yield from _common(found.rows[found.last :], paths, look)


def _common(rows: Sequence[Aligned], paths: Sequence[Path], look: Look) -> Iterator[str]:
    """Rows that are the same in all paths, as one sentence."""
    if not rows:
        return
    start = f"{_where(rows)} the same: "
    words = (start + ", ".join(_told(row, paths) for row in rows)).split(" ")
    cut = (look.cut(word) for word in words)
    yield from map(look.aside, wrapped(cut, look.screen.width, " "))


def _where(rows: Sequence[Aligned]) -> str:
    """The hops that the rows are, where that is so in every path."""
    first, last = ({hop.ttl for hop in row.hops if hop is not None} for row in (rows[0], rows[-1]))
    if len(first) > 1 or len(last) > 1:
        return plural(len(rows), "hop")
    return "-".join(str(ttl) for ttl in sorted(first | last))


def _told(row: Aligned, paths: Sequence[Path]) -> str:
    """Who is at hops that are the same: as one says of them that answered, if any did."""
    hops = [(path, hop) for path, hop in zip(paths, row.hops, strict=True) if hop is not None]
    answered = (pair for pair in hops if pair[1].routers)
    return next((who(*pair) for pair in (*answered, *hops)), SILENT)


def _rows(found: Divergence, paths: Sequence[Path]) -> list[Row]:
    """The rows from the first that differs to the last, those that differ marked; and how paths ended."""
    digits = len(str(max((hop.ttl for path in paths for hop in path.hops), default=0)))
    hops = [_row(row, paths, digits) for row in found.rows[found.first : found.last]]
    ends = Row("", [ended(path) for path in paths], "red")
    return [Row("", [heading(path) for path in paths], "bold"), *hops, ends]


def _row(row: Aligned, paths: Sequence[Path], digits: int) -> Row:
    """One row, each hop behind its own number."""
    cells = [
        entries(path, hop, f"{hop.ttl:>{digits}} ") if hop is not None else ()
        for path, hop in zip(paths, row.hops, strict=True)
    ]
    return Row("", cells) if row.same else Row(MARK, cells, "yellow")


# -- branches


def _branches(found: Divergence, table: Table, paths: Sequence[Path]) -> list[Strip]:
    """A row a branch: after which router it begins, its paths, flows, times and owners."""
    flows = [_rows_of(branch, flows_of(table), paths) for branch in found.branches]
    by_path = least_rtts(table)
    own = [_least([paths[place].rtt_us for place in branch.paths]) for branch in found.branches]
    tcp = [_least([by_path.get(paths[place].id) for place in branch.paths]) for branch in found.branches]
    return [
        Strip("THEN", [_then(branch, found, paths) for branch in found.branches], floor=15),
        Strip("PATHS", [ranges(branch.paths, paths) for branch in found.branches], floor=8),
        Strip("FLOWS", [f"{len(rows):,}" for rows in flows], True),
        Strip("PATH RTT", _compared(own), True, spare=1),
        Strip("TCP RTT", _compared(tcp), True, spare=1),
        Strip("OWNERS", [_owners(table, rows) for rows in flows], floor=12),
    ]


def _rows_of(branch: Branch, flows: Mapping[str, Ints], paths: Sequence[Path]) -> Ints:
    parts = [flows[paths[place].id] for place in branch.paths if paths[place].id in flows]
    return np.concatenate([*parts, np.zeros(0, np.int64)])


def _after(found: Divergence, paths: Sequence[Path]) -> str:
    """The last router before the paths part."""
    before = (_told(row, paths) for row in reversed(found.rows[: found.first]))
    return next((said for said in before if said != SILENT), _THIS_HOST)


def _then(branch: Branch, found: Divergence, paths: Sequence[Path]) -> str:
    """The router that follows."""
    place = branch.paths[0]
    onward = (row.hops[place] for row in found.rows[found.first :])
    return next((who(paths[place], hop) for hop in onward if hop is not None), _NOWHERE)


def _least(rtts: Sequence[float | None]) -> float | None:
    return min((rtt for rtt in rtts if rtt is not None), default=None)


def _compared(rtts: Sequence[float | None]) -> list[str]:
    """Each as it is, and how much longer than the best."""
    best = _least(rtts)
    if best is None:
        return [figures.UNKNOWN] * len(rtts)
    return [
        figures.UNKNOWN if rtt is None else f"{figures.time_us(rtt)} +{figures.time_us(rtt - best)}" for rtt in rtts
    ]


def _owners(table: Table, rows: Ints) -> str:
    """Who holds the flows, who has the most of them first."""
    if "proc" not in table:
        return figures.UNKNOWN
    counted = Counter(owner or figures.UNKNOWN for owner in table.columns["proc"].take(rows).objects())
    return ", ".join(figures.printable(owner) for owner, _ in counted.most_common()) or figures.UNKNOWN
