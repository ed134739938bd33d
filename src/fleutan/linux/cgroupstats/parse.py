# SPDX-License-Identifier: Apache-2.0
"""The files of control groups and of their processes, as text: cgroup-v2.rst, cgroup-v1/*.rst, proc(5).

What is not there, or not as documented, is None or left out; nothing raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

#: v1 has no word for "no limit", but a number that no limit comes near to: LONG_MAX, cut to pages of up to 64 KiB.
_NO_LIMIT = (1 << 63) - (1 << 16)


class Io(NamedTuple):
    """What went to and from disks: octets and requests; None where it is not counted."""

    rbytes: int | None
    wbytes: int | None
    rios: int | None
    wios: int | None


class Stat(NamedTuple):
    """Of /proc/PID/stat: parent, time on processors in clock ticks, start in ticks after boot."""

    ppid: int
    ticks: int
    start: int


def number(text: str | None) -> int | None:
    """A whole number that is not negative; None for ``max``, for v1's "no limit", and for anything else."""
    word = (text or "").strip()
    # Twenty digits are enough for 64 bits; Python refuses to read thousands.
    found = int(word) if word.isascii() and word.isdecimal() and len(word) <= 20 else None
    return None if found is None or found >= _NO_LIMIT else found


def keyed(text: str | None) -> dict[str, int]:
    """Lines ``key number`` (flat keyed); also ``key: number``."""
    pairs = (line.split() for line in (text or "").splitlines())
    return {words[0].rstrip(":"): value for words in pairs if (value := _second(words)) is not None}


def value_of(text: str | None, key: str) -> int | None:
    """One of such numbers: a third of the time where only one is wanted."""
    _, found, rest = f"\n{text or ''}".partition(f"\n{key} ")
    return number(rest.partition("\n")[0]) if found else None


def _second(words: list[str]) -> int | None:
    return number(words[1]) if len(words) >= 2 else None


def quota(text: str | None) -> float | None:
    """Processors that ``cpu.max`` (``quota period``) allows; None for as many as there are."""
    words = (text or "").split()
    return share(number(words[0]), number(words[1])) if len(words) == 2 else None


def share(quota_us: int | None, period_us: int | None) -> float | None:
    """Processors that so much time in each period is; None for no limit (v1 has -1)."""
    return quota_us / period_us if quota_us and period_us else None


def cpus(text: str | None) -> int | None:
    """How many there are in a list such as ``0-3,8``; None for an empty one."""
    total = 0
    for part in (text or "").strip().split(","):
        ends = [number(end) for end in part.split("-")]
        first, last = ends[0], ends[-1]
        if first is None or last is None or last < first:
            return None
        total += last - first + 1
    return total


def io_stat(text: str | None) -> dict[str, Io]:
    """v2's ``io.stat`` by device (``MAJOR:MINOR``)."""
    found: dict[str, Io] = {}
    for line in (text or "").splitlines():
        device, _, rest = line.partition(" ")
        said = {key: value for key, _, value in (word.partition("=") for word in rest.split())}
        values = [number(said.get(field)) for field in Io._fields]
        if any(value is not None for value in values):
            found[device] = Io(*values)
    return found


def blkio(octets: str | None, requests: str | None) -> dict[str, Io]:
    """v1's ``blkio.throttle.io_service_bytes`` and ``io_serviced`` by device."""
    sizes, counts = dict(_operations(octets)), dict(_operations(requests))
    devices = dict.fromkeys(device for device, _ in (*sizes, *counts))
    return {
        device: Io(
            *(sizes.get((device, operation)) for operation in ("Read", "Write")),
            *(counts.get((device, operation)) for operation in ("Read", "Write")),
        )
        for device in devices
    }


def _operations(text: str | None) -> Iterator[tuple[tuple[str, str], int]]:
    """Lines ``MAJOR:MINOR operation number``; the last, the total, has no device."""
    for line in (text or "").splitlines():
        words = line.split()
        value = number(words[2]) if len(words) == 3 else None
        if value is not None:
            yield (words[0], words[1]), value


def stat(text: str | None) -> Stat | None:
    """The process's own time, that of its threads that ended included, that of its children not."""
    # The name stands in brackets, and may hold brackets and blanks.
    _, bracket, rest = (text or "").rpartition(")")
    words = rest.split()
    if not bracket or len(words) < 20:
        return None
    found = [number(words[at]) for at in (1, 11, 12, 19)]  # fields 4, 14, 15, 22
    ppid, user, system, start = found
    if ppid is None or user is None or system is None or start is None:
        return None
    return Stat(ppid, user + system, start)


def resident(text: str | None) -> int | None:
    """Pages in memory, of /proc/PID/statm."""
    words = (text or "").split()
    return number(words[1]) if len(words) >= 2 else None


def pids(text: str | None) -> list[int]:
    """The processes in ``cgroup.procs``; those of other PID namespaces (0) left out."""
    return [pid for line in (text or "").splitlines() if (pid := number(line))]
