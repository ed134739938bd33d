# SPDX-License-Identifier: Apache-2.0
"""Forms of normalised records: JSON lines and CSV, whatever the protocol they came by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleutan.analysis.scaling import scaled
from fleutan.exports import csv, json
from fleutan.programs.decoding import Batch
from fleutan.sources.exported import ALWAYS
from fleutan.sources.words import unknown
from fleutan.table import Table


class Lines:
    """An object a line; what no record of a batch says is left out, but for what is always there."""

    def __init__(self, fields: Sequence[str] = (), scale: bool = False) -> None:
        self._fields, self._scale = tuple(fields), scale

    def of(self, batch: Batch) -> Iterator[bytes]:
        """The records of a batch."""
        table = batch.records
        if len(table):
            yield from json.lines(_chosen(scaled(table) if self._scale else table, self._fields or said(table)))

    def end(self) -> Iterator[bytes]:
        """Nothing."""
        return iter(())


class Csv:
    """A heading, and a record a line."""

    def __init__(self, fields: Sequence[str] = (), scale: bool = False) -> None:
        self._fields, self._scale = tuple(fields) or ALWAYS, scale
        self._heading = True

    def of(self, batch: Batch) -> Iterator[bytes]:
        """The records of a batch."""
        table = batch.records
        if len(table):
            yield from self._lines(scaled(table) if self._scale else table)

    def end(self) -> Iterator[bytes]:
        """The heading, where no record came."""
        if self._heading:
            yield from self._lines(Table("records", {}))

    def _lines(self, table: Table) -> Iterator[bytes]:
        heading, self._heading = self._heading, False
        yield from csv.lines(_chosen(table, self._fields), heading)


def said(table: Table) -> list[str]:
    """The fields that some record says, and those that are always there."""
    return [name for name, column in table.columns.items() if name in ALWAYS or column.mask().any()]


def _chosen(table: Table, fields: Sequence[str]) -> Table:
    """These fields, unknown where the batch has none of it."""
    missing = {name: unknown(name, len(table)) for name in fields if name not in table}
    return table.with_columns(missing).select(fields)
