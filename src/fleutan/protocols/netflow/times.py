# SPDX-License-Identifier: Apache-2.0
"""When flows began and ended, out of the many ways to say so.

Milliseconds since the exporter started (whose own count the header of NetFlow tells, and in IPFIX
option data or the record), times of day in four units, and microseconds before the export.

RFC 3954 8, RFC 7011 6.1.7 to 6.1.10, RFC 7012 (150 to 163, 258, 322 to 325).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.exporters.told import BOOTED
from fleutan.protocols.netflow.wire.groups import Group
from fleutan.protocols.netflow.wire.headers import IPFIX
from fleutan.protocols.netflow.wire.templates import places

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Known = tuple[Ints, Mask | None]

_MS = 1_000_000
# Seconds from 1900, where NTP counts from, to 1970 (RFC 7011, 6.1.9).
_NTP = 2_208_988_800

#: Elements that tell when, the best first, and the duration that gives the one from the other.
_STARTS = ("Nanoseconds", "Microseconds", "Milliseconds", "SysUpTime", "DeltaMicroseconds", "Seconds")
_OBSERVED = tuple(f"observationTime{unit}" for unit in ("Nanoseconds", "Microseconds", "Milliseconds", "Seconds"))
STARTS = (*(f"flowStart{unit}" for unit in _STARTS), *_OBSERVED)
ENDS = (*(f"flowEnd{unit}" for unit in _STARTS), *_OBSERVED)
DURATIONS = (("flowDurationMicroseconds", 1_000), ("flowDurationMilliseconds", _MS))


def started(batch: Batch, group: Group) -> Known | None:
    """Nanoseconds UTC of the first packet of each flow, and where they are known; None if nothing tells."""
    return _told(batch, group, STARTS) or _beside(batch, group, ENDS, -1)


def ended(batch: Batch, group: Group) -> Known | None:
    """Nanoseconds UTC of the last packet of each flow, and where they are known; None if nothing tells."""
    direct = _told(batch, group, ENDS)
    if direct is None or _observed_only(group, ENDS):
        return _beside(batch, group, STARTS, 1) or direct
    return direct


def _observed_only(group: Group, elements: tuple[str, ...]) -> bool:
    names = places(group.layout.fields)
    return next((name for name in elements if name in names), "").startswith("observation")


def _told(batch: Batch, group: Group, elements: tuple[str, ...]) -> Known | None:
    """By the first of these elements that the records have and that leads to a time."""
    names = places(group.layout.fields)
    for name in elements:
        if name in names:
            found = _nanoseconds(batch, group, name, names[name])
            if found[1] is None or found[1].any():
                return found
    return None


def _beside(batch: Batch, group: Group, elements: tuple[str, ...], sign: int) -> Known | None:
    """By the other end of the flow and its duration."""
    names = places(group.layout.fields)
    other = _told(batch, group, elements)
    for name, unit in DURATIONS:
        if name in names and other is not None:
            return other[0] + sign * unit * group.numbers(names[name])[0], other[1]
    return None


def _nanoseconds(batch: Batch, group: Group, name: str, field: int) -> Known:
    number, known = group.numbers(field)
    if name.endswith("SysUpTime"):
        return _since_boot(batch, group, number, known)
    if name.endswith("DeltaMicroseconds"):
        return batch.since.heads.exported_ns[_heads(batch, group)] - 1_000 * number, known
    return UNITS[_unit(name)](number), known


def _unit(name: str) -> str:
    return next(unit for unit in UNITS if name.endswith(unit))


def ntp(number: Ints) -> Ints:
    """Nanoseconds UTC of NTP's seconds and fractions of 2**-32; in its next era from 2036 on (RFC 5905, 6)."""
    seconds = (number >> 32 & 0xFFFF_FFFF) - _NTP
    seconds += (seconds < 0).astype(np.int64) << 32
    return seconds * 10**9 + ((number & 0xFFFF_FFFF) * 10**9 >> 32)


def _milliseconds(number: Ints) -> Ints:
    return number * _MS


def _seconds(number: Ints) -> Ints:
    return number * 10**9


#: From each unit to nanoseconds UTC.
UNITS: dict[str, Callable[[Ints], Ints]] = {
    "Nanoseconds": ntp,
    "Microseconds": ntp,
    "Milliseconds": _milliseconds,
    "Seconds": _seconds,
}


def _heads(batch: Batch, group: Group) -> Ints:
    head: Ints = batch.since.sets.head[group.sets]
    return head


def _since_boot(batch: Batch, group: Group, number: Ints, known: Mask | None) -> Known:
    """By how long before the export it was.

    The count has 32 bits and starts again every 49.7 days, so what seems to lie far after the
    export was before the count did.
    """
    heads, head = batch.since.heads, _heads(batch, group)
    exported = heads.exported_ns[head]
    uptime, there = heads.uptime_ms[head], heads.version[head] != IPFIX
    if not there.all():
        booted = _booted(batch, group)
        uptime = np.where(there, uptime, exported // _MS - booted)
        there = there | (booted > 0)
    ago = (uptime - number) & 0xFFFF_FFFF
    ago -= (ago & 0x8000_0000) << 1
    if known is not None or not there.all():
        known = there if known is None else there & known
    return exported - ago * _MS, known


def _booted(batch: Batch, group: Group) -> Ints:
    """When the exporter's count was 0, in milliseconds UTC, by the record or by option data; 0 if unknown."""
    names = places(group.layout.fields)
    if "systemInitTimeMilliseconds" in names:
        return group.numbers(names["systemInitTimeMilliseconds"])[0]
    nothing = np.zeros(group.rows, np.int64)
    return batch.told.at(BOOTED, batch.since.scope[group.sets], nothing, group.sets)
