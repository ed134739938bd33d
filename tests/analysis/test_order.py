# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan import address
from fleutan.analysis.order import ordered, parse
from fleutan.column import Column, text_column
from fleutan.errors import UsageError
from fleutan.fields import BY_NAME
from fleutan.table import Table

Row = dict[str, Any]
LEAST, MOST = -(1 << 63), (1 << 63) - 1
DTYPES: dict[str, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_}


def table(rows: list[Row], *names: str) -> Table:
    return Table("flows", {name: column(name, [row[name] for row in rows]) for name in names})


def column(name: str, values: list[Any]) -> Column:
    kind = BY_NAME[name].type
    if kind == "text":
        return text_column(values)
    if kind == "ints":
        words = tuple(dict.fromkeys(value for value in values if value is not None))
        return Column(
            np.array([-1 if value is None else words.index(value) for value in values], np.int32), None, words
        )
    known = np.array([value is not None for value in values], np.bool_)
    if kind == "address":
        prefixes = [address.parse_prefix(value or "::") for value in values]
        return Column(np.array([[one.hi_first, one.lo_first] for one in prefixes], np.int64).reshape(-1, 2), known)
    return Column(np.array([value or 0 for value in values], DTYPES[kind]), known)


def sort(name: str, values: list[Any], descending: bool = False) -> list[Any]:
    made = Table("flows", {name: column(name, values)})
    return ordered(made, ["-" * descending + name]).column(name).objects()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("rtt", "-rtt"),
        ("rtt_us", "-rtt"),
        ("tx", "-bytes_sent"),
        ("rtt:asc", "rtt"),
        ("rtt:desc", "-rtt"),
        ("comm", "comm"),
        ("sport", "sport"),
        ("comm:desc", "-comm"),
    ],
)
def test_figures_descend_and_names_ascend_unless_told(text: str, key: str) -> None:
    assert parse(text) == key


@pytest.mark.parametrize(
    ("text", "said"), [("rtt:down", "after ':' comes asc or desc"), ("rt", "no field is called 'rt'"), ("", "no field")]
)
def test_wrong_keys_are_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("name", "ascending"),
    [
        ("rtt", [LEAST, -1, 0, 5, MOST]),
        ("retrans_share", [0.0, 0.25, 0.5]),
        ("app_limited", [False, True]),
        ("comm", ["a", "b", "ü"]),
        ("pids", [(1,), (1, 7), (2,), (10,)]),
        ("src", ["::", "::1", "10.0.0.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "fe80::1", "ff02::1"]),
    ],
)
def test_every_type_has_an_order_and_unknown_values_are_last(name: str, ascending: list[Any]) -> None:
    mixed = [*ascending[::2], None, *ascending[1::2], None]
    assert sort(name, mixed) == [*ascending, None, None]
    assert sort(name, mixed, descending=True) == [*ascending[::-1], None, None]


def test_several_keys_the_first_before_the_others() -> None:
    rows: list[Row] = [
        {"comm": "b", "rtt": 1, "sport": 1},
        {"comm": "a", "rtt": 1, "sport": 2},
        {"comm": "b", "rtt": 9, "sport": 3},
        {"comm": None, "rtt": 9, "sport": 4},
        {"comm": "a", "rtt": None, "sport": 5},
    ]
    made = table(rows, "comm", "rtt", "sport")
    assert ordered(made, ["comm", "-rtt"])["sport"].tolist() == [2, 5, 3, 1, 4]
    assert ordered(made, ["-rtt", "comm"])["sport"].tolist() == [3, 4, 2, 1, 5]


def test_rows_that_are_alike_keep_their_order() -> None:
    rows: list[Row] = [{"rtt": number % 2, "sport": number} for number in range(6)]
    assert ordered(table(rows, "rtt", "sport"), ["-rtt"])["sport"].tolist() == [1, 3, 5, 0, 2, 4]
    assert ordered(table(rows, "rtt", "sport"), [])["sport"].tolist() == [0, 1, 2, 3, 4, 5]


def test_only_the_first_few() -> None:
    rows: list[Row] = [{"rtt": number} for number in (3, 1, 2)]
    made = table(rows, "rtt")
    assert ordered(made, ["-rtt"], 2)["rtt"].tolist() == [3, 2]
    assert ordered(made, ["-rtt"], 9)["rtt"].tolist() == [3, 2, 1]
    assert ordered(made, [], 1)["rtt"].tolist() == [3]


def test_an_empty_table_has_every_order() -> None:
    made = table([], "rtt")
    assert ordered(made, ["-rtt", "comm"], 3) is made


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no column 'cwnd'"):
        ordered(table([{"rtt": 1}], "rtt"), ["-cwnd"])


VALUES = {
    "int": st.integers(LEAST, MOST),
    "float": st.floats(allow_nan=False),
    "text": st.text(max_size=3),
}


@pytest.mark.parametrize(("name", "kind"), [("rtt", "int"), ("retrans_share", "float"), ("comm", "text")])
@given(data=st.data(), descending=st.booleans())
def test_the_order_is_that_of_python(name: str, kind: str, data: st.DataObject, descending: bool) -> None:
    values: list[Any] = data.draw(st.lists(st.none() | VALUES[kind], max_size=20))
    known = sorted((value for value in values if value is not None), reverse=descending)
    assert sort(name, values, descending) == [*known, *[None] * (len(values) - len(known))]


@given(st.lists(st.ip_addresses(v=6), min_size=1, max_size=20), st.booleans())
def test_the_order_of_addresses_is_that_of_their_numbers(addresses: list[Any], descending: bool) -> None:
    made = Table("flows", {"src": column("src", [str(one) for one in addresses])})
    found = ordered(made, ["-src" if descending else "src"]).column("src").values.astype(">i8").tobytes()
    expected = sorted((one.packed for one in addresses), reverse=descending)
    assert found == b"".join(expected)
