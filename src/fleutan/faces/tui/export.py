# SPDX-License-Identifier: Apache-2.0
"""What the screen shows, as JSON in a file: flows in their order, groups, or the history of one flow.

Objects and keys are those of ``fleutan flows --json``.  A file that exists is never written over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

from fleutan.exports import json
from fleutan.faces.cli.answers import head_of
from fleutan.faces.cli.figures import utc
from fleutan.faces.tui.grouping import SUMS
from fleutan.faces.tui.history import FIGURES
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.tabs import COUNT
from fleutan.fields import BY_NAME
from fleutan.views.flows import INTERVAL_FIELDS, MACHINE_FIELDS
from fleutan.views.ranking import SEVERITY

#: The fields of a flow, as far as they were read.
_FLOW = (*MACHINE_FIELDS, *INTERVAL_FIELDS, "limit")


def name_for(model: Model) -> str:
    """A file name by host and time."""
    at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(model.live.reading.at_ns // 10**9))
    host = "".join(sign if sign.isalnum() or sign in "-." else "_" for sign in model.live.reading.host)
    return f"fleutan-{host}-{at}.json"


def pieces(model: Model) -> Iterator[bytes]:
    """The document of the page that is shown."""
    if model.page == "details" and model.watched is not None:
        return _history(model, model.watched)
    if model.groups is not None:
        return _groups(model)
    table = model.table.take(model.lines.rows)
    named = [name for name in _FLOW if name in table] if table.kind == "flows" else list(table.columns)
    return json.document(table.select(named), head_of(table), table.kind)


def save(path: str, parts: Iterable[bytes]) -> int:
    """Writes a new file, and gives its size in bytes.  Raises OSError; then no file is left behind."""
    with open(path, "xb") as out:
        try:
            size = sum(map(out.write, parts))
            out.flush()
        except BaseException:
            os.unlink(path)
            raise
    return size


def _groups(model: Model) -> Iterator[bytes]:
    groups, order = model.groups, model.lines.groups[model.lines.rows < 0]
    assert groups is not None  # noqa: S101  # the caller looked
    table = groups.table.take(order)
    keys = [_key(name) for name in table.columns]
    rows = zip(*(column.objects() for column in table.columns.values()), strict=True)
    counts = groups.counts[order].tolist()
    found = [dict(zip(keys, row, strict=True)) | {COUNT: count} for row, count in zip(rows, counts, strict=True)]
    head = {"schema": "fleutan/groups/1", **head_of(model.table), "by": keys[:1]}
    return json.plain_document(head, {"groups": found})


def _key(name: str) -> str:
    """Figures that are no sum are medians, and say so."""
    field = BY_NAME[name]
    return f"{field.key}_p50" if field.kind == "gauge" and name not in SUMS else field.key


def _history(model: Model, key: int) -> Iterator[bytes]:
    flow = model.watched_flow()
    rows = [] if flow is None else list(flow.rows())
    times = model.history.times()
    series = {name: model.history.of(key, name).tolist() for name in FIGURES}
    points = [
        {"at": utc(at), **{BY_NAME[name].key: _value(name, values[number]) for name, values in series.items()}}
        for number, at in enumerate(times.tolist())
    ]
    head = {"schema": "fleutan/history/1", **head_of(model.live)}
    return json.plain_document(head, {"flows": rows, "points": points})


def _value(name: str, value: float) -> Any:
    """As in the catalogue: whole numbers, words; None where unknown."""
    if value != value:  # noqa: PLR0124  # NaN
        return None
    if name == "limit":
        return SEVERITY[int(value)]
    return round(value, 3) if BY_NAME[name].type == "float" else round(value)
