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
from fleutan.column import Column
from fleutan.fields import require
from fleutan.lake.kinds import Kind
from fleutan.table import Table


class Stored(NamedTuple):
    """Rows of a kind: ``arrow`` has the columns that differ by row, ``select`` all others as SQL constants.

    ``octets`` is what they take in memory.
    """

    arrow: ArrowTable
    select: dict[str, str]
    rows: int
    octets: int


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
    arrow = ArrowTable(varying, texts=False)
    return Stored(arrow, constants, len(table), _weight(arrow.array))


def _weight(array: Any) -> int:
    """The octets of an Arrow array: of words as often as rows say them, not once as in the Table."""
    buffers = (array.view().buffer(number) for number in range(array.n_buffers))
    sizes: list[int] = [buffer.size_bytes for buffer in buffers if buffer is not None]
    return sum(sizes) + sum(map(_weight, array.children))


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
    plain = text.encode("utf-8", "replace").decode().replace("'", "''")
    # SQL ends at a NUL, text does not.
    return f"'{plain}'" if "\0" not in plain else "('" + plain.replace("\0", "' || chr(0) || '") + "')"


def selected(kind: Kind, present: Mapping[str, str]) -> str:
    """The list of a SELECT that gives every column of the kind; ``present`` says what is not null, as SQL by name.

    What does not fit its column is unknown: no exporter's figure may keep rows from being sealed.
    """
    return ", ".join(f'TRY_CAST({present.get(name, "NULL")} AS {type_}) AS "{name}"' for name, type_ in kind.columns)


def files_of(kind: Kind, paths: Sequence[Path]) -> str:
    """Files of a kind as a relation of SQL with all of its columns: null where a file lacks one."""
    files = ", ".join(quoted(str(path)) for path in paths)
    none = ", ".join(f'CAST(NULL AS {type_}) AS "{name}"' for name, type_ in kind.columns)
    options = "union_by_name = true, hive_partitioning = false"
    return f"(SELECT * FROM read_parquet([{files}], {options}) UNION ALL BY NAME SELECT {none} WHERE false)"
