# SPDX-License-Identifier: Apache-2.0
"""Ranges of time: Metroflux's, unix times, and what people write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleutan.errors import TimeError, UsageError
from fleutan.query.times import FOREVER, Window, parse_bounds, parse_during, parse_range

PARIS = ZoneInfo("Europe/Paris")
SECOND, MINUTE, HOUR, DAY = 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9


def at(*fields: int) -> int:
    return int(datetime(*fields, tzinfo=UTC).timestamp()) * SECOND  # type: ignore[arg-type,misc]


NOW = at(2026, 11, 25, 15, 30, 5)


def found_or_refused(read: Callable[[], Window]) -> Window | None:
    """The window, or None where the question is wrong; any other error is the test's."""
    try:
        return read()
    except UsageError:
        return None


# -- time=A:B


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("-10h:0", NOW - 10 * HOUR, NOW),
        ("-3h5m10s:-1h", NOW - 3 * HOUR - 5 * MINUTE - 10 * SECOND, NOW - HOUR),
        ("-1h:+10m", NOW - HOUR, NOW + 10 * MINUTE),
        ("-1h: 10m", NOW - HOUR, NOW + 10 * MINUTE),
        (" 1h:+2h", NOW + HOUR, NOW + 2 * HOUR),
        ("@093000:+10m", at(2026, 11, 25, 9, 30), at(2026, 11, 25, 9, 40)),
        ("@093000: 10m", at(2026, 11, 25, 9, 30), at(2026, 11, 25, 9, 40)),
        ("@093000:0", at(2026, 11, 25, 9, 30), NOW),
        ("@093000:@094000", at(2026, 11, 25, 9, 30), at(2026, 11, 25, 9, 40)),
        ("@0005:@0010", at(2026, 11, 25, 15, 0, 5), at(2026, 11, 25, 15, 0, 10)),
        ("@24093000:+1d", at(2026, 11, 24, 9, 30), at(2026, 11, 25, 9, 30)),
        ("@0917182500:+1m", at(2026, 9, 17, 18, 25), at(2026, 9, 17, 18, 26)),
        ("@090917182500:+1m", at(2009, 9, 17, 18, 25), at(2009, 9, 17, 18, 26)),
        ("@19990917182500:+1m", at(1999, 9, 17, 18, 25), at(1999, 9, 17, 18, 26)),
    ],
)
def test_ranges_of_metroflux(text: str, start: int, end: int) -> None:
    assert parse_range(text, NOW) == Window(start, end)


@pytest.mark.parametrize("text", ["-1h:20m", "@143005:20m"])
def test_an_end_without_a_sign_is_relative_to_the_start_and_said_so(text: str) -> None:
    window = parse_range(text, NOW)
    assert window == (NOW - HOUR, NOW - 40 * MINUTE, ("20m has no sign: taken as +20m from the start",))


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "a range is A:B"),
        ("-1h", 0, "a range is A:B"),
        ("-2h:-1h:0", 7, "a range is A:B"),
        ("-1h:", 4, "a time is 0, @ and digits"),
        (":0", 0, "a time is 0, @ and digits"),
        ("1h:0", 0, "the start needs a sign"),
        ("yesterday:0", 0, "a time is 0, @ and digits"),
        ("-:0", 1, "a number and d, h, m or s"),
        ("-1w:0", 1, "a number and d, h, m or s"),
        ("-1h30:0", 3, "a number and d, h, m or s"),
        ("-1h:5", 4, "a number and d, h, m or s"),
        ("-1h:+5x", 5, "a number and d, h, m or s"),
        ("@93000:0", 0, "after @ come mmss"),
        ("@:0", 0, "after @ come mmss"),
        ("@0930001:0", 0, "after @ come mmss"),
        ("@0020261125093000:0", 0, "after @ come mmss"),
        ("-1h:@09:30", 7, "a range is A:B"),
        ("@093060:0", 0, "there is no such time: second"),
        ("@31093000:0", 0, "there is no such time: day"),
        ("0:@00001125093000", 2, "there is no such time: year"),
        ("0:0", 2, "the range ends where it begins"),
        ("-1h:-2h", 4, "the range ends before it begins"),
        ("@093000:-10m", 8, "the range ends before it begins"),
        ("-100000d:0", 0, "between 1970 and 2262"),
        ("0:+100000d", 0, "between 1970 and 2262"),
    ],
)
def test_a_range_that_is_none_is_pointed_at(text: str, position: int, message: str) -> None:
    with pytest.raises(TimeError) as found:
        parse_range(text, NOW)
    assert message in found.value.args[0]
    assert found.value.position == position


