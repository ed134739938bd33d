# SPDX-License-Identifier: Apache-2.0
"""The processors: load, where their time went, what they did (/proc/loadavg, stat, uptime, cpuinfo)."""

from __future__ import annotations

import re
from typing import NamedTuple

from fleutan.linux.host import whole, word

_MHZ = re.compile(rb"^cpu MHz\s*:\s*(\d{1,9})(?:\.\d*)?\s*$", re.MULTILINE)
_DECIMAL = re.compile(rb"\d{1,15}(?:\.\d{1,15})?")
#: Columns of a row of /proc/stat.
_TICKS = 10


class Load(NamedTuple):
    """/proc/loadavg: runnable threads on average, now, and threads in all."""

    one: float | None
    five: float | None
    fifteen: float | None
    running: int | None
    total: int | None


class Stat(NamedTuple):
    """/proc/stat: ticks of all processors as user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.

    The time of guests is part of user and nice too (``account_guest_time``).
    """

    ticks: tuple[int | None, ...]
    cpus: int | None
    interrupts: int | None
    contexts: int | None


def loadavg(text: bytes) -> Load:
    """The text of /proc/loadavg."""
    words = text.split()
    one, five, fifteen = (_decimal(words[place]) if place < len(words) else None for place in range(3))
    running, _, total = words[3].partition(b"/") if len(words) > 3 else (b"", b"", b"")
    return Load(one, five, fifteen, whole(running), whole(total))


def stat(text: bytes) -> Stat:
    """The text of /proc/stat."""
    first, _, rest = text.partition(b"\n")
    words = first.split()
    known = words[1:] if words[:1] == [b"cpu"] else []
    ticks = tuple(word(known, place) for place in range(_TICKS))
    rest = b"\n" + rest
    return Stat(ticks, rest.count(b"\ncpu") or None, _behind(rest, b"\nintr "), _behind(rest, b"\nctxt "))


def uptime(text: bytes) -> int | None:
    """Whole seconds since the boot, of /proc/uptime."""
    return whole(text.partition(b".")[0])


def megahertz(text: bytes) -> int | None:
    """The first processor's, of the beginning of /proc/cpuinfo; ARM's has none."""
    found = _MHZ.search(text)
    return int(found[1]) or None if found else None


def _decimal(word: bytes) -> float | None:
    return float(word) if _DECIMAL.fullmatch(word) else None


def _behind(text: bytes, name: bytes) -> int | None:
    """The first number of a row: of the interrupts', which may be very long, no more is looked at."""
    at = text.find(name)
    if at < 0:
        return None
    at += len(name)
    return word(text[at : at + 32].split(None, 1), 0)
