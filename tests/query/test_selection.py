# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.errors import FilterError, UsageError
from fleutan.query.filter import parse
from fleutan.query.predicate import compile as compiled
from fleutan.query.selection import matching
from fleutan.table import Table


def flows(rows: int = 4) -> Table:
    """Round-trip times 0, 1, 2 ... of which every third is unknown; the owner of row n is set n % 2."""
    numbers = np.arange(rows, dtype=np.int64)
    owners = Table("owners", {"owner": Column(np.array([0, 1, 1])), "comm": text_column(["nginx", "sshd", "bash"])})
    columns = {
        "sport": Column(numbers),
        "rtt": Column(numbers, numbers % 3 != 2),
        "comm": text_column(["nginx" if number % 2 == 0 else "sshd" for number in range(rows)]),
        "owner": Column(numbers % 2),
    }
    return Table("flows", columns, related={"owners": owners})


def chosen(text: str, table: Table) -> list[int]:
    mask = matching(table, compiled(parse(text)))
    assert mask.dtype == np.bool_
    assert len(mask) == len(table)
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("rtt >= 1us", [1, 3]),
        ("not rtt >= 1us", [0, 2]),
        ("has rtt", [0, 1, 3]),
        ("not has rtt", [2]),
        ("sport in (1, 3)", [1, 3]),
        ("sport = 1:2", [1, 2]),
        ("comm = bash", [1, 3]),
        ("comm != sshd", [0, 2]),
        ("comm ~ ^n", [0, 2]),
        ("all", [0, 1, 2, 3]),
        ("not all", []),
        ("", [0, 1, 2, 3]),
    ],
)
def test_the_rows_that_a_filter_means(text: str, rows: list[int]) -> None:
    assert chosen(text, flows()) == rows


def test_rows_keep_their_places_also_when_there_are_many() -> None:
    table = flows(400_000)
    assert chosen("rtt >= 399990us and rtt != 399991us", table) == [399990, 399993, 399994, 399996, 399997, 399999]
    assert chosen("sport <= 65535 and comm = nginx", table) == list(range(0, 65536, 2))


def test_an_empty_table_has_no_matching_rows_and_needs_no_database() -> None:
    table = flows(4).take(np.zeros(0, np.int64))
    assert chosen("rtt > 1us and comm = nginx", table) == []
    assert chosen("all", table) == []


def test_what_only_the_database_refuses_is_a_wrong_filter() -> None:
    from fleutan.query.predicate import Predicate

    refused = Predicate('regexp_matches("comm", $filter0)', {"filter0": "(a"}, frozenset({"comm"}), frozenset())
    with pytest.raises(FilterError, match=r"the filter cannot be evaluated: .*missing \)") as caught:
        matching(flows(), refused)
    assert "\n" not in str(caught.value)


def test_a_column_that_was_not_read_is_named() -> None:
    with pytest.raises(UsageError, match="no column 'cwnd'"):
        chosen("cwnd > 3", flows())


def test_this_test_would_notice_a_database_that_is_not_asked() -> None:
    assert chosen("rtt = 0us", flows()) == [0]
    assert "duckdb" in sys.modules