INSTANTS = st.integers(at(1970, 1, 2) // SECOND, at(2262, 1, 1) // SECOND)


@given(INSTANTS, INSTANTS)
def test_absolute_ranges_round_trip(one: int, other: int) -> None:
    start, end = sorted((one, other))
    if start == end:
        return
    text = ":".join(f"@{datetime.fromtimestamp(second, UTC):%Y%m%d%H%M%S}" for second in (start, end))
    assert parse_range(text, NOW) == Window(start * SECOND, end * SECOND)


@given(st.integers(0, 9), st.integers(0, 30), st.integers(0, 99), st.integers(1, 99))
def test_relative_ranges_round_trip(days: int, hours: int, minutes: int, seconds: int) -> None:
    length = days * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND
    assert parse_range(f"-{days}d{hours}h{minutes}m{seconds}s:0", NOW) == Window(NOW - length, NOW)


@given(st.text(max_size=30) | st.text("0123456789:@+- dhms", max_size=30), st.integers(0, FOREVER))
@example("٣:٣", NOW)
@example("-99999999999999d:0", NOW)
def test_any_text_is_a_range_or_a_wrong_question(text: str, now_ns: int) -> None:
    window = found_or_refused(lambda: parse_range(text, now_ns))
    assert window is None or 0 <= window.start_ns < window.end_ns <= FOREVER


# -- start=, end=


def test_unix_times() -> None:
    assert parse_bounds("1253211900", "1253212000.5", NOW) == Window(1253211900 * SECOND, 12532120005 * SECOND // 10)
    assert parse_bounds(None, None, NOW) == Window(NOW, FOREVER)
    assert parse_bounds("1253211900", None, NOW) == Window(1253211900 * SECOND, FOREVER)
    assert parse_bounds(None, "4102444800", NOW) == Window(NOW, 4102444800 * SECOND)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("yesterday", None, "a unix time is"),
        (None, "1e10", "a unix time is"),
        ("1253211900000", None, "milliseconds"),
        (None, "1253211900", "ends before it begins"),
        ("5", "5", "ends where it begins"),
        ("1" * 300, None, "at most 200 characters"),
    ],
)
def test_unix_times_that_are_none(start: str | None, end: str | None, message: str) -> None:
    with pytest.raises(TimeError, match=message):
        parse_bounds(start, end, NOW)


