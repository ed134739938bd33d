# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import FleutanError
from fleutan.sources.jobs import found as limits
from fleutan.sources.jobs.found import Found, found, node_name, read_json, time_ns

AT = 1_700_000_000


@pytest.mark.parametrize(
    "said",
    [AT, float(AT), str(AT), "2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", datetime.fromtimestamp(AT, UTC)],
)
def test_a_time_is_seconds_or_a_date_with_its_zone(said: Any) -> None:
    assert time_ns(said) == AT * 10**9


@pytest.mark.parametrize("said", [None, 0, "", 0.0])
def test_nothing_is_no_time(said: Any) -> None:
    assert time_ns(said) is None


def test_parts_of_a_second_stay() -> None:
    assert time_ns(AT + 0.5) == AT * 10**9 + 5 * 10**8


@pytest.mark.parametrize(
    "said", [-1, True, 1 << 62, float("nan"), float("inf"), "soon", "9" * 30, "2023-11-14T22:13:20", {"a": 1}]
)
def test_what_is_no_time_is_said(said: Any) -> None:
    with pytest.raises(FleutanError, match=r"is no time|has no time zone"):
        time_ns(said)


@pytest.mark.parametrize("said", ["node-1", "node-1.rennes.grid5000.fr", "192.0.2.1", "2001:db8::1", "a_b"])
def test_names_of_nodes(said: str) -> None:
    assert node_name(said) == said


@pytest.mark.parametrize("said", ["", "a b", "a/b", "-x", "a\nb", "é", "'; --", "x" * 256, None, 7, {}])
def test_what_is_no_name_is_said(said: Any) -> None:
    with pytest.raises(FleutanError, match="is no name of a node"):
        node_name(said)


def test_each_node_counts_once() -> None:
    assert found(["a", "b", "a"], AT, AT + 1) == Found(("a", "b"), AT * 10**9, (AT + 1) * 10**9)
    assert found(["a"], AT, None).end_ns is None


@pytest.mark.parametrize(
    ("nodes", "start", "end", "what"),
    [
        (["a"], None, None, "it has not begun"),
        ([], AT, None, "it has no nodes"),
        (["a"], AT, AT - 1, "it ended before it began"),
        ([str(number) for number in range(limits.NODES + 1)], AT, None, "it has more than 65536 nodes"),
    ],
)
def test_what_is_no_job_is_said(nodes: list[str], start: Any, end: Any, what: str) -> None:
    with pytest.raises(FleutanError, match=what):
        found(nodes, start, end)


@pytest.mark.parametrize("octets", [b"", b"{", b"<html>", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_said(octets: bytes) -> None:
    with pytest.raises(FleutanError, match="the answer is not JSON"):
        read_json(octets)


def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OCTETS", 4)
    assert read_json(b"[12]") == [12]
    with pytest.raises(FleutanError, match="more than 4 bytes"):
        read_json(b"[123]")


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.lists(st.integers()))
def test_any_value_is_a_time_or_an_error_of_one_line(said: Any) -> None:
    message = ""
    try:
        time_ns(said)
    except FleutanError as error:
        message = str(error)
    assert "\n" not in message
