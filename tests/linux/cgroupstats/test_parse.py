# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux.cgroupstats import parse
from fleutan.linux.cgroupstats.parse import Io, Stat

IO_STAT = """\
8:0 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0
253:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021
7:1
8:16 cost.usage=0
"""
BYTES = "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Async 12288\n8:0 Discard 0\n8:0 Total 12288\nTotal 12288\n"
COUNTS = "8:0 Read 1\n8:0 Write 2\n8:16 Read 3\nTotal 6\n"
#: cat /proc/PID/stat of a process that calls itself "a) b (c".
STAT = (
    "4242 (a) b (c) S 17 4242 17 0 -1 4194560 1187 3 0 1 12 34 500 600 20 0 1 0 98765 "
    "12300288 1234 18446744073709551615 1 1 0 0 0 0 0 4096 2 0 0 0 17 1 0 0 0 0 0"
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0\n", 0),
        ("4096", 4096),
        ("max\n", None),
        ("9223372036854771712\n", None),
        ("9223372036854710272", None),
        ("-1", None),
        ("9" * 5000, None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number(text: str | None, value: int | None) -> None:
    assert parse.number(text) == value


def test_lines_of_keys() -> None:
    assert parse.keyed("usage_usec 12\nuser_usec 7\nbad\nworse x\nread_bytes: 9\n") == {
        "usage_usec": 12,
        "user_usec": 7,
        "read_bytes": 9,
    }
    assert parse.keyed(None) == {}


def test_one_of_them() -> None:
    text = "usage_usec 12\nuser_usec 7\nxuser_usec 8\nbad\nlast x\n"
    assert parse.value_of(text, "usage_usec") == 12
    assert parse.value_of(text, "user_usec") == 7
    assert [parse.value_of(text, key) for key in ("bad", "last", "sec", "none")] == [None] * 4
    assert parse.value_of(None, "usage_usec") is None
    assert {key: parse.value_of(text, key) for key in parse.keyed(text)} == parse.keyed(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("50000 100000\n", 0.5), ("max 100000", None), ("1", None), ("250000 100000", 2.5), ("5 0", None), (None, None)],
)
def test_processors_by_quota(text: str | None, value: float | None) -> None:
    assert parse.quota(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("0-3,8\n", 5), ("7", 1), ("\n", None), (None, None), ("3-1", None), ("0-x", None)]
)
def test_processors_in_a_list(text: str | None, value: int | None) -> None:
    assert parse.cpus(text) == value


def test_disks_of_v2() -> None:
    assert parse.io_stat(IO_STAT) == {
        "8:0": Io(1459200, 314773504, 192, 353),
        "253:0": Io(90430464, 299008000, 8950, 1252),
    }
    assert parse.io_stat(None) == {}


def test_disks_of_v1() -> None:
    assert parse.blkio(BYTES, COUNTS) == {"8:0": Io(4096, 8192, 1, 2), "8:16": Io(None, None, 3, None)}
    assert parse.blkio("Total 0\n", None) == {}


def test_a_process() -> None:
    assert parse.stat(STAT) == Stat(17, 46, 98765)
    assert parse.stat(STAT[:60]) is None
    assert parse.stat(STAT.replace("S 17", "S x")) is None
    assert parse.stat(None) is None
    assert parse.stat(Path("/proc/self/stat").read_text()) is not None
    assert parse.resident("3003 1234 900 1 0 200 0") == 1234
    assert parse.resident("") is None
    assert parse.pids("1\n0\nx\n77\n") == [1, 77]


@given(st.text())
def test_any_text_is_understood_or_passed_over(text: str) -> None:
    for read in (parse.number, parse.keyed, parse.quota, parse.cpus, parse.io_stat, parse.stat, parse.resident):
        read(text)
    parse.pids(text)
    parse.blkio(text, text)
