# SPDX-License-Identifier: Apache-2.0
"""Figures as people read them: the unit in the catalogue decides the spelling.

Only text for eyes; machine-readable output keeps the plain numbers and is made in ``exports``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fleutan.address import distinct
from fleutan.column import Column
from fleutan.fields import Field, require
from fleutan.table import Table
from fleutan.views import ENDS

if TYPE_CHECKING:
    from fleutan.analysis.groups import Heading

UNKNOWN = "-"
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_TIMES = ((8.64e10, "d"), (3.6e9, "h"), (6e7, "min"), (1e6, "s"), (1e3, "ms"), (1, "us"))
#: What rounds to a thousand of a unit is one of the next.
_NEARLY = 0.9995
#: Words that are shorter on screen.  A filter takes the state in this spelling of ss(8) too.
_SHORT = {"state": {"established": "estab"}, "change": {"appeared": "new", "vanished": "gone"}}


def three_digits(value: float) -> str:
    """``value`` with three significant digits, and no more digits than an integer needs."""
    if value >= 99.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def _scaled(value: float, steps: Sequence[tuple[float, str]], unit: str = "") -> str:
    """In the largest unit that leaves no leading zero; nothing is 0 in every unit."""
    if not value:
        return "0"
    size, name = next((step for step in steps if value >= step[0] * _NEARLY), steps[-1])
    return three_digits(value / size) + name + unit


def time_us(value: float) -> str:
    """Microseconds as us, ms, s, min, h or d."""
    return _scaled(value, _TIMES)


def time_ms(value: float) -> str:
    """Milliseconds as ms, s, min, h or d."""
    return _scaled(value * 1e3, _TIMES)


def count(value: float) -> str:
    """A number in decimal steps: 999, 1.50k, 20M."""
    return _scaled(value, _COUNTS)


def size(value: float) -> str:
    """Bytes: 999B, 1.50kB."""
    return _scaled(value, _COUNTS, "B")


def rate(value: float) -> str:
    """Bits a second: 20Mbps."""
    return _scaled(value, _COUNTS, "bps")


def share(value: float) -> str:
    """A share of one as per cent; what is not nothing does not read as nothing."""
    if 0 < value < 0.00005:
        return "<0.01%"
    return f"{three_digits(value * 100)}%" if value else "0"


def truth(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"


def clock(at_ns: int, utc: bool = False) -> str:
    """A point in time as the user's clock shows it, or in UTC."""
    moment = time.gmtime(at_ns // 10**9) if utc else time.localtime(at_ns // 10**9)
    return time.strftime("%Y-%m-%d %H:%M:%S", moment) + (" UTC" if utc else time.strftime(" %Z", moment))


def instant(at_ns: int, utc: bool = False) -> str:
    """A point in time by the user's clock, or in UTC, to the millisecond."""
    moment = time.gmtime(at_ns // 10**9) if utc else time.localtime(at_ns // 10**9)
    return time.strftime("%Y-%m-%d %H:%M:%S", moment) + f".{at_ns // 10**6 % 1000:03d}"


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
    if field.type == "bool":
        return truth
    if field.type == "octets":
        return bytes.hex
    if field.unit == "ns" and field.kind == "label":
        return instant
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
        words = [*(_word(name, write(word)) for word in column.words), UNKNOWN]
        return [words[code] for code in column.values.tolist()]
    if column.values.ndim == 2:
        return [UNKNOWN if value is None else value for value in column.objects()]
    return _spelled(column, write)


def _spelled(column: Column, write: Callable[[Any], str]) -> list[str]:
    """Each distinct figure is spelled once: of a crowd most are alike."""
    distinct, codes = np.unique(column.values, return_inverse=True)
    words = [*map(write, distinct.tolist()), UNKNOWN]
    return [words[code] for code in np.where(column.mask(), codes, -1).tolist()]


def ends(table: Table, address: str, port: str, names: Names | None = None) -> list[str]:
    """``address#port`` of every row; a wildcard port is ``*``."""
    column = table.column(address)
    if not column.mask().all():
        return _where_known(table, address, port, names)
    known, codes = distinct(column.values)
    ports = table.column(port).values.tolist()
    if names is None:
        return [f"{known[code]}#{number or '*'}" for code, number in zip(codes.tolist(), ports, strict=True)]
    hosts = host_names(known, names)
    protos = table.column("proto").objects()
    return [
        f"{hosts[code]}#{names.port(number, proto) or number if number else '*'}"
        for code, number, proto in zip(codes.tolist(), ports, protos, strict=True)
    ]


def _where_known(table: Table, address: str, port: str, names: Names | None) -> list[str]:
    """The ends of a table in which not every row has one."""
    known = table.column(address).mask()
    told = iter(ends(table.take(known), address, port, names))
    return [next(told) if has_end else UNKNOWN for has_end in known.tolist()]


def host_names(addresses: Iterable[str], names: Names) -> list[str]:
    """The name of each address where it comes soon, else the address."""
    addresses = list(addresses)
    for address in addresses:
        names.host(address)
    names.wait()
    return [printable(names.host(address) or address) for address in addresses]


def _word(name: str, text: str) -> str:
    return _SHORT[name].get(text, text) if name in _SHORT else printable(text)


def printable(text: str) -> str:
    """The text with every control character made visible: a process chooses its own name."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def of_group(heading: Heading) -> Callable[[Any], str]:
    """How a figure of a group is written, and what its keys are."""
    if heading.key == "flows":
        return lambda value: f"{value:,}"
    if heading.key.endswith("_share"):
        return share
    if heading.type == "bool":
        return truth
    write = _BY_UNIT.get(heading.unit, str)
    return lambda value: _word(heading.key, write(value))


def utc(at_ns: int) -> str:
    """A time as documents have it (RFC 3339)."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat().replace("+00:00", "Z")
