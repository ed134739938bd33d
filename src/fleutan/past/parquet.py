# SPDX-License-Identifier: Apache-2.0
"""An answer as a Parquet file, which ends before it can be read: written beside, then given away.

Columns are the catalogue's keys, addresses text.  Other forms stand in ``exports``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleutan.errors import FleutanError
from fleutan.lake.storage import quoted
from fleutan.past.database import SPILL, Limits, opened
from fleutan.past.troubles import errors, said, told
from fleutan.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: So many octets of the file are given at once.
PIECE = 1 << 20


def pieces(tables: Iterable[Table], limits: Limits | None = None) -> Iterator[bytes]:
    """The file of all rows of the Tables, which have the same columns.  Raises FleutanError where it cannot be made."""
    limits = limits or Limits()
    try:
        with tempfile.TemporaryDirectory(prefix="fleutan-", dir=os.environ.get("TMPDIR") or SPILL) as place:
            path = Path(place) / "answer.parquet"
            _write(tables, path, limits)
            with path.open("rb") as file:
                while octets := file.read(PIECE):
                    yield octets
    except OSError as error:
        raise FleutanError(f"a Parquet file is made on disk first: {error.filename}: {error.strerror}") from None


def _write(tables: Iterable[Table], path: Path, limits: Limits) -> None:
    with opened(limits) as connection:
        try:
            for number, table in enumerate(tables):
                _keep(connection, table, is_first=not number)
            connection.execute(f"COPY answer TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)")
        except errors() as error:
            raise told(error, limits.memory) or FleutanError(f"no Parquet file could be made: {said(error)}") from None


def _keep(connection: DuckDBPyConnection, table: Table, is_first: bool) -> None:
    """Puts a Table's rows behind those that are there; the database spills what is too much."""
    connection.register("coming", table.arrow())
    try:
        chosen = ", ".join(f'"{field.key}"' for field in table.fields())
        verb = "CREATE TABLE answer AS" if is_first else "INSERT INTO answer"
        connection.execute(f"{verb} SELECT {chosen} FROM coming")
    finally:
        connection.unregister("coming")
