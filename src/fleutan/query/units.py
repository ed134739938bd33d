# SPDX-License-Identifier: Apache-2.0
"""Numbers with units, exactly: ``50ms``, ``10MB``, ``1.5Gbps``, ``2%``, ``0x10``.

A number becomes a fraction in the unit of its field; nothing is rounded before it is known
what the number is compared for.  Which fields there are is the catalogue's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import gcd
from typing import NamedTuple

from fleutan.fields import Field
from fleutan.query.lexer import shown

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

_NUMBER = (
    r"(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]{1,16})"
    r"|(?P<whole>[0-9]{0,32})(?:\.(?P<part>[0-9]{1,32}))?(?:[eE](?P<power>[+-]?[0-9]{1,2}))?(?P<unit>[^0-9.+-].*)?)"
)
_DECIMAL = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_PREFIXES = {"": 1, **_DECIMAL, **_BINARY}
#: tc and iperf write mbit and gbit; a small letter before a bare B or nothing would be a guess.
_SMALL = {"m": 10**6, "g": 10**9, "t": 10**12}


class Dimension(NamedTuple):
    """What can be measured alike: ``factors`` of every spelling, in the smallest unit."""

    noun: str
    fits: str
    factors: Mapping[str, int]


class Exact(NamedTuple):
    """A fraction in lowest terms, in the unit of its field."""

    numerator: int
    denominator: int


TIME = Dimension(
    "a time",
    "ns, us, ms, s, m, h or d",
    {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "sec": 10**9}
    | {"m": 60 * 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9},
)
SIZE = Dimension(
    "an amount of bytes",
    "B, KB, MB, GB, TB, KiB, MiB, GiB or TiB",
    {prefix + end: factor for prefix, factor in _PREFIXES.items() for end in ("", "B") if prefix + end},
)
RATE = Dimension(
    "a rate",
    "bps, kbps, Mbps, Gbps, kbit, Mbit, Gbit, B/s, kB/s, MB/s or GB/s",
    {prefix: factor for prefix, factor in _PREFIXES.items() if prefix}
    | {p + bits: f for p, f in (_PREFIXES | _SMALL).items() for bits in ("bps", "bit", "bit/s", "b/s")}
    | {p + octets: 8 * f for p, f in _PREFIXES.items() for octets in ("B/s", "Bps")},
)
COUNT = Dimension("a plain number", "k, M, G or T", _DECIMAL)
SHARE = Dimension("a ratio", "%", {"%": 1})

#: The catalogue's unit -> its dimension, and how many of the smallest units it has.
DIMENSIONS: dict[str, tuple[Dimension, int]] = {
    "ns": (TIME, 1),
    "us": (TIME, 10**3),
    "ms": (TIME, 10**6),
    "s": (TIME, 10**9),
    "bytes": (SIZE, 1),
    "bps": (RATE, 1),
    "pps": (COUNT, 1),
    "packets": (COUNT, 1),
    "segments": (COUNT, 1),
    "": (COUNT, 1),
}


def dimension(field: Field) -> tuple[Dimension, int]:
    """What the field measures, and how many smallest units its own unit has."""
    if field.type == "float" and not field.unit:
        return SHARE, 100
    return DIMENSIONS.get(field.unit, (COUNT, 1))


def number(text: str, field: Field) -> Exact:
    """The number in the field's own unit; without a unit it is in that already.

    Raises ValueError with what is wrong: no number, or a unit that does not fit the field.
    """
    match = re.fullmatch(_NUMBER, text)
    if match is None or not (match["hex"] or match["whole"] or match["part"]):
        raise ValueError(f"{shown(text)} is not a number; {field.name} is {dimension(field)[0].noun}")
    measured, scale = dimension(field)
    factor = measured.factors.get(match["unit"] or "") if match["unit"] else scale
    if factor is None:
        raise ValueError(f"{shown(text)} does not fit {field.name}, {measured.noun}: use {_fitting(field, measured)}")
    mantissa, power = _digits(match)
    above, below = mantissa * factor * 10 ** max(power, 0), scale * 10 ** max(-power, 0)
    common = gcd(above, below)
    return Exact(above // common, below // common)


def _digits(match: re.Match[str]) -> tuple[int, int]:
    """The signed digits as an integer, and the power of ten that they stand with."""
    sign = -1 if match["sign"] == "-" else 1
    if match["hex"]:
        return sign * int(match["hex"], 16), 0
    part = match["part"] or ""
    return sign * int((match["whole"] or "") + part), int(match["power"] or 0) - len(part)


def _fitting(field: Field, measured: Dimension) -> str:
    bare = f" (a bare number is in {field.unit})" if field.unit else ""
    return measured.fits + bare


def to_int(exact: Exact, operator: str, field: Field) -> int:
    """The integer that an integer compares with alike: ``x > 0.5`` is ``x > 0``, ``x >= 0.5`` is ``x >= 1``.

    Raises ValueError where it cannot be equal to one, or does not fit 64 bits.
    """
    floor = exact.numerator // exact.denominator
    if exact.denominator != 1 and operator in ("=", "!="):
        raise ValueError(f"{field.name} is counted in whole {field.unit or 'numbers'}: it never equals a fraction")
    value = floor + (exact.denominator != 1 and operator in (">=", "<"))
    if not INT64_MIN <= value <= INT64_MAX:
        raise ValueError(f"{field.name} has 64 bits: it is never that large")
    return value


def to_float(exact: Exact) -> float:
    """The nearest float."""
    return exact.numerator / exact.denominator
