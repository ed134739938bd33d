# SPDX-License-Identifier: Apache-2.0
"""Points in time as people write them, seen from Paris on Wednesday 25 November 2026, 16:30:05."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleutan.errors import TimeError, UsageError
from fleutan.query.durations import LAST_NS
from fleutan.query.moments import parse_moment, read

PARIS = ZoneInfo("Europe/Paris")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns_of(text: str) -> int:
    """An RFC 3339 time in nanoseconds, by the standard library."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) * 1000


NOW = ns_of("2026-11-25T16:30:05+01:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-25T16:30:05+01:00"),
        ("0", "2026-11-25T16:30:05+01:00"),
        ("3h", "2026-11-25T13:30:05+01:00"),
        ("90m ago", "2026-11-25T15:00:05+01:00"),
        ("1 hour 30 min ago", "2026-11-25T15:00:05+01:00"),
        ("-3h", "2026-11-25T13:30:05+01:00"),
        ("+ 10m", "2026-11-25T16:40:05+01:00"),
        (" Today ", "2026-11-25T00:00:00+01:00"),
        ("yesterday", "2026-11-24T00:00:00+01:00"),
        ("tomorrow", "2026-11-26T00:00:00+01:00"),
        ("yesterday 14:00", "2026-11-24T14:00:00+01:00"),
        ("today 17:00", "2026-11-25T17:00:00+01:00"),
        ("14:00", "2026-11-25T14:00:00+01:00"),
        ("14:00:07.25", "2026-11-25T14:00:07.25+01:00"),
        ("17:00", "2026-11-24T17:00:00+01:00"),
        ("14:00Z", "2026-11-25T14:00:00+00:00"),
        ("23:30 UTC", "2026-11-24T23:30:00+00:00"),
        ("2026-11-25", "2026-11-25T00:00:00+01:00"),
        ("2026-11-25T14:00:00Z", "2026-11-25T14:00:00+00:00"),
        ("2026-11-25t14:00z", "2026-11-25T14:00:00+00:00"),
        ("2026-11-25 14:00:00.5 +02:00", "2026-11-25T14:00:00.5+02:00"),
        ("2026-11-25 14:00 -0330", "2026-11-25T14:00:00-03:30"),
        ("2026-11-25 14:00+02", "2026-11-25T14:00:00+02:00"),
        ("2026-07-01 14:00", "2026-07-01T14:00:00+02:00"),
        ("2026-11-25 utc", "2026-11-25T00:00:00+00:00"),
        ("today gmt", "2026-11-25T00:00:00+00:00"),
        ("@1253211900", "2009-09-17T18:25:00+00:00"),
        ("@1253211900.5", "2009-09-17T18:25:00.5+00:00"),
        ("@0", "1970-01-01T00:00:00+00:00"),
        ("tuesday", "2026-11-24T00:00:00+01:00"),
        ("last tuesday", "2026-11-24T00:00:00+01:00"),
        ("wed", "2026-11-25T00:00:00+01:00"),
        ("last  Wednesday", "2026-11-18T00:00:00+01:00"),
        ("thu 09:00", "2026-11-19T09:00:00+01:00"),
        ("wednesday 16:00", "2026-11-25T16:00:00+01:00"),
        ("wednesday 17:00", "2026-11-18T17:00:00+01:00"),
        ("last wednesday 17:00", "2026-11-18T17:00:00+01:00"),
    ],
)
def test_times_that_people_write(text: str, expected: str) -> None:
    assert parse_moment(text, NOW, PARIS) == ns_of(expected)


def test_nanoseconds_are_kept() -> None:
    assert parse_moment("2026-11-25T14:00:00.123456789Z", NOW, PARIS) == ns_of("2026-11-25T14:00:00Z") + 123456789
    assert parse_moment("@1253211900.000000001", NOW, PARIS) % 10**9 == 1
    assert parse_moment("1s", NOW + 7, PARIS) == NOW + 7 - 10**9


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "a time is written now, 3h"),
        ("-", 0, "a time is written now, 3h"),
        ("3600", 0, "3600s is so long ago, @3600 a unix time"),
        ("-3h ago", 0, "no time"),
        ("3x", 1, "no unit of time"),
        ("3h5", 2, "has no unit"),
        ("ago", 0, "'ago' is no day"),
        ("last week", 0, "'last week' is no day"),
        ("last today", 0, "'last today' is no day"),
        (" yesterdays", 1, "'yesterdays' is no day"),
        ("yesterday 14", 10, "a time of day is HH:MM"),
        ("2026-11-25T", 11, "a time of day is HH:MM"),
        ("14:00 sharp", 5, "no part of a time"),
        ("14:00:00 +02:00:30", 15, "no part of a time"),
        ("2026-13-01", 0, "no such day: month"),
        ("2026-02-29 12:00", 0, "no such day"),
        ("25:00", 0, "no such time of day"),
        ("today 12:60", 6, "no such time of day"),
        ("14:00 +24:00", 6, "an offset"),
        ("14:00 +02:60", 6, "an offset"),
        ("@093000", 0, "before 1980"),
        ("@yesterday", 1, "a unix time is"),
        ("@9223372037", 1, "beyond the year 2262"),
        ("1969-12-31", 0, "between 1970 and 2262"),
        ("9999-12-31", 0, "between 1970 and 2262"),
        ("100000d ago", 0, "between 1970 and 2262"),
        ("+100000d", 0, "between 1970 and 2262"),
    ],
)
def test_what_is_no_time_is_pointed_at(text: str, position: int, message: str) -> None:
    with pytest.raises(TimeError) as found:
        parse_moment(text, NOW, PARIS)
    assert message in found.value.args[0]
    assert found.value.position == position


