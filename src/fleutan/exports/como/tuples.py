# SPDX-License-Identifier: Apache-2.0
"""``tuple``: one line a flow, for millions of them.  Times are UTC, as CoMo's are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import numpy as np

from fleutan.column import Column
from fleutan.exports import html
from fleutan.exports.cells import Cell
from fleutan.exports.como.cells import Figures, Microseconds, addresses, seconds, words
from fleutan.exports.como.dates import stamp
from fleutan.exports.como.options import Options, proto_number
from fleutan.exports.como.rows import UNKNOWN, parts, printable
from fleutan.exports.grid import written
from fleutan.table import Table

Tables = Iterable[Table]
Parts = list[bytes | Cell]

#: Rows whose addresses are spelled at once.
_ROWS = 1 << 16
_HEADING = (
    f"{'Start':27} {'Duration':>10} Proto {'Source IP':>15}:{'Port':5} {'Destination IP':>15}:{'Port':5}"
    f" {'Bytes':>8} {'Packets':>8}\n"
)
_HEADINGS = ("Start Time", "Duration", "Protocol", "Source IP:Port", "Destination IP:Port", "Bytes", "Packets")


def pretty(tables: Tables, _options: Options) -> Iterator[bytes]:
    """Start, duration, protocol, address and port of both ends, bytes, packets, under a heading."""
    yield _HEADING.encode()
    for table in tables:
        for part in parts(table, _ROWS):
            start = part.column("start")
            line = [seconds(start, 20, stamp), Microseconds(start), b" ", *_duration(part, 3)]
            line += [b" ", words(part.column("proto"), 5, printable), *_ends(part), *_counts(part), b"\n"]
            yield from written(line, len(part))


def plain(tables: Tables, _options: Options) -> Iterator[bytes]:
    """The same, the start in seconds since 1970 and the protocol as number, without a heading."""
    for table in tables:
        for part in parts(table, _ROWS):
            start = part.column("start")
            line = [seconds(start, 10, str), Microseconds(start), b" ", *_duration(part, 3)]
            line += [b" ", words(part.column("proto"), 3, _number), *_ends(part), *_counts(part), b"\n"]
            yield from written(line, len(part))


def page(tables: Tables, _options: Options) -> Iterator[bytes]:
    """A page with one table."""
    yield (html.opening("Active connections", heading=True) + html.table_opening(_HEADINGS, 2)).encode()
    for table in tables:
        for part in parts(table, _ROWS):
            yield from written(_row(part), len(part))
    yield (html.TABLE_CLOSING + html.CLOSING).encode()


def _row(part: Table) -> Parts:
    start = part.column("start")
    line: Parts = [b"<tr><td>", seconds(start, 0, stamp), Microseconds(start), b"</td><td>", *_duration(part, 0)]
    line += [b"</td><td>", words(part.column("proto"), 0, escape)]
    for address, port in (("src", "sport"), ("dst", "dport")):
        line += [b"</td><td>", addresses(part.column(address), 0, _host), b":", Figures(part.column(port), 1)]
    for name in ("bytes", "packets"):
        line += [b'</td><td class="n">', Figures(part.column(name), 1)]
    return [*line, b"</td></tr>\n"]


def _number(word: str) -> str:
    number = proto_number(word)
    return UNKNOWN if number is None else str(number)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _duration(part: Table, least: int) -> Parts:
    """From the first packet to the last; unknown where the last was before the first."""
    start, end = part.column("start"), part.column("end")
    length = end.values - start.values
    known = start.mask() & end.mask() & (length >= 0)
    column = Column(np.where(known, length, 0), known)
    return [Figures(Column(column.values // 10**9, known), max(least, 1)), Microseconds(column)]


def _ends(part: Table) -> Parts:
    line: Parts = []
    for address, port in (("src", "sport"), ("dst", "dport")):
        line += [b" ", addresses(part.column(address), 15), b" ", Figures(part.column(port), 5)]
    return line


def _counts(part: Table) -> Parts:
    return [b" ", Figures(part.column("bytes"), 8), b" ", Figures(part.column("packets"), 8)]
