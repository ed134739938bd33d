# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.exports.como.rows import absent, parts, pieces, printable, rows, script, shown
from fleutan.exports.gnuplot import Picture
from fleutan.table import Table

TABLE = Table(
    "flows",
    {
        "flows": Column(np.arange(5), np.array([1, 1, 0, 1, 1], np.bool_)),
        "proto": text_column(["tcp", None, "udp", "tcp", "udp"]),
    },
)


def test_rows_are_plain_values() -> None:
    assert list(rows(TABLE, "flows", "time", "proto"))[1:3] == [(1, None, None), (None, None, "udp")]
    assert [shown(value) for value in (0, None, "tcp")] == [0, "-", "tcp"]


def test_lines_are_joined() -> None:
    assert b"".join(pieces(str(number) for number in range(5000))) == b"".join(b"%d\n" % n for n in range(5000))
    assert len(list(pieces("line" for _ in range(5000)))) == 2
    assert list(pieces([])) == []
    assert list(pieces(["\ud800"])) == [b"?\n"]


@pytest.mark.parametrize("most", [1, 2, 4, 5, 6])
def test_parts_are_the_table(most: int) -> None:
    found = list(parts(TABLE, most))
    assert [len(part) for part in found[:-1]] == [most] * (len(found) - 1)
    assert [row for part in found for row in part.rows()] == list(TABLE.rows())
    assert np.shares_memory(found[0].columns["flows"].values, TABLE.columns["flows"].values)


def test_printable_text_is_one_word() -> None:
    assert printable("Web\tserver \x1b[1m") == "Web_server_?[1m"


def test_what_is_absent_is_unknown() -> None:
    assert absent(2).objects() == [None, None]


def test_a_script_knows_whether_it_has_a_point() -> None:
    picture = Picture("p", "P", ("y",), ("using 1:2",))
    assert b"\n1 2\n3 4\nEND\nplot $p using 1:2\n" in b"".join(script(picture, [["1 2"], [], ["3 4"]]))
    assert b"no data" in b"".join(script(picture, [[], []]))
