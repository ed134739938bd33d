# SPDX-License-Identifier: Apache-2.0
"""Ranges of time: Metroflux's ``time=A:B``, ``start`` and ``end``, and those that people write.

Single points in time as people write them are read in ``moments``, durations in ``durations``.
No clock is read here: now is given, over HTTP the time of the last packet that was recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from fleutan.errors import TimeError
from fleutan.query import moments
from fleutan.query.durations import LAST_NS, SECOND_NS, bounded, failure, parse_duration, unix_ns
from fleutan.query.moments import Moment, parse_moment

__all__ = ["FOREVER", "Window", "parse_bounds", "parse_duration", "parse_during", "parse_moment", "parse_range"]

#: The end of a range that has none.
FOREVER = LAST_NS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"d": 86_400 * SECOND_NS, "h": 3600 * SECOND_NS, "m": 60 * SECOND_NS, "s": SECOND_NS}
_ABSOLUTE = re.compile(r"@([0-9]*)")
_STEP = re.compile(r"([0-9]{1,12})([dhms])")


class Window(NamedTuple):
    """From ``start_ns`` until before ``end_ns``, UTC; ``notes`` say in a line each how it was understood."""

    start_ns: int
    end_ns: int
    notes: tuple[str, ...] = ()


# -- time=A:B


def parse_range(text: str, now_ns: int) -> Window:
    """The window of Metroflux's ``time=A:B``.

    Each side is ``0`` (now), ``@[cc[yy[mm[dd[hh]]]]]mmss`` (UTC; what is missing on the left is
    that of now), or a sign and numbers with d, h, m or s (``-3h5m10s``); a blank is a plus
    sign that was not encoded.  B is relative to A where A is absolute, else to now; without a sign
    it is relative to A in any case, and a note says so.  Raises TimeError that points at the place.
    """
    bounded(text)
    if text.count(":") != 1:
        raise failure("a range is A:B, as in -1h:0 or @093000:+10m", text, max(text.rfind(":"), 0))
    middle = text.index(":")
    start = _side(text, 0, middle, now_ns, now_ns)
    if start is None:
        raise failure("the start needs a sign, as in -1h", text, 0)
    base = start if text.startswith("@") else now_ns
    end = _side(text, middle + 1, len(text), base, now_ns)
    if end is not None:
        return _window(start, end, text, middle + 1)
    span = text[middle + 1 :]
    note = f"{span} has no sign: taken as +{span} from the start"
    return _window(start, start + _steps(text, middle + 1, len(text)), text, middle + 1, note)


def _side(text: str, at: int, end: int, base_ns: int, now_ns: int) -> int | None:
    """One side; None where it begins like a duration without a sign."""
    if text[at:end] == "0":
        return now_ns
    if text.startswith("@", at, end):
        return _absolute(text, at, end, now_ns)
    if text[at : at + 1] in ("+", "-", " ") and at < end:
        steps = _steps(text, at + 1, end)
        return base_ns - steps if text[at] == "-" else base_ns + steps
    if text[at : at + 1].isdecimal():
        return None
    raise failure("a time is 0, @ and digits, or a sign and a duration, as in -1h", text, at)


def _steps(text: str, at: int, end: int) -> int:
    """``3h5m10s`` in nanoseconds."""
    begins, total = at, 0
    while match := _STEP.match(text, at, end):
        total += int(match[1]) * _UNITS[match[2]]
        at = match.end()
    if at < end or at == begins:
        raise failure("a number and d, h, m or s was expected here, as in 3h5m10s", text, at)
    return total


def _absolute(text: str, at: int, end: int, now_ns: int) -> int:
    """``@`` and two digits a field, the seconds last; the fields before them are those of now."""
    match = _ABSOLUTE.fullmatch(text, at, end)
    if match is None or len(match[1]) not in range(4, 15, 2):
        raise failure("after @ come mmss, hhmmss, ddhhmmss, mmddhhmmss, yymmddhhmmss or ccyymmddhhmmss", text, at)
    now = _EPOCH + timedelta(microseconds=now_ns // 1000)
    given = [int(match[1][place : place + 2]) for place in range(0, len(match[1]), 2)]
    fields = [now.year // 100, now.year % 100, now.month, now.day, now.hour, now.minute, now.second]
    fields[-len(given) :] = given
    try:
        found = datetime(100 * fields[0] + fields[1], *fields[2:]).replace(tzinfo=UTC)  # type: ignore[arg-type]
    except ValueError as error:
        raise failure(f"there is no such time: {error}", text, at) from None
    return (found - _EPOCH) // timedelta(seconds=1) * SECOND_NS


# -- start=, end=


def parse_bounds(start: str | None, end: str | None, now_ns: int) -> Window:
    """The window of unix times, whole or decimal; without ``start`` from now on, without ``end`` for ever.

    Raises TimeError.
    """
    start_ns = now_ns if start is None else unix_ns(bounded(start), 0)
    end_ns = FOREVER if end is None else unix_ns(bounded(end), 0)
    return _window(start_ns, end_ns, end or "", 0)


# -- ranges that people write


def parse_during(text: str, now_ns: int, zone: tzinfo | None) -> Window:
    """The window of ``A..B`` or ``A:B``, each side a time as ``parse_moment`` takes it; or of a day alone.

    Where ``..`` is in the text it is what divides it, else a colon: one at which both sides are
    times.  Where there are several such, or none, that is an error.  As the end a time of
    day alone is the first after the start, and ``+10m`` is counted from the start; of a time
    that clocks show twice the end is the second.  Raises TimeError that points at the place.
    """
    bounded(text)
    divider = ".." if ".." in text else ":"
    places = [match.start() for match in re.finditer(f"(?={re.escape(divider)})", text)]
    found, troubles = [], []
    for reading in (_whole_day, *(_divided(place, len(divider)) for place in places)):
        try:
            found.append(reading(text, now_ns, zone))
        except TimeError as error:
            troubles.append(error)
    if len(found) > 1:
        raise failure("this can be divided in more than one way; write A..B", text, places[0])
    if not found:
        raise max(troubles, key=lambda error: error.position)
    return found[0]


def _whole_day(text: str, now_ns: int, zone: tzinfo | None) -> Window:
    moment = moments.read(text, now_ns, zone)
    if moment.end_ns is None:
        raise failure("a range is A..B, as in 14:00..15:00, or a day", text, len(text))
    return Window(moment.ns, moment.end_ns)


def _divided(place: int, width: int) -> Callable[[str, int, tzinfo | None], Window]:
    """What reads a text as two times, divided at ``place``."""

    def read(text: str, now_ns: int, zone: tzinfo | None) -> Window:
        start = _at(text, slice(0, place), lambda part: moments.read(part, now_ns, zone))
        behind = place + width
        end = _at(text, slice(behind, None), lambda part: moments.read(part, now_ns, zone, later=True))
        end_ns, note = _end(start, end)
        notes = dict.fromkeys(note for note in (start.note, note) if note)
        return _window(start.ns, end_ns, text, behind, *notes)

    return read


def _at(text: str, part: slice, read: Callable[[str], Moment]) -> Moment:
    """What a part of the text says; an error points into the whole."""
    try:
        return read(text[part])
    except TimeError as error:
        raise failure(error.args[0], text, part.start + error.position) from None


def _end(start: Moment, end: Moment) -> tuple[int, str]:
    """When the range ends, and what is to be known of it."""
    if end.by == "+":
        return start.ns + end.span_ns, ""
    if end.clock is not None:
        return end.clock.after(start.ns)
    if end.by == "nothing" and start.by != "nothing":
        return end.ns, "the end is so long before now; with + before it, it would be so long after the start"
    return end.ns, end.note


def _window(start_ns: int, end_ns: int, text: str, position: int, *notes: str) -> Window:
    """The window.  Raises TimeError where it is empty or beyond what nanoseconds hold."""
    if not (0 <= start_ns <= LAST_NS and 0 <= end_ns <= LAST_NS):
        raise failure("times lie between 1970 and 2262", text, 0)
    if end_ns <= start_ns:
        how = "where it begins" if end_ns == start_ns else "before it begins"
        raise failure(f"the range ends {how}", text, position)
    return Window(start_ns, end_ns, notes)
