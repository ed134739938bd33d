# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.exports import grid
from fleutan.exports.cells import Cell, Dialect, IntCell, WordCell
from fleutan.exports.grid import GRID_BYTES, MOST_ROWS, PIECE_BYTES, columns, written
from fleutan.table import Table

PLAIN = Dialect(null=b"null", quote=b"'", text=str.encode, ints=lambda numbers: repr(list(numbers)).encode())


def test_constants_and_cells_stand_in_their_order() -> None:
    count = IntCell(Column(np.arange(3)), b"")
    word = WordCell(np.array([1, -1, 0]), [b"zero", b"one"], b"null")
    assert b"".join(written([b"<", count, b"|", b"odd", word, b">\n"], 3)) == b"<0|oddone>\n<1|oddnull>\n<2|oddzero>\n"


def test_no_row_gives_nothing() -> None:
    assert b"".join(written([b"row", IntCell(Column(np.arange(0)), b"")], 0)) == b""
    assert b"".join(written([], 0)) == b""


@pytest.mark.parametrize("rows", [MOST_ROWS - 1, MOST_ROWS, MOST_ROWS + 1, 2 * MOST_ROWS + 5])
def test_chunks_join_without_a_seam(rows: int) -> None:
    text = b"".join(written([IntCell(Column(np.arange(rows)), b""), b"\n"], rows))
    assert text == b"".join(b"%d\n" % row for row in range(rows))


def test_wide_rows_are_written_few_at_a_time() -> None:
    padding = b"x" * (GRID_BYTES // 2)
    pieces = list(written([padding, IntCell(Column(np.arange(3)), b"")], 3))
    assert pieces == [padding + b"0", padding + b"1", padding + b"2"]


def test_a_row_wider_than_a_chunk_is_written_all_the_same() -> None:
    padding = b"x" * (GRID_BYTES + 1)
    assert list(written([padding], 2)) == [padding, padding]


def test_long_words_find_their_places_among_columns_and_rows() -> None:
    long = [bytes([letter]) * 300 for letter in b"abc"]
    first = WordCell(np.array([0, 1, 2, -1]), [long[0], b"short", long[1]], b"null")
    second = WordCell(np.array([0, 0, 1, 1]), [long[2], b"tiny"], b"null")
    text = b"".join(written([first, b" ", second, b"\n"], 4))
    lines = [(long[0], long[2]), (b"short", long[2]), (long[1], b"tiny"), (b"null", b"tiny")]
    assert text == b"".join(b"%b %b\n" % line for line in lines)


def test_long_words_widen_neither_the_grid_nor_the_pieces() -> None:
    huge = b"h" * (PIECE_BYTES // 4)
    cell = WordCell(np.zeros(4000, np.int64), [huge], b"null")
    assert cell.width == 4
    pieces = written([cell, b"\n"], 4000)
    assert [len(next(pieces)) for _ in range(3)] == [4 * (len(huge) + 1)] * 3


def test_long_words_in_a_later_chunk() -> None:
    rows = MOST_ROWS + 10
    codes = np.zeros(rows, np.int64)
    codes[[3, MOST_ROWS + 4]] = 1
    text = b"".join(written([WordCell(codes, [b"a", b"b" * 200], b""), b"\n"], rows))
    assert [row for row, line in enumerate(text.split(b"\n")) if line == b"b" * 200] == [3, MOST_ROWS + 4]


def test_what_every_row_has_alike_is_written_once() -> None:
    table = Table(
        "flows",
        {
            "proto": text_column(["tcp", "tcp"]),
            "cmdline": text_column(["long " * 100, "long " * 100]),
            "sport": Column(np.array([1, 1]), np.array([True, False])),
            "dport": Column(np.array([5, 6]), np.array([False, False])),
            "cookie": Column(np.array([5, 6])),
            "src": Column(np.array([[0, 1], [0, 1]])),
            "dst": Column(np.array([[0, 1], [0, 2]])),
            "app_limited": Column(np.array([True, True])),
        },
    )
    parts: list[bytes | Cell] = columns(table, PLAIN)
    assert [part if isinstance(part, bytes) else None for part in parts] == [
        *(b"tcp", b"long " * 100, None, b"null", None, b"'::1'", None, b"true")
    ]


def test_one_row_is_written_by_its_cells() -> None:
    table = Table("flows", {"sport": Column(np.array([1]))})
    assert not isinstance(columns(table, PLAIN)[0], bytes)
    assert grid.columns(Table("flows", {}), PLAIN) == []
