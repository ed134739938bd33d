# SPDX-License-Identifier: Apache-2.0
"""The rows of a Table that a filter means.  DuckDB decides; the rows stay where they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import FilterError
from fleutan.query.predicate import Predicate
from fleutan.table import Table


def matching(table: Table, predicate: Predicate) -> NDArray[np.bool_]:
    """For which rows the predicate is true.

    Only the columns that it names are handed to DuckDB.  Raises FilterError where DuckDB cannot
    evaluate it (a regular expression that RE2 does not know).
    """
    if not predicate.fields or not len(table):
        return np.full(len(table), predicate.sql != "false")
    import duckdb

    query = f'SELECT "row" FROM {table.kind} WHERE {predicate.sql}'
    with table.select(sorted(predicate.fields)).connect(row="row") as connection:
        try:
            rows = connection.execute(query, predicate.parameters).fetchnumpy()["row"]
        except duckdb.Error as error:
            raise FilterError(f"the filter cannot be evaluated: {str(error).splitlines()[0]}") from None
    kept = np.zeros(len(table), np.bool_)
    kept[rows] = True
    return kept
