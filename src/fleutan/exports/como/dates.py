# SPDX-License-Identifier: Apache-2.0
"""Times in the spellings of CoMo: asctime, epoch with microseconds, 32.32 fixed point.

Names of days and months are English in any locale, as those of asctime(3).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_SECOND_NS = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def moment(at_ns: int, zone: tzinfo | None) -> datetime:
    """The time in that zone (None: this system's), to the second."""
    return (_EPOCH + timedelta(seconds=at_ns // _SECOND_NS)).astimezone(zone)


def asctime(at_ns: int, zone: tzinfo | None) -> str:
    """``Thu Sep 17 20:25:00 2009``: 24 signs, as asctime(3) of the time in that zone."""
    at = moment(at_ns, zone)
    return f"{DAYS[at.weekday()][:3]} {MONTHS[at.month - 1][:3]} {at.day:2} {at:%H:%M:%S} {at.year:4}"


def stamp(second: int) -> str:
    """``Sep 17 2009 18:19:58``: 20 signs, UTC."""
    at = moment(second * _SECOND_NS, UTC)
    return f"{MONTHS[at.month - 1][:3]} {at.day:2} {at.year:4} {at:%H:%M:%S}"


def microseconds(at_ns: int) -> tuple[int, int]:
    """Seconds since 1970, and the microseconds beyond."""
    second, rest = divmod(at_ns, _SECOND_NS)
    return second, rest // 1000


def fixed_point(at_ns: int) -> int:
    """Seconds since 1970 in the upper 32 bits, their fraction in the lower ones."""
    return (at_ns << 32) // _SECOND_NS & (1 << 64) - 1
