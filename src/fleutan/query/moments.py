# SPDX-License-Identifier: Apache-2.0
"""Points in time as people write them: ``3h``, ``yesterday 14:00``, ``2026-11-25T14:00:00Z``.

What lives here reads no clock: now and the time zone come from the caller.  A local time that
clocks skip is taken as if they had not been put forward; of one that they show twice the first
is meant, or where a range ends the second.  Ranges are the business of ``times``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from fleutan.errors import TimeError
from fleutan.query.durations import LAST_NS, SECOND_NS, amount, failure, lowered, scaled, unix_ns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = {name[:size]: number for number, name in enumerate(_NAMES) for size in (3, len(name))}
_NAMED = {"today": 0, "yesterday": -1, "tomorrow": 1}
_FORMS = "now, 3h, 90m ago, today, yesterday 14:00, last tuesday, 14:00, 2026-11-25T14:00:00Z or @1253211900"

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9])")
_WORD = re.compile(r"(?:(last)\s+)?([a-z]+)")
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,20}))?)?(?![0-9])")
_ZONE = re.compile(r"\s*(?:(z|utc|gmt)|([+-])([0-9]{2}):?([0-9]{2})?)(?![0-9a-z])")
_GAP = re.compile(r"t|\s+(?=[0-9])")
_RELATIVE = re.compile(r"\s*([+-]?)\s*(?=[0-9])")
_ABSOLUTE = re.compile(r"[0-9]+[:-]")
_1980_NS = 315_532_800 * SECOND_NS
_BOUNDS = "times lie between 1970 and 2262"


class _Weekday(NamedTuple):
    """The latest such day, today included unless ``past``."""

    number: int
    past: bool

    def latest(self, today: date) -> date:
        back = (today.weekday() - self.number) % 7
        return today - timedelta(days=back or 7 * self.past)


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in the zone ``zone``; ``part_ns`` is what it has beyond whole seconds."""

    time: time
    part_ns: int
    zone: tzinfo | None

    def on(self, day: date, later: bool = False) -> tuple[int, str]:
        """That time on that day, ns UTC, and what is to be known of it; ``later``: of two alike the second."""
        naive = datetime.combine(day, self.time)
        first, second = (_since_epoch(naive.replace(fold=fold, tzinfo=self.zone)) for fold in (0, 1))
        # PEP 495: of a time that is skipped fold 0 is the later one.
        note = ""
        if first > second:
            note = f"{naive} was skipped as clocks were put forward: taken as if they had not been"
        elif first < second:
            taken = "second" if later else "first"
            note = f"clocks showed {naive} twice: the {taken} is meant; an offset such as +02:00 tells them apart"
        return (second if later and first < second else first) + self.part_ns, note

    def after(self, start_ns: int) -> tuple[int, str]:
        """The first such time after ``start_ns``; of two alike the second."""
        day = _local(start_ns, self.zone)
        times = (self.on(day + timedelta(days=ahead), later=True) for ahead in range(3))
        return next(found for found in times if found[0] > start_ns)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, ``ns`` UTC, and how it was written.

    ``end_ns`` is the end of the day where a day alone was named; ``clock`` the time of day where it
    had no day; ``by`` what a duration was written with: a sign, "ago", or "nothing", ``span_ns`` it.
    """

    ns: int
    note: str = ""
    end_ns: int | None = None
    clock: Clock | None = None
    by: str = ""
    span_ns: int = 0


def parse_moment(text: str, now_ns: int, zone: tzinfo | None) -> int:
    """The time that ``text`` says, in ns UTC, as seen at ``now_ns`` in the time zone ``zone``.

    Takes ``now`` (or ``0``); durations before now (``3h``, ``90m ago``, ``-3h``) and after it
    (``+10m``); ``@`` and unix seconds; a day (``today``, ``yesterday``, ``tuesday``, ``last tuesday``,
    ``2026-11-25``), a time of day or both, and behind them ``Z``, ``UTC`` or an offset.  A day alone is
    its beginning; a time of day alone, or of a weekday, is the latest that is not in the future;
    ``last tuesday`` is one before today.  ``zone`` None is the one that this system is set to.
    Raises TimeError that points at the place.
    """
    return read(text, now_ns, zone).ns


def read(text: str, now_ns: int, zone: tzinfo | None, later: bool = False) -> Moment:
    """The same with how it was written; ``later``: of two times that clocks showed alike the second."""
    lower = lowered(text)
    word = lower.strip()
    if word in ("now", "0"):
        return Moment(now_ns)
    if word.startswith("@"):
        return Moment(_unix(text, lower))
    relative = _RELATIVE.match(lower)
    if relative and not _ABSOLUTE.match(lower, relative.end()):
        return _relative(text, lower, now_ns, relative)
    return _Written(text, lower).moment(now_ns, zone, later)


def _unix(text: str, lower: str) -> int:
    """``@`` and unix seconds.  A small number is Metroflux's ``@hhmmss`` rather than a time of 1970."""
    at = lower.index("@")
    found = unix_ns(lower.rstrip(), at + 1)
    if 0 < found < _1980_NS:
        raise failure("@ takes unix seconds here, and these are before 1980; a time of day is HH:MM", text, at)
    return found


