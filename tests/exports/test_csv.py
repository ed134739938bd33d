# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.column import Column, text_column
from fleutan.exports.csv import lines, plain_lines
from fleutan.table import Table


def parsed(pieces: list[bytes]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(pieces).decode(), newline=""), strict=True))


def flows(*rows: tuple[str | None, int | None, tuple[int, ...] | None]) -> Table:
    texts, numbers, lists = zip(*rows, strict=True) if rows else ((), (), ())
    known = np.array([number is not None for number in numbers], np.bool_)
    pids: Any = lists
    return Table(
        "flows",
        {
            "cmdline": text_column(texts),
            "rtt": Column(np.array([number or 0 for number in numbers], np.int64), known),
            "pids": text_column(pids),
        },
    )


TEXT = st.one_of(st.none(), st.text(), st.sampled_from(['a "b"', ",", "\r\n", "\n", "\ud800\0", '"', " x ", "y" * 400]))
ROW = st.tuples(
    TEXT, st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1)), st.lists(st.integers(0, 9)).map(tuple)
)


def cells(row: dict[str, Any]) -> list[str]:
    text, number, numbers = row.values()
    unwritable = {0, *range(0xD800, 0xE000)}
    return [
        "".join("\ufffd" if ord(letter) in unwritable else letter for letter in text or ""),
        "" if number is None else str(number),
        " ".join(map(str, numbers or ())),
    ]


@given(st.lists(ROW))
def test_the_standard_reader_reads_the_rows(rows: list[Any]) -> None:
    table = flows(*rows)
    assert parsed(list(lines(table))) == [["cmdline", "rtt_us", "pids"], *map(cells, table.rows())]


@given(st.lists(TEXT))
def test_a_lone_column_has_a_line_for_every_row(values: list[str | None]) -> None:
    table = Table("flows", {"cmdline": text_column(values)})
    assert len(parsed(list(lines(table, header=False)))) == len(values)


def test_the_text() -> None:
    table = flows(("cat a,b", 5, (1, 2)), ('say "x"', None, None), ("=1+1", -7, ()))
    assert b"".join(lines(table)) == (b'cmdline,rtt_us,pids\r\n"cat a,b",5,1 2\r\n"say ""x""",,\r\n=1+1,-7,\r\n')


def test_other_types_and_no_heading() -> None:
    table = Table(
        "flows",
        {
            "src": Column(np.array([[0, 0xFFFF << 32 | 0x7F000001], [0, 1], [0, 0]]), np.array([True, True, False])),
            "app_limited": Column(np.array([True, False, False]), np.array([True, True, False])),
            "retrans_share": Column(np.array([0.5, np.nan, 1e-9])),
        },
    )
    assert b"".join(lines(table, header=False)) == b"127.0.0.1,true,0.5\r\n::1,false,\r\n,,1e-09\r\n"


def test_lone_lists_and_numbers() -> None:
    alone = Table("flows", {"pids": Column(np.array([0, 1, -1], np.int32), None, ((), (4,)))})
    assert b"".join(lines(alone)) == b'pids\r\n""\r\n4\r\n""\r\n'
    number = Table("flows", {"rtt": Column(np.array([4, 5]), np.array([True, False]))})
    assert b"".join(lines(number)) == b'rtt_us\r\n4\r\n""\r\n'


def test_no_row_and_no_column() -> None:
    assert b"".join(lines(flows())) == b"cmdline,rtt_us,pids\r\n"
    assert b"".join(lines(Table("flows", {}), header=False)) == b""


def test_plain_values() -> None:
    rows: list[tuple[Any, ...]] = [("a,b", 5, None, True), ('"', 0.5, (1, 2), False), ("x", float("nan"), [], None)]
    assert b"".join(plain_lines(["name", "n", "list", "yes"], rows)) == (
        b'name,n,list,yes\r\n"a,b",5,,true\r\n"""",0.5,1 2,false\r\nx,,,\r\n'
    )
    assert b"".join(plain_lines(["alone"], [(None,), (3,)], header=False)) == b'""\r\n3\r\n'