# -- what people write; in Paris it is 16:30:05


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("14:00..15:00", at(2026, 11, 25, 13), at(2026, 11, 25, 14)),
        ("14:00:15:00", at(2026, 11, 25, 13), at(2026, 11, 25, 14)),
        ("14:00:00:15:00:00", at(2026, 11, 25, 13), at(2026, 11, 25, 14)),
        ("-1h:0", NOW - HOUR, NOW),
        ("3h:1h", NOW - 3 * HOUR, NOW - HOUR),
        ("3h ago .. now", NOW - 3 * HOUR, NOW),
        ("14:00..+10m", at(2026, 11, 25, 13), at(2026, 11, 25, 13, 10)),
        ("-1h:+10m", NOW - HOUR, NOW - 50 * MINUTE),
        ("yesterday", at(2026, 11, 23, 23), at(2026, 11, 24, 23)),
        ("yesterday:today", at(2026, 11, 23, 23), at(2026, 11, 24, 23)),
        ("yesterday 14:00..16:00", at(2026, 11, 24, 13), at(2026, 11, 24, 15)),
        ("yesterday 23:00:01:00", at(2026, 11, 24, 22), at(2026, 11, 25, 0)),
        ("17:00..18:00", at(2026, 11, 24, 16), at(2026, 11, 24, 17)),
        ("16:00..17:00", at(2026, 11, 25, 15), at(2026, 11, 25, 16)),
        ("tuesday..wednesday", at(2026, 11, 23, 23), at(2026, 11, 24, 23)),
        ("2026-11-25T14:00:00Z:2026-11-25T15:00:00Z", at(2026, 11, 25, 14), at(2026, 11, 25, 15)),
        ("2026-11-25T14:00:00.5Z..@1795620000", at(2026, 11, 25, 14) + SECOND // 2, 1795620000 * SECOND),
        ("2026-11-25 +02:00", at(2026, 11, 24, 22), at(2026, 11, 25, 22)),
        ("2026-03-29", at(2026, 3, 28, 23), at(2026, 3, 29, 22)),
    ],
)
def test_ranges_that_people_write(text: str, start: int, end: int) -> None:
    assert parse_during(text, NOW, PARIS) == Window(start, end)


def test_a_range_where_clocks_are_put_back_holds_all_that_they_showed() -> None:
    window = parse_during("2026-10-25 02:15..02:45", NOW, PARIS)
    assert window[:2] == (at(2026, 10, 25, 0, 15), at(2026, 10, 25, 1, 45))
    assert [note.split(":")[-2].split("; ")[0].strip() for note in window.notes] == [
        "the first is meant",
        "the second is meant",
    ]


def test_a_duration_at_the_end_is_before_now_and_said_so_where_that_is_in_doubt() -> None:
    window = parse_during("-1h..20m", NOW, PARIS)
    assert window[:2] == (NOW - HOUR, NOW - 20 * MINUTE)
    assert "so long before now" in window.notes[0]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("14:00:15:00:16", 2, "more than one way"),
        ("2026-11-25 14:00 +02:00:15:00", 13, "more than one way"),
        ("3h", 2, "a range is A..B"),
        ("14:00", 5, "a range is A..B"),
        ("14:00:00", 8, "a range is A..B"),
        ("", 0, "a time is written"),
        ("..", 0, "a time is written"),
        ("14:00..", 7, "a time is written"),
        ("14:00..soon", 7, "'soon' is no day"),
        ("sooner..15:00", 0, "'sooner' is no day"),
        ("yesterday 14:00:later", 16, "'later' is no day"),
        ("14:00...15:00", 7, "a time is written"),
        ("yesterday..yesterday", 11, "ends where it begins"),
        ("1h..2h", 4, "ends before it begins"),
        ("1h.." + "x" * 200, 200, "at most 200 characters"),
    ],
)
def test_what_is_no_such_range_is_pointed_at(text: str, position: int, message: str) -> None:
    with pytest.raises(TimeError) as found:
        parse_during(text, NOW, PARIS)
    assert message in found.value.args[0]
    assert found.value.position == position


@given(st.lists(INSTANTS, min_size=2, max_size=2, unique=True), st.sampled_from(["..", ":"]))
def test_written_ranges_round_trip(seconds: list[int], divider: str) -> None:
    texts = [f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}" for second in sorted(seconds)]
    window = parse_during(divider.join(texts), NOW, PARIS)
    assert window == Window(min(seconds) * SECOND, max(seconds) * SECOND)


@given(st.text(max_size=30) | st.text("0123456789:.-+@ tzago hdmslatuey", max_size=30), st.integers(0, FOREVER))
@example("today..00:00", 0)
@example("00:00..23:59", FOREVER)
def test_any_text_is_such_a_range_or_a_wrong_question(text: str, now_ns: int) -> None:
    window = found_or_refused(lambda: parse_during(text, now_ns, PARIS))
    assert window is None or 0 <= window.start_ns < window.end_ns <= FOREVER