def _relative(text: str, lower: str, now_ns: int, match: re.Match[str]) -> Moment:
    """A duration before now, or after it."""
    sign, at, end = match[1], match.end(), len(lower.rstrip())
    if lower[at:end].isdecimal():
        number = lower[at:end]
        raise failure(f"a number alone is no time: {number}s is so long ago, @{number} a unix time", text, at)
    ago = lower[:end].endswith("ago")
    if ago and sign:
        raise failure(f"{sign} and ago together are no time", text, match.start(1))
    length = amount(text, lower, at, len(lower[: end - 3].rstrip()) if ago else end)
    ns = now_ns + length if sign == "+" else now_ns - length
    _check(ns, text)
    return Moment(ns, by=sign or ("ago" if ago else "nothing"), span_ns=length)


def _check(ns: int, text: str) -> None:
    if not 0 <= ns <= LAST_NS:
        raise failure(_BOUNDS, text, len(text) - len(text.lstrip()))


class _Written:
    """A day, a time of day and a zone, each of which may be missing, read one after the other."""

    def __init__(self, text: str, lower: str) -> None:
        self._text, self._lower = text, lower.rstrip()
        self._at = len(lower) - len(lower.lstrip())

    def moment(self, now_ns: int, zone: tzinfo | None, later: bool) -> Moment:
        """What stands there, all of it."""
        day, clock = self._day(), None
        gap = self._take(_GAP) if day is not None else None
        if day is None or gap:
            clock = self._clock()
        offset = self._take(_ZONE)
        zone = self._zone(offset) if offset else zone
        if self._at < len(self._lower):
            raise self._failure("this is no part of a time")
        try:
            return self._checked(_placed(day, clock and Clock(*clock, zone), zone, now_ns, later))
        except OverflowError:
            raise failure(_BOUNDS, self._text, 0) from None

    def _checked(self, found: Moment) -> Moment:
        _check(found.ns, self._text)
        return found

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What of the pattern stands next, taken."""
        match = pattern.match(self._lower, self._at)
        self._at = match.end() if match else self._at
        return match

    def _failure(self, message: str) -> TimeError:
        return failure(message, self._text, self._at)

    def _day(self) -> date | _Weekday | int | None:
        """A date, a day of the week, or how many days from today."""
        begins = self._at
        if iso := self._take(_ISO):
            try:
                return date(*map(int, iso.groups()))
            except ValueError as error:
                raise failure(f"there is no such day: {error}", self._text, begins) from None
        if not (word := self._take(_WORD)):
            return None
        last, name = word.groups()
        if name in _WEEKDAYS:
            return _Weekday(_WEEKDAYS[name], bool(last))
        if name in _NAMED and not last:
            return _NAMED[name]
        raise failure(f"{word[0]!r} is no day; a time is written {_FORMS}", self._text, begins)

    def _clock(self) -> tuple[time, int]:
        begins = self._at
        match = self._take(_CLOCK)
        if match is None:
            expected = "a time of day is HH:MM or HH:MM:SS" if begins else f"a time is written {_FORMS}"
            raise self._failure(expected)
        hour, minute, second, part = match.groups()
        try:
            return time(int(hour), int(minute), int(second or 0)), scaled("0", part, SECOND_NS)
        except ValueError as error:
            raise failure(f"there is no such time of day: {error}", self._text, begins) from None

    def _zone(self, match: re.Match[str]) -> tzinfo:
        name, sign, hours, minutes = match.groups()
        if name:
            return UTC
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset >= timedelta(days=1) or int(minutes or 0) > 59:
            raise failure("an offset from UTC is less than a day, as in +02:00", self._text, match.start(2))
        return timezone(offset if sign == "+" else -offset)


def _placed(
    day: date | _Weekday | int | None, clock: Clock | None, zone: tzinfo | None, now_ns: int, later: bool
) -> Moment:
    """The moment that this day and this time of day are, as seen now."""
    today = _local(now_ns, zone)
    found, step = today, 1
    if isinstance(day, _Weekday):
        found, step = day.latest(today), 7
    elif day is not None:
        found, step = (today + timedelta(days=day) if isinstance(day, int) else day), 0
    if clock is None:
        midnight = Clock(time(), 0, zone)
        return Moment(midnight.on(found)[0], end_ns=midnight.on(found + timedelta(days=1))[0])
    # Two steps back are needed where clocks skip the time today.
    for back in range(3 if step else 1):
        ns, note = clock.on(found - timedelta(days=step * back), later)
        if ns <= now_ns:
            break
    return Moment(ns, note, clock=clock if day is None else None)


def _local(at_ns: int, zone: tzinfo | None) -> date:
    """The date that it is there."""
    return (_EPOCH + timedelta(microseconds=at_ns // 1000)).astimezone(zone).date()


def _since_epoch(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
