# SPDX-License-Identifier: Apache-2.0
"""Figures as people read them: the unit in the catalogue decides the spelling.

Only text for eyes; machine-readable output keeps the plain numbers and is made in ``exports``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from fleutan.fields import Field, require
from fleutan.table import Table
from fleutan.views import ENDS

UNKNOWN = "-"
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def three_digits(value: float) -> str:
    """``value`` with three significant digits, and no more digits than an integer needs."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time_us(value: float) -> str:
    """Microseconds as us, ms or s."""
    if value < 1000:
        return f"{three_digits(value)}us"
    return f"{three_digits(value / 1e3)}ms" if value < 1e6 else f"{three_digits(value / 1e6)}s"


def time_ms(value: float) -> str:
    """Milliseconds as ms or s."""
    return time_us(value * 1e3)


def count(value: float) -> str:
    """A number in decimal steps: 999, 1.5k, 20M."""
    for step, sign in _STEPS:
        if value >= step:
            return three_digits(value / step) + sign
    return three_digits(value)


def size(value: float) -> str:
    """Bytes: 999B, 1.5kB."""
    return count(value) + "B"


def rate(value: float) -> str:
    """Bits a second: 20Mbps."""
    return count(value) + "bps"


def share(value: float) -> str:
    """A share of one as per cent."""
    return f"{three_digits(value * 100)}%"


def clock(at_ns: int, utc: bool = False) -> str:
    """A point in time as the user's clock shows it, or in UTC."""
    moment = time.gmtime(at_ns // 10**9) if utc else time.localtime(at_ns // 10**9)
    return time.strftime("%Y-%m-%d %H:%M:%S", moment) + (" UTC" if utc else time.strftime(" %Z", moment))


_BY_KEY: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("_us", time_us),
    ("_ms", time_ms),
    ("_bps", rate),
    ("bytes_", size),
    ("_share", share),
)
_BY_UNIT: dict[str, Callable[[float], str]] = {
    "us": time_us,
    "ms": time_ms,
    "bytes": size,
    "bps": rate,
    "pps": count,
    "segments": count,
    "packets": count,
}


def spelling(field: Field) -> Callable[[Any], str]:
    """How a value of the field is written."""
    if field.type == "float" and not field.unit:
        return share if field.name.endswith("_share") else three_digits
    if field.type == "ints":
        return lambda value: ",".join(map(str, value))
    return _BY_UNIT.get(field.unit, str)


class Names(NamedTuple):
    """Names for what an end of a flow is, None where there is none (yet); ``wait`` waits a little for them."""

    host: Callable[[str], str | None]
    port: Callable[[int, str], str | None]
    wait: Callable[[], object] = lambda: None


def cells(table: Table, name: str, names: Names | None = None) -> list[str]:
    """Every row of a field, or of an end of the flow (``local``, ``remote``), as text."""
    if name in ENDS:
        return ends(table, *ENDS[name], names)
    column = table.column(name)
    write = spelling(require(name))
    if column.words is not None:
        words = [*(printable(write(word)) for word in column.words), UNKNOWN]
        return [words[code] for code in column.values.tolist()]
    return [UNKNOWN if value is None else write(value) for value in column.objects()]


def ends(table: Table, address: str, port: str, names: Names | None = None) -> list[str]:
    """``address#port`` of every row; a wildcard port is ``*``."""
    hosts, ports = table.column(address).objects(), table.column(port).objects()
    if names is None:
        return [f"{host or UNKNOWN}#{number or '*'}" for host, number in zip(hosts, ports, strict=True)]
    protos = table.column("proto").objects()
    for host in set(hosts):
        names.host(host)
    names.wait()
    return [
        f"{printable(names.host(host) or host)}#{names.port(number, proto) or number if number else '*'}"
        for host, number, proto in zip(hosts, ports, protos, strict=True)
    ]


def printable(text: str) -> str:
    """The text with every control character made visible: a process chooses its own name."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def measure(key: str) -> Callable[[Any], str]:
    """How a figure of a group is written, by the unit in its key (``rtt_us_p50``, ``bytes_sent``)."""
    for part, write in _BY_KEY:
        if part in key:
            return write
    return count
