# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleutan.column import Column, text_column
from fleutan.exports.json import document, lines, plain_document, plain_lines
from fleutan.fields import require
from fleutan.table import Table

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.one_of(st.none(), INT64, st.integers(0, 100_000)),
    "float": st.one_of(st.none(), st.floats(), st.floats(0, 1).map(lambda value: round(value, 3))),
    "bool": st.one_of(st.none(), st.booleans()),
    "text": st.one_of(
        st.none(), st.text(st.characters()), st.sampled_from(['\0\x1f\x7f"\\/\u2028', "\udcff", "x" * 500])
    ),
    "address": st.one_of(
        st.none(), st.tuples(INT64, INT64), st.integers(0, (1 << 32) - 1).map(lambda v4: (0, 0xFFFF << 32 | v4))
    ),
    "ints": st.one_of(st.none(), st.lists(INT64, max_size=3).map(tuple)),
}
NAMES = (
    "proto",
    "rtt",
    "src",
    "pids",
    "app_limited",
    "dctcp_alpha",
    "cmdline",
    "dst",
    "cookie",
    "retrans_share",
    "limit",
)


def column(type_: str, values: list[Any]) -> Column:
    if type_ in ("text", "ints"):
        return text_column(values)
    dtype, empty = {
        "int": (np.int64, 0),
        "float": (np.float64, 0),
        "bool": (np.bool_, 0),
        "address": (np.int64, (0, 0)),
    }[type_]
    filled: NDArray[Any] = np.array([empty if value is None else value for value in values], dtype)
    if type_ == "address":
        filled = filled.reshape(-1, 2)
    return Column(filled, np.array([value is not None for value in values], np.bool_))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    count = draw(st.integers(0, 6))
    types = {name: require(name).type for name in names}
    drawn = {name: draw(st.lists(VALUES[type_], min_size=count, max_size=count)) for name, type_ in types.items()}
    return Table("flows", {name: column(types[name], values) for name, values in drawn.items()})


def expected(table: Table) -> list[dict[str, Any]]:
    """What the standard library makes of the rows, but for what JSON and UTF-8 cannot hold."""

    def valid(value: Any) -> Any:
        if isinstance(value, str):
            return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
        return None if isinstance(value, float) and not math.isfinite(value) else value

    rows = [{key: valid(value) for key, value in row.items()} for row in table.rows()]
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]


@given(tables())
def test_lines_say_what_the_rows_say(table: Table) -> None:
    text = b"".join(lines(table)).decode()
    assert [json.loads(line) for line in text.split("\n")[:-1]] == expected(table)
    assert all(list(json.loads(line)) == [field.key for field in table.fields()] for line in text.split("\n")[:-1])


@given(tables(), tables())
def test_a_document_says_what_the_rows_say(table: Table, other: Table) -> None:
    text = b"".join(document(table, {"host": "here"}, sections={"others": other})).decode()
    assert json.loads(text) == {
        "schema": "fleutan/flows/1",
        "host": "here",
        "flows": expected(table),
        "others": expected(other),
    }


def sample() -> Table:
    return Table(
        "flows",
        {
            "proto": text_column(["tcp", "udp"]),
            "dst": Column(np.array([[0, 0xFFFF << 32 | 0xC0000201], [0x20010DB8 << 32, 1]])),
            "rtt": Column(np.array([1500, 0]), np.array([True, False])),
            "pids": Column(np.array([0, -1], np.int32), None, ((7, 8),)),
            "retrans_share": Column(np.array([0.25, math.nan])),
        },
    )


def test_the_text_of_a_document() -> None:
    head = {"host": "h\u00f6st", "at": 1.5, "notes": ["one", "two"]}
    text = b"".join(document(sample(), head, sections={"links": [{"dev": "lo"}, 2], "none": []})).decode()
    assert text == (
        '{"schema":"fleutan/flows/1","host":"h\u00f6st","at":1.5,"notes":["one","two"],"flows":[\n'
        '{"proto":"tcp","dst":"192.0.2.1","rtt_us":1500,"pids":[7,8],"retrans_share":0.25},\n'
        '{"proto":"udp","dst":"2001:db8::1","rtt_us":null,"pids":null,"retrans_share":null}\n'
        '],"links":[\n{"dev":"lo"},\n2\n],"none":[\n]}\n'
    )


def test_the_text_of_lines() -> None:
    assert b"".join(lines(sample())).splitlines()[1] == (
        b'{"proto":"udp","dst":"2001:db8::1","rtt_us":null,"pids":null,"retrans_share":null}'
    )


def test_an_empty_table() -> None:
    empty = sample().take(np.zeros(2, np.bool_))
    assert b"".join(lines(empty)) == b""
    assert json.loads(b"".join(document(empty, {}))) == {"schema": "fleutan/flows/1", "flows": []}
    assert json.loads(b"".join(document(Table("flows", {}), {}, "hops"))) == {"schema": "fleutan/hops/1", "hops": []}


def test_the_head_may_name_its_schema_and_holds_what_json_can() -> None:
    head = {
        "schema": "mine/2",
        "nested": {"rtt": math.inf, "list": (1, math.nan, "\udc80")},
        "numpy": [np.int64(3), np.float64(0.5), np.float64(math.nan), np.bool_(True)],
    }
    assert json.loads(b"".join(document(Table("flows", {}), head))) == {
        "schema": "mine/2",
        "nested": {"rtt": None, "list": [1, None, "\ufffd"]},
        "numpy": [3, 0.5, None, True],
        "flows": [],
    }


def test_what_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError):
        b"".join(document(Table("flows", {}), {"what": object()}))


def test_many_rows_in_bounded_pieces() -> None:
    rows = 30_000
    table = Table(
        "flows", {"cookie": Column(np.arange(rows)), "cmdline": text_column(["x" * 3000, None] * (rows // 2))}
    )
    pieces = [len(piece) for piece in document(table, {})]
    assert max(pieces) < 2 << 20
    assert sum(pieces) > 45_000_000


def test_plain_values() -> None:
    assert b"".join(plain_lines([{"a": 1, "b": math.nan}, "x"])) == b'{"a":1,"b":null}\n"x"\n'
    text = b"".join(plain_document({"schema": "fleutan/groups/1", "others": None}, {"groups": [{"flows": 3}]}))
    assert text == b'{"schema":"fleutan/groups/1","others":null,"groups":[\n{"flows":3}\n]}\n'


def test_a_document_of_sections_or_of_a_head_only() -> None:
    assert json.loads(b"".join(plain_document({}, {"hops": [1]}))) == {"hops": [1]}
    assert b"".join(plain_document({"a": 1}, {})) == b'{"a":1}\n'
    assert b"".join(plain_document({}, {})) == b"{}\n"
