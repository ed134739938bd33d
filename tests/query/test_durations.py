# SPDX-License-Identifier: Apache-2.0
"""Durations, exact to the nanosecond."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleutan.errors import TimeError, UsageError
from fleutan.query.durations import LAST_NS, LONGEST, UNITS, failure, parse_duration, unix_ns

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("10s", 10 * SECOND),
        ("5m", 300 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("2d", 172_800 * SECOND),
        ("1w", 604_800 * SECOND),
        ("90", 90 * SECOND),
        ("0", 0),
        (" 1.5 ", 3 * SECOND // 2),
        ("1.5h", 5400 * SECOND),
        ("2 days 3 Hours", 183_600 * SECOND),
        ("500ms", SECOND // 2),
        ("0.3ns", 0),
        ("7us", 7000),
        ("7µs", 7000),
    ],
)
def test_durations(text: str, length: int) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "a number with a unit was expected"),
        ("h", 0, "a number with a unit was expected"),
        ("-3s", 0, "a number with a unit was expected"),
        ("1h30", 2, "this number has no unit"),
        ("1h 30x", 5, "'x' is no unit of time"),
        ("3 fortnights", 2, "'fortnights' is no unit of time"),
        ("1h,30m", 2, "a number with a unit was expected"),
        ("300y", 3, "'y' is no unit of time"),
        ("107000d", 0, "this is longer than 292 years"),
        ("9" * 21, 0, "this number has no unit"),
        ("1" * (LONGEST + 1), LONGEST, "a time has at most 200 characters, not 201"),
    ],
)
def test_what_is_no_duration_is_pointed_at(text: str, position: int, message: str) -> None:
    with pytest.raises(TimeError, match=message) as found:
        parse_duration(text)
    assert found.value.position == position


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(UNITS))), min_size=1, max_size=5))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    length = sum(number * UNITS[unit] for number, unit in parts)
    text = "".join(f"{number}{unit}" for number, unit in parts)
    if length <= LAST_NS:
        assert parse_duration(text) == length
    else:
        with pytest.raises(TimeError, match="longer"):
            parse_duration(text)


@given(st.text(max_size=20) | st.text("0123456789.smhdw +-", max_size=20))
@example("1.")
@example("٣s")
@example("\ud800")
def test_any_text_is_a_duration_or_a_wrong_question(text: str) -> None:
    with suppress(UsageError):
        assert 0 <= parse_duration(text) <= LAST_NS


@given(st.integers(0, LAST_NS))
def test_unix_times_are_exact(ns: int) -> None:
    assert unix_ns(f"{ns // SECOND}.{ns % SECOND:09}", 0) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e9", "a unix time is seconds since 1970"),
        ("-1", "a unix time is seconds since 1970"),
        ("1253211900000", "beyond the year 2262; are these milliseconds?"),
        ("1253211900000000", "beyond the year 2262$"),
    ],
)
def test_unix_times_that_are_none(text: str, message: str) -> None:
    with pytest.raises(TimeError) as found:
        unix_ns(text, 0)
    assert re.search(message.replace("?", "[?]"), found.value.args[0])


def test_an_error_shows_one_printable_line() -> None:
    lines = str(failure("wrong here", "a\nb\x1b[1m!\ud800", 6)).split("\n")
    assert lines == ["wrong here", "  a?b?[1m!?", "        ^"]
