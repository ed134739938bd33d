# SPDX-License-Identifier: Apache-2.0
"""Answers about the places where packets are handled: queues of devices, and CPUs.

Their rows are not the flows but tables related to them; a program gets each as a section.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fleutan.errors import FleutanError
from fleutan.faces.cli.answers import Pieces, Text, foot, head_of
from fleutan.faces.cli.pages import UNFOLDED, Look, flow_count
from fleutan.faces.cli.plans import Plan, sections_of
from fleutan.live.rounds import NOT_COUNTED
from fleutan.sources.words import unknown
from fleutan.table import Table
from fleutan.views import ENDS
from fleutan.views.flows import MACHINE_FIELDS, TIMED_FIELDS


def answer(plan: Plan, table: Table, look: Look) -> Text | Pieces:
    """What the tables beside the flows say, drawn for the screen or written for programs."""
    if plan.options.form != "text":
        return Pieces(_machine(plan, table))
    return Text(_page(plan, table, look), foot(plan, table, [flow_count(len(table))], look))


def counted(table: Table) -> Table:
    """The packets behind the answer, as read for it.  Raises FleutanError where none were counted."""
    if "traffic" not in table.related:
        raise FleutanError("; ".join(note for note in table.reading.notes if note.startswith(NOT_COUNTED)))
    return replace(table.related["traffic"], reading=table.reading)


def _page(plan: Plan, table: Table, look: Look) -> Iterator[str]:
    most = None if plan.options.every or plan.options.top == 0 else plan.options.top or UNFOLDED
    if plan.options.fields is not None:
        from fleutan.faces.cli.pages import flows

        return flows.page(_rows(plan, table), plan.columns, look)
    if plan.view.name == "queues":
        from fleutan.faces.cli.pages import queues

        return queues.page(table, look, most)
    from fleutan.faces.cli.pages import cpus

    return cpus.load(table, look) if plan.view.name == "load" else cpus.processes(table, look, most)


def _rows(plan: Plan, table: Table) -> Table:
    """The rows of the view's own table, in the order that was asked for."""
    from fleutan.analysis import order

    parts = tuple(dict.fromkeys(part for name in plan.columns for part in ENDS.get(name, (name,))))
    rows = section(table, plan.view.table, (*parts, *([plan.sort.lstrip("-")] if plan.sort else [])))
    return order.ordered(rows, (plan.sort,) if plan.sort else (), plan.options.top or 0)


def section(table: Table, name: str, columns: Sequence[str]) -> Table:
    """A related table with these columns, unknown where it lacks them; without rows where there is none."""
    found = table.related.get(name) or Table(name, {}, table.reading)
    columns = tuple(dict.fromkeys(columns))
    filled = {column: unknown(column, len(found)) for column in columns if column not in found}
    return found.with_columns(filled).select(columns)


def _machine(plan: Plan, table: Table) -> Iterator[bytes]:
    if plan.options.form == "csv":
        from fleutan.exports import csv

        return csv.lines(_rows(plan, table).select(plan.columns), header=plan.options.header)
    from fleutan.exports import json

    if plan.options.form == "jsonl":
        return json.lines(_rows(plan, table).select(plan.columns))
    wanted = {**sections_of(plan.view), plan.view.table: plan.columns}
    sections = {name: section(table, name, columns) for name, columns in wanted.items()}
    sections[plan.view.table] = _rows(plan, table).select(plan.columns)
    flows = table.select([name for name in (*MACHINE_FIELDS, *TIMED_FIELDS) if name in table])
    head = {"schema": f"fleutan/{plan.view.name}/1", **head_of(table)}
    return json.plain_document(head, {**sections, "flows": flows})
