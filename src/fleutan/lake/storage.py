# SPDX-License-Identifier: Apache-2.0
"""A Table as a lake stores it: Arrow columns of what is known, constants for what is the same in every row.

Addresses are their halves, never text.  What is read of the stored columns is the business of ``past``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fleutan.arrow import ArrowTable
from fleutan.column import Column, Slices
from fleutan.fields import require
from fleutan.lake.kinds import Kind
from fleutan.table import Table


class Stored(NamedTuple):
    """Rows of a kind: ``arrow`` has the columns that differ by row, ``select`` all others as SQL constants.

    ``first_ns`` and ``last_ns`` are their least and their greatest time.
    """

    arrow: ArrowTable
    select: dict[str, str]
    rows: int
    octets: int
    first_ns: int
    last_ns: int


def stored(table: Table, kind: Kind, node: str) -> Stored:
    """The table as rows of the kind.  Raises ValueError for columns that the kind does not have, and without time."""
    if beyond := sorted(set(table.columns) - set(kind.names)):
        raise ValueError(f"a table of kind {kind.name} has no {', '.join(beyond)}")
    if "time" not in table.columns or not table.columns["time"].mask().all():
        raise ValueError(f"a table of kind {kind.name} must say the time of every row")
    varying, constants = {}, {"node": quoted(node)}
    for name, column in table.columns.items():
        same = None if name == "time" else constant(name, column)
        if same is None:
            varying[name] = column
        else:
            constants |= same
    times = table.columns["time"].values
    octets = sum(column.values.nbytes + _weight(name, column) for name, column in varying.items())
    bounds = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    return Stored(ArrowTable(varying, texts=False), constants, len(table), octets, *bounds)


def _weight(name: str, column: Column) -> int:
    """About how many octets the words of a column take."""
    if isinstance(column.words, Slices):
        return int(column.words.spans.sizes.sum())
    return sum(map(len, column.words or ())) if require(name).type == "octets" else 0


def constant(name: str, column: Column) -> dict[str, str] | None:
    """The column as SQL by name on disk, if all rows say the same: empty if none says anything, None if they differ."""
    is_partial = column.known is not None or column.words is not None
    known = column.mask() if is_partial else None
    if not len(column) or (known is not None and not known.any()):
        return {}
    field = require(name)
    if (known is not None and not known.all()) or field.type in ("ints", "octets"):
        return None
    first = column.values[0]
    if not (column.values[-1] == first).all() or not (column.values == first).all():
        return None
    if field.type == "address":
        return {f"{field.key}_hi": str(int(first[0])), f"{field.key}_lo": str(int(first[1]))}
    if column.words is not None:
        return {field.key: quoted(column.words[int(first)])}
    return {field.key: literal(first)}


def literal(value: Any) -> str:
    """A number or truth as SQL."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    number = value.item()
    return repr(number) if not isinstance(number, float) else f"CAST('{number!r}' AS DOUBLE)"


def quoted(text: str) -> str:
    """Text as an SQL string."""
    plain = text.replace("\0", "").encode("utf-8", "replace").decode()
    return "'" + plain.replace("'", "''") + "'"


def selected(kind: Kind, present: Mapping[str, str]) -> str:
    """The list of a SELECT that gives every column of the kind; ``present`` says what is not null, as SQL by name."""
    return ", ".join(f'CAST({present.get(name, "NULL")} AS {type_}) AS "{name}"' for name, type_ in kind.columns)


def files_of(kind: Kind, paths: Sequence[Path]) -> str:
    """Files of a kind as a relation of SQL with all of its columns: null where a file lacks one."""
    files = ", ".join(quoted(str(path)) for path in paths)
    none = ", ".join(f'CAST(NULL AS {type_}) AS "{name}"' for name, type_ in kind.columns)
    options = "union_by_name = true, hive_partitioning = false"
    return f"(SELECT * FROM read_parquet([{files}], {options}) UNION ALL BY NAME SELECT {none} WHERE false)"


def columns_of(arrow: ArrowTable) -> dict[str, str]:
    """Its columns, as SQL by name."""
    return {child.name: f'"{child.name}"' for child in arrow.array.schema.children}