# -- when clocks change: forward on 29 March 2026 at 02:00, back on 25 October at 03:00


def test_a_time_that_clocks_skip_is_taken_as_if_they_had_not() -> None:
    moment = read("2026-03-29 02:30", NOW, PARIS)
    assert moment.ns == ns_of("2026-03-29T02:30:00+01:00") == ns_of("2026-03-29T03:30:00+02:00")
    assert "skipped" in moment.note
    assert not read("2026-03-29 03:30", NOW, PARIS).note


def test_a_time_that_clocks_show_twice_is_the_first_unless_it_ends_a_range() -> None:
    first, second = ns_of("2026-10-25T02:30:00+02:00"), ns_of("2026-10-25T02:30:00+01:00")
    moment = read("2026-10-25 02:30", NOW, PARIS)
    assert (moment.ns, "the first is meant" in moment.note) == (first, True)
    moment = read("2026-10-25 02:30", NOW, PARIS, later=True)
    assert (moment.ns, "the second is meant" in moment.note) == (second, True)
    for offset, ns in (("+02:00", first), ("+01:00", second)):
        assert read(f"2026-10-25 02:30 {offset}", NOW, PARIS).ns == ns


def test_days_are_as_long_as_they_were() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)):
        moment = read(day, NOW, PARIS)
        assert moment.end_ns is not None
        assert moment.end_ns - moment.ns == hours * 3600 * 10**9


def test_a_day_whose_midnight_was_skipped_begins_after_it() -> None:
    moment = read("2018-11-04", NOW, ZoneInfo("America/Sao_Paulo"))
    assert (moment.ns, moment.note) == (ns_of("2018-11-04T01:00:00-02:00"), "")


def test_the_latest_time_of_day_on_the_day_that_clocks_skip_it() -> None:
    """At 03:10, 02:30 would be 03:30, which is in the future; yesterday there was one."""
    assert parse_moment("02:30", ns_of("2026-03-29T03:10:00+02:00"), PARIS) == ns_of("2026-03-28T02:30:00+01:00")


def test_without_a_zone_it_is_that_of_the_system() -> None:
    here = datetime(2026, 11, 24, 14, 0).astimezone()
    assert parse_moment("yesterday 14:00", NOW, None) == (here - EPOCH) // timedelta(microseconds=1) * 1000


# -- round trips, and anything at all

ZONES: list[tzinfo] = [
    UTC,
    PARIS,
    ZoneInfo("Asia/Kolkata"),
    ZoneInfo("America/New_York"),
    timezone(timedelta(hours=-9)),
]
# A day from either end of what there is, so that offsets do not lead out of it.
TIMES = st.integers(86_400 * 10**9, LAST_NS - 2 * 86_400 * 10**9)


@given(TIMES, st.sampled_from(ZONES))
def test_a_time_with_its_offset_is_that_time(ns: int, zone: tzinfo) -> None:
    moment = (EPOCH + timedelta(microseconds=ns // 1000)).astimezone(zone)
    offset = moment.utcoffset()
    if offset is None or offset % timedelta(minutes=1):  # before there were zones
        return
    text = moment.isoformat(timespec="seconds")
    written = f"{text[:19]}.{ns % 10**9:09}{text[19:]}"
    assert parse_moment(written, NOW, PARIS) == ns
    assert parse_moment(written.replace("T", " "), NOW, UTC) == ns


@given(TIMES, st.sampled_from(ZONES))
def test_a_local_time_is_shown_by_the_clock_or_was_skipped(ns: int, zone: tzinfo) -> None:
    naive = (EPOCH + timedelta(seconds=ns // 10**9)).astimezone(zone).replace(tzinfo=None)
    found = read(str(naive), NOW, zone)
    assert (EPOCH + timedelta(seconds=found.ns // 10**9)).astimezone(zone).replace(tzinfo=None) == naive
    assert found.ns // 10**9 == ns // 10**9 or "twice" in found.note


@given(st.integers(0, 23), st.integers(0, 59), TIMES, st.sampled_from(ZONES))
def test_a_time_of_day_is_not_in_the_future(hour: int, minute: int, now_ns: int, zone: tzinfo) -> None:
    ns = parse_moment(f"{hour:02}:{minute:02}", now_ns, zone)
    assert now_ns - 2 * 86_400 * 10**9 < ns <= now_ns


@given(
    st.text(max_size=30) | st.text("0123456789:.-+@ tzago hdmslatuey", max_size=30),
    TIMES,
    st.sampled_from([*ZONES, None]),
)
@example("0001-01-01 00:00 +23:59", NOW, PARIS)
@example("9999-12-31 23:59 -23:59", NOW, None)
@example("İ", NOW, PARIS)
def test_any_text_is_a_time_or_a_wrong_question(text: str, now_ns: int, zone: tzinfo | None) -> None:
    with suppress(UsageError):
        assert 0 <= parse_moment(text, now_ns, zone) <= LAST_NS
