# SPDX-License-Identifier: Apache-2.0
"""Lengths of time as people write them, and the errors that point into such a text.

Everything is exact: digits become whole nanoseconds, never floats.  Points in time are read in
``moments``, ranges of them in ``times``.
"""

from __future__ import annotations

import re

from fleutan.errors import TimeError

SECOND_NS = 10**9
#: The last nanosecond that an int64 holds: 11 April 2262.
LAST_NS = (1 << 63) - 1
#: The longest text that is looked at, in characters.
LONGEST = 200

_MINUTE_NS, _HOUR_NS, _DAY_NS = 60 * SECOND_NS, 3600 * SECOND_NS, 86_400 * SECOND_NS
_SPELLINGS = {
    1: "ns",
    1000: "us µs μs",
    10**6: "ms",
    SECOND_NS: "s sec secs second seconds",
    _MINUTE_NS: "m min mins minute minutes",
    _HOUR_NS: "h hr hrs hour hours",
    _DAY_NS: "d day days",
    7 * _DAY_NS: "w week weeks",
}
#: Every spelling of a unit, in nanoseconds.
UNITS = {word: size for size, words in _SPELLINGS.items() for word in words.split()}
_STEP = re.compile(r"\s*([0-9]{1,20})(?:\.([0-9]{1,20}))?\s*([a-zµμ]*)")
_DECIMAL = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?")


def failure(message: str, text: str, position: int) -> TimeError:
    """The error that points at ``position`` in ``text``, which is shown as one printable line."""
    line = "".join(sign if sign.isprintable() else "?" for sign in text[:LONGEST])
    return TimeError(message, line, position)


def parse_duration(text: str) -> int:
    """``10s``, ``1h30m``, ``1.5h``, ``2 days``, ``500ms`` in nanoseconds; a plain number is of seconds.

    Raises TimeError that points at the place.
    """
    lower = lowered(text)
    if _DECIMAL.fullmatch(lower.strip()):
        lower = f"{lower.rstrip()}s"
    return amount(text, lower, 0, len(lower.rstrip()))


def bounded(text: str) -> str:
    """The text.  Raises TimeError where it is longer than any time."""
    if len(text) > LONGEST:
        raise failure(f"a time has at most {LONGEST} characters, not {len(text)}", text, LONGEST)
    return text


def lowered(text: str) -> str:
    """The text in lower case, of the same length.  Raises TimeError where it is longer than any time."""
    return "".join(sign.lower() if sign.isascii() else sign for sign in bounded(text))


def amount(text: str, lower: str, at: int, end: int) -> int:
    """The nanoseconds of the duration that ``lower[at:end]`` is.  Raises TimeError that points into ``text``."""
    begins, total = at, 0
    while at < end or at == begins:
        match = _STEP.match(lower, at, end)
        if match is None:
            raise failure("a number with a unit was expected here, as in 10s, 1h30m or 2d", text, at)
        whole, part, unit = match.groups()
        if unit not in UNITS:
            wrong = f"{unit!r} is no unit of time" if unit else "this number has no unit"
            raise failure(f"{wrong}: ns, us, ms, s, m, h, d or w", text, match.start(3 if unit else 1))
        total += scaled(whole, part, UNITS[unit])
        at = match.end()
    if total > LAST_NS:
        raise failure("this is longer than 292 years", text, begins)
    return total


def scaled(whole: str, part: str | None, unit_ns: int) -> int:
    """A decimal number of units in nanoseconds; what is less than one is left out."""
    part = part or ""
    found: int = int(whole + part) * unit_ns // 10 ** len(part)
    return found


def unix_ns(text: str, at: int) -> int:
    """Unix seconds, whole or decimal, from ``at`` to the end, in nanoseconds.  Raises TimeError."""
    match = _DECIMAL.fullmatch(text, at)
    if match is None:
        raise failure("a unix time is seconds since 1970, as in 1253211900 or 1253211900.5", text, at)
    found = scaled(match[1], match[2], SECOND_NS)
    if found > LAST_NS:
        hint = "; are these milliseconds?" if found // 1000 <= LAST_NS else ""
        raise failure(f"this unix time is beyond the year 2262{hint}", text, at)
    return found
