# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from tests.exports.como.answers import TRACE, TRAFFIC, some

from fleutan.column import text_column
from fleutan.errors import UsageError
from fleutan.exports.como import FORMATS
from fleutan.exports.como.options import Options
from fleutan.exports.forms import EVERY, content_type, document, forms_of, pieces
from fleutan.table import Table

NOTHING = some(TRAFFIC)
HEAD = {"start_ns": 1, "end_ns": 2}


def written(form: str, *tables: Table, module: str = "traffic") -> bytes:
    return b"".join(pieces(form, module, tables, Options(), HEAD))


ROWS: list[dict[str, Any]] = list(TRAFFIC.rows())


@pytest.mark.parametrize(
    ("tables", "rows"),
    [
        ((), []),
        ((NOTHING,), []),
        ((TRAFFIC,), ROWS),
        ((NOTHING, TRAFFIC, NOTHING, some(TRAFFIC, 0)), [*ROWS, ROWS[0]]),
    ],
)
def test_one_document_of_all_tables(tables: tuple[Table, ...], rows: list[dict[str, Any]]) -> None:
    assert json.loads(written("json", *tables)) == {"schema": "fleutan/traffic/1", **HEAD, "rows": rows}
    assert [json.loads(line) for line in written("jsonl", *tables).splitlines()] == rows


def test_text_that_looks_like_the_end_of_a_row_stays_as_it_is() -> None:
    odd = Table("x", {"comm": text_column(["}\n{", '"},\n{"', "a"])})
    found = json.loads(b"".join(document("owners", [odd, odd], {})))
    assert [row["comm"] for row in found["rows"]] == ["}\n{", '"},\n{"', "a"] * 2


def test_csv_has_one_heading() -> None:
    found = list(csv.DictReader(io.StringIO(written("csv", NOTHING, TRAFFIC, TRAFFIC).decode())))
    assert [row["bytes"] for row in found] == ["48759", "39730", "", "0"] * 2
    assert written("csv", NOTHING).decode().splitlines() == ["time_ns,bytes,packets"]


def test_headers_of_packets_are_hexadecimal() -> None:
    found = [json.loads(line) for line in written("jsonl", TRACE, module="trace").splitlines()]
    words = TRACE.columns["header"].objects()
    assert [row["header"] for row in found] == [None if word is None else word.hex() for word in words]


def test_every_module_has_its_own_forms_first() -> None:
    for module, forms in FORMATS.items():
        assert forms_of(module) == (*forms, *EVERY)
    assert forms_of("talkers") == tuple(EVERY)
    assert written("plain", TRAFFIC).startswith(b"  1253211900 ")


def test_forms_that_a_module_does_not_have_are_refused() -> None:
    with pytest.raises(UsageError, match="traffic has no format 'pcap'; it has pretty"):
        written("pcap", TRAFFIC)
    with pytest.raises(UsageError, match="no such form of 'talkers'"):
        written("plain", TRAFFIC, module="talkers")


def test_what_http_calls_them() -> None:
    assert content_type("jsonl") == "application/x-ndjson"
    assert content_type("parquet") == "application/vnd.apache.parquet"
    assert content_type("sidebox") == "text/html; charset=utf-8"
    assert content_type("pretty") == "text/plain; charset=utf-8"
