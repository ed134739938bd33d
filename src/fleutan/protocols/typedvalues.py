# SPDX-License-Identifier: Apache-2.0
"""Values of named types that stand in JSON, as number or as text, as XDR's types hold them.

The types are those of sFlow-RT's Custom Metrics (``layouts.METRIC`` and ``layouts.ATTRIBUTE``).
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from math import isfinite, nan
from typing import Any

from fleutan.protocols.sflow.layouts.xdr import Fixed, Octets

#: Octets of a text.
TEXT = 255
#: The largest number of single precision.
_SINGLE = 3.4028234663852886e38


def typed(name: str, kind: Fixed | Octets, value: Any) -> Any:
    """The value as its type has it; ``ValueError`` says why it is none, never with the value itself.

    Counters go round, and so does what may be negative (two's complement); gauges have to fit.
    """
    match kind:
        case Octets():
            return _text(name, value)
        case Fixed(code="6s2x"):
            return _mac(name, value)
        case Fixed(code="4s" | "16s", size=size):
            octets = packed(value)
            if len(octets) == size:
                return octets
        case Fixed(code="f" | "d" as code):
            return _real(name, value, _SINGLE if code == "f" else None)
        case Fixed(size=size):
            return _integer(name, value, 8 * size)
    raise _none(name)


def packed(value: Any) -> bytes:
    """An address's octets; none if it is none."""
    try:
        return ip_address(value if isinstance(value, str) else "").packed
    except ValueError:
        return b""


def _none(name: str) -> ValueError:
    return ValueError(f"a value is no {name}")


def _text(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise _none(name)
    octets = value.encode("utf-8", "replace")
    if len(octets) > TEXT:
        raise ValueError(f"a {name} is longer than {TEXT} octets")
    return octets


def _mac(name: str, value: Any) -> bytes:
    digits = re.sub("[:.-]", "", value) if isinstance(value, str) else ""
    if not re.fullmatch("[0-9a-fA-F]{12}", digits):
        raise _none(name)
    return bytes.fromhex(digits)


def _real(name: str, value: Any, most: float | None) -> float:
    try:
        number = float(_number(value))
    except (ValueError, OverflowError):
        raise _none(name) from None
    if not isfinite(number) or (most is not None and abs(number) > most):
        raise _none(name)
    return number


def _integer(name: str, value: Any, bits: int) -> int:
    try:
        number = _number(value)
        whole = int(number)
    except (ValueError, OverflowError):
        raise _none(name) from None
    least = -(1 << bits - 1) if name.startswith("int") else 0
    if whole != number or whole < least or (whole >= 1 << bits and not name.startswith("counter")):
        raise _none(name)
    return whole & ((1 << bits) - 1)


def _number(value: Any) -> int | float:
    """A number, or what is one as text, 0x10 too.  Raises ValueError."""
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]  # it is, as was asked
    if not isinstance(value, str):
        return nan
    for base in (10, 0):
        try:
            return int(value, base)
        except ValueError:
            pass
    return float(value)
