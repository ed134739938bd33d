# SPDX-License-Identifier: Apache-2.0
"""``topaddr`` and ``topports``: the first so many of each interval, as lines and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

from fleutan.exports import html
from fleutan.exports.como.dates import asctime
from fleutan.exports.como.options import Options
from fleutan.exports.como.rows import pieces, printable, rows, shown
from fleutan.table import Table

Tables = Iterable[Table]

_SIDES = {"src": "Source IP", "dst": "Destination IP", "both": "IP Address"}
_ADDRESSES = ("time", "rank", "address", "bytes", "packets")
_PORTS = ("time", "rank", "proto", "port", "bytes", "packets")
_ADDRESS_INTERVAL, _PORT_INTERVAL = 5, 1
_NO_NAME = "Unknown"


# -- addresses


def addresses_pretty(tables: Tables, options: Options) -> Iterator[bytes]:
    """Date, rank, address, bytes, packets, under a heading."""
    yield from pieces([f"{'Date':24} # {_SIDES[options.side]:>15} {'Bytes':>10} {'Packets':>8}"])
    for table in tables:
        yield from pieces(_addresses(table, lambda at_ns: asctime(at_ns, options.zone)))


def addresses_plain(tables: Tables, _options: Options) -> Iterator[bytes]:
    """Seconds, rank, address, bytes, packets."""
    for table in tables:
        yield from pieces(_addresses(table, _second))


def _second(at_ns: int) -> str:
    return f"{at_ns // 10**9:12d}"


def _addresses(table: Table, date: Callable[[int], str]) -> Iterator[str]:
    for at_ns, rank, address, count, packets in rows(table, *_ADDRESSES):
        yield f"{date(at_ns)} {shown(rank)} {shown(address):>15} {shown(count):>10} {shown(packets):>8}"


def addresses_html(tables: Tables, options: Options) -> Iterator[bytes]:
    """A page with a table an interval: rank, address, bits and packets a second."""
    return _page(_addresses_page(options), tables, options, heading=True)


def addresses_sidebox(tables: Tables, options: Options) -> Iterator[bytes]:
    """The same without a title."""
    return _page(_addresses_page(options), tables, options, heading=False)


def _addresses_page(options: Options) -> _Page:
    seconds = options.seconds(_ADDRESS_INTERVAL)
    html.linked("", options.url, options.url_args)  # what is wrong with it is said before anything is written

    def cells(row: tuple[Any, ...]) -> list[str]:
        _, rank, address, count, packets = row
        link = html.linked(address, options.url, options.url_args) if address else escape(str(shown(address)))
        return [str(shown(rank)), link, _scaled(count, 8 / seconds), _scaled(packets, 1 / seconds)]

    return _Page("Top addresses", ("#", _SIDES[options.side], "bps", "pps"), 2, _ADDRESSES, cells)


def _scaled(value: float | None, factor: float) -> str:
    """With two decimals, in thousands or millions beyond that."""
    if value is None:
        return "-"
    value *= factor
    if value > 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:.2f}K" if value > 1e3 else f"{value:.2f}"


# -- ports


def ports_pretty(tables: Tables, options: Options) -> Iterator[bytes]:
    """Date, port and protocol, name, bytes, packets, under a heading."""
    yield from pieces([f"{'Date':24} {'Port':>9} {'Name':8} {'Bytes':>10} {'Packets':>8}"])
    for table in tables:
        yield from pieces(
            f"{asctime(at_ns, options.zone)} {shown(port):>5}/{shown(proto)} {_name(port, proto, options)}"
            f" {shown(count):>10} {shown(packets):>8}"
            for at_ns, _, proto, port, count, packets in rows(table, *_PORTS)
        )


def ports_plain(tables: Tables, options: Options) -> Iterator[bytes]:
    """Seconds, port, protocol, name, bytes, packets."""
    for table in tables:
        yield from pieces(
            f"{at_ns // 10**9} {shown(port)} {shown(proto)} {_name(port, proto, options)}"
            f" {shown(count)} {shown(packets)}"
            for at_ns, _, proto, port, count, packets in rows(table, *_PORTS)
        )


def ports_html(tables: Tables, options: Options) -> Iterator[bytes]:
    """A page with a table an interval: rank, port and protocol, name, megabits a second."""
    return _page(_ports_page(options), tables, options, heading=True)


def ports_sidebox(tables: Tables, options: Options) -> Iterator[bytes]:
    """The same without a title."""
    return _page(_ports_page(options), tables, options, heading=False)


def _name(port: int | None, proto: str | None, options: Options) -> str:
    return printable(options.names.get((port, proto), "") or _NO_NAME) if port is not None and proto else _NO_NAME


def _ports_page(options: Options) -> _Page:
    seconds = options.seconds(_PORT_INTERVAL)

    def cells(row: tuple[Any, ...]) -> list[str]:
        _, rank, proto, port, count, _ = row
        name = options.names.get((port, proto), _NO_NAME)
        rate = "-" if count is None else f"{8 * count / seconds / 1e6:.2f}"
        return [str(shown(rank)), escape(f"{shown(port)}/{shown(proto)}"), escape(name), rate]

    return _Page("Top ports", ("#", "Port", "Name", "Mbps"), 1, _PORTS, cells)


# -- pages


class _Page(NamedTuple):
    """What is shown of each row: the last ``numbers`` of the cells are numbers."""

    title: str
    headings: tuple[str, ...]
    numbers: int
    columns: tuple[str, ...]
    cells: Callable[[tuple[Any, ...]], list[str]]


def _page(page: _Page, tables: Tables, options: Options, heading: bool) -> Iterator[bytes]:
    """A table an interval, under its date; an interval goes on in the next Table where its time does."""
    yield html.opening(page.title, heading).encode()
    every = (row for table in tables for row in rows(table, *page.columns))
    for at_ns, those in groupby(every, key=lambda row: row[0]):
        body = "".join(html.row(page.cells(row), page.numbers) for row in those)
        opening = html.table_opening(page.headings, page.numbers, asctime(at_ns, options.zone))
        yield (opening + body + html.TABLE_CLOSING).encode(errors="replace")
    yield html.CLOSING.encode()
