# SPDX-License-Identifier: Apache-2.0
"""From a plan and a Table to what is written: text, JSON or CSV.

Nothing is read and nothing is written here: lines and pieces of bytes are made while they are
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import wrapped
from fleutan.faces.cli.pages import UNFOLDED, Look, flow_count
from fleutan.faces.cli.plans import Plan, listed
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table
from fleutan.views import ranking

if TYPE_CHECKING:
    from fleutan.analysis.groups import Grouped
    from fleutan.analysis.latency import Distribution, Extremes

#: On a terminal, a longer table is cut here unless --top or --all says.
TERMINAL_ROWS = 200
#: The views that are not of flows, by the name of their rows in a document.
EVENTS = ("drops", "lifecycle")
#: On a live display, what stands above and below the rows: the heading, and where they come from.
_AROUND = 3


class Text(NamedTuple):
    """An answer for eyes: the lines of the page, and those below it that say of what it is."""

    body: Iterator[str]
    foot: list[str]


class Pieces(NamedTuple):
    """An answer for programs."""

    pieces: Iterator[bytes]


def answer(plan: Plan, table: Table, screen: Screen, names: figures.Names | None = None) -> Text | Pieces:
    """What the table says to the question, drawn for the screen or written for programs."""
    if plan.view.name == "latency":
        table = table.take(table.column("rtt").mask())
    if plan.by:
        return _grouped(plan, table, screen, names)
    if plan.view.table:
        from fleutan.faces.cli import places

        return places.answer(plan, table, Look(screen, plan.options.header, names))
    if plan.options.form != "text":
        return Pieces(_machine(plan, table, _rows(plan, table, plan.options.top or 0)))
    look = Look(screen, plan.options.header, names)
    if plan.options.fields is None and plan.view.name in ("latency", "volume"):
        body = _latency_page(plan, table, look) if plan.view.name == "latency" else _volume_page(plan, table, look)
        return Text(body, foot(plan, table, [flow_count(len(table))], look))
    rows = _rows(plan, table, _top(plan, screen))
    shown = [_counted(plan, len(rows))]
    if len(rows) < len(table):
        shown = [f"the first {len(rows):,} of {_counted(plan, len(table))}: --all shows every one"]
    return Text(_table_page(plan, table, rows, look), foot(plan, table, shown, look))


def _counted(plan: Plan, rows: int) -> str:
    if plan.view.name not in EVENTS and not plan.view.table:
        return flow_count(rows)
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _top(plan: Plan, screen: Screen) -> int:
    """How many rows a table has at most; 0 for all."""
    if plan.options.top is not None:
        return plan.options.top
    if screen.width is None or plan.options.form != "text" or plan.options.every:
        return 0
    return max(screen.height - _AROUND, 1) if plan.options.watch and screen.moves else TERMINAL_ROWS


def _rows(plan: Plan, table: Table, top: int, interest: str = "") -> Table:
    """The rows in the order that was asked for, else in that of the view."""
    if not plan.sort:
        return ranking.ranked(table, interest or plan.view.name, top)
    from fleutan.analysis import order

    return order.ordered(table, (plan.sort,), top)


# -- text


def _table_page(plan: Plan, table: Table, rows: Table, look: Look) -> Iterator[str]:
    view = plan.view if plan.options.fields is None else None
    if view and view.name == "limits":
        from fleutan.analysis import limits
        from fleutan.faces.cli.pages import limits as limits_page

        return limits_page.page(rows, plan.columns, limits.summary(table), look, view)
    from fleutan.faces.cli.pages import flows

    return flows.page(rows, plan.columns, look, view)


def _latency_page(plan: Plan, table: Table, look: Look) -> Iterator[str]:
    from fleutan.faces.cli.pages import latency

    rows = _rows(plan, table, 0)
    return latency.page(rows, _spread(plan, table), _extremes(plan, len(rows)), look, plan.steps_ms, plan.view)


def _spread(plan: Plan, table: Table) -> Distribution:
    from fleutan.analysis.latency import Bins, distribution

    return distribution(table["rtt"], Bins.parse(plan.options.bins))


def _extremes(plan: Plan, count: int) -> Extremes:
    """The rows of --lat that are shown: both ends, with --top the slowest, with --sort the first."""
    from fleutan.analysis.latency import Extremes, extremes

    most = _most(plan, count)
    if plan.sort:
        return Extremes(range(most), range(count, count), count - most)
    if plan.options.top:
        return Extremes(range(0), range(count - most, count), count - most)
    return extremes(count, most)


def _most(plan: Plan, count: int) -> int:
    """How many of so many flows a page of bars shows."""
    if plan.options.every or plan.options.top == 0:
        return count
    return min(plan.options.top or UNFOLDED, count)


def _volume_page(plan: Plan, table: Table, look: Look) -> Iterator[str]:
    from fleutan.faces.cli.pages import volume

    most = _most(plan, len(table))
    products = _rows(plan, table, most, "products")
    return volume.page(table, products, _rows(plan, table, most), plan.view, look, plan.timed)


def foot(plan: Plan, table: Table, shown: list[str], look: Look) -> list[str]:
    """What was read, where, when and how: on a terminal, and wherever rounds follow each other."""
    repeated = plan.options.watch or plan.options.count is not None
    if not look.heading or (look.screen.width is None and not repeated):
        return []
    reading = table.reading
    parts = [
        *shown,
        f"{figures.printable(reading.host)}, netns {figures.printable(reading.netns)}",
        figures.clock(reading.at_ns, plan.options.utc),
        reading.source,
    ]
    lines = [*wrapped(parts, look.screen.width, "   ")]
    if plan.options.watch and look.screen.width is not None:  # there is no other place on a live display
        lines += [look.cut(f"note: {figures.printable(note)}") for note in reading.notes]
    return [look.aside(line) for line in lines]


# -- groups


def _grouped(plan: Plan, table: Table, screen: Screen, names: figures.Names | None) -> Text | Pieces:
    from fleutan.analysis import groups
    from fleutan.faces.cli.pages import groups as page

    if plan.view.table:
        from fleutan.faces.cli import places

        table = places.counted(table)
    rated = plan.timed and plan.view.name in ("flows", "volume", "limits")
    default = "tx_rate" if rated else page.ORDERS[plan.view.name]
    if plan.view.name == "volume":
        from fleutan.analysis.traffic import FIELDS, is_counted

        if is_counted(table):
            default = "tx_bytes"
        else:
            table = replace(
                table, columns={name: column for name, column in table.columns.items() if name not in FIELDS}
            )
    grouped = groups.group(table, plan.by, plan.sort or default, _top(plan, screen))
    if plan.options.form != "text":
        return Pieces(_grouped_machine(plan, table, grouped))
    look = Look(screen, plan.options.header, names)
    typed = {groups.key(word).key: word.upper() for word in listed("--group", plan.options.group)}
    count = len(grouped.rows) + grouped.folded
    shown = f"{count:,} {'group' if count == 1 else 'groups'} of {_counted(plan, len(table))}"
    body = page.page(grouped, plan.view.name, look, plan.steps_ms, typed)
    return Text(body, foot(plan, table, [shown], look))


def _grouped_machine(plan: Plan, table: Table, grouped: Grouped) -> Iterator[bytes]:
    if plan.options.form == "csv":
        from fleutan.exports import csv

        return csv.plain_lines(grouped.names, grouped.rows, header=plan.options.header)
    from fleutan.exports import json

    if plan.options.form == "jsonl":
        return json.plain_lines(grouped.dicts())
    head = {"schema": "fleutan/groups/1", **head_of(table), "by": list(grouped.by), "others": grouped.others_dict()}
    return json.plain_document(head, {"groups": grouped.dicts()})


# -- for programs


def _machine(plan: Plan, table: Table, rows: Table) -> Iterator[bytes]:
    chosen = rows.select(plan.columns)
    if plan.options.form == "csv":
        from fleutan.exports import csv

        return csv.lines(chosen, header=plan.options.header)
    from fleutan.exports import json

    if plan.options.form == "jsonl":
        return json.lines(chosen)
    head = {"schema": f"fleutan/{plan.view.name}/1", **head_of(table), **_of_view(plan, table)}
    return json.document(chosen, head, plan.view.name if plan.view.name in EVENTS else "flows")


def _of_view(plan: Plan, table: Table) -> dict[str, Any]:
    """What the document of a view says of all its flows together."""
    if plan.view.name == "latency":
        return {"distribution": _spread(plan, table).summary()}
    if plan.view.name == "limits":
        from fleutan.analysis import limits

        return {"verdicts": {verdict or "unknown": count for verdict, count in limits.summary(table)}}
    return {}


def head_of(table: Table) -> dict[str, Any]:
    """What a JSON document says of the reading behind it."""
    reading = table.reading
    head: dict[str, Any] = {
        "host": reading.host,
        "netns": reading.netns,
        "at": figures.utc(reading.at_ns),
        "source": reading.source,
    }
    if reading.interval_ns:
        head["interval_ms"] = reading.interval_ns // 10**6
    if reading.notes:
        head["notes"] = list(reading.notes)
    return head
