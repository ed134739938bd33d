# SPDX-License-Identifier: Apache-2.0
"""One line a flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleutan.faces.cli.pages import Look, strips, tabular
from fleutan.table import Table
from fleutan.views import View

_CHANGES = {"appeared": "green", "vanished": "dim", "brief": "dim"}


def page(table: Table, names: Sequence[str], look: Look, view: View | None = None) -> Iterator[str]:
    """The table; flows that appeared or vanished inside an interval are painted."""
    rows = tabular(strips(table, names, look, view), look)
    if not look.screen.colour or "change" not in table:
        yield from rows
        return
    if look.heading:
        yield next(rows)
    for row, change in zip(rows, table.column("change").objects(), strict=True):
        yield look.screen.paint(row, _CHANGES[change]) if change else row
