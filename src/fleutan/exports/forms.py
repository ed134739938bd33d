# SPDX-License-Identifier: Apache-2.0
"""Answers of modules in any form that is text or bytes: the historic ones, JSON, JSON lines, CSV.

Parquet, which needs a database, is written in ``past``; text for a screen is a face's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fleutan.exports import csv, json
from fleutan.exports.como import FORMATS, media_type, written
from fleutan.exports.como.options import Options
from fleutan.table import Table

#: Forms that every module has, with what HTTP calls their content.
EVERY = {
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def forms_of(module: str) -> tuple[str, ...]:
    """The forms of a module: its own first."""
    return (*FORMATS.get(module, ()), *EVERY)


def content_type(form: str) -> str:
    """What HTTP calls a form's content."""
    return EVERY.get(form) or media_type(form)


def pieces(
    form: str, module: str, tables: Iterable[Table], options: Options, head: Mapping[str, Any]
) -> Iterator[bytes]:
    """The answer's bytes as its Tables come; ``head`` are further members of the JSON document.

    Raises UsageError for a form that the module does not have.
    """
    if form == "jsonl":
        return (piece for table in tables for piece in json.lines(table))
    if form == "csv":
        return (piece for number, table in enumerate(tables) for piece in csv.lines(table, header=not number))
    if form == "json":
        return document(module, tables, head)
    return written(module, form, tables, options)


def document(module: str, tables: Iterable[Table], head: Mapping[str, Any]) -> Iterator[bytes]:
    """One JSON document: its schema, the ``head``, and the rows of all Tables."""
    start = b"".join(json.plain_document({"schema": f"fleutan/{module}/1", **head}, {})).rstrip()
    yield start[:-1] + b',"rows":['
    separator = b"\n"
    for table in tables:
        for piece in json.lines(table):
            yield separator + piece.rstrip(b"\n").replace(b"}\n{", b"},\n{")
            separator = b",\n"
    yield b"\n]}\n"
