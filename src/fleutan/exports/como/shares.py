# SPDX-License-Identifier: Apache-2.0
"""``protocol`` and ``ethtypes``: what each interval's traffic consists of, counted and in per cent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

from fleutan.exports import html
from fleutan.exports.como.dates import asctime, microseconds
from fleutan.exports.como.options import MOST_ETHERTYPES, Options, proto_number, proto_word
from fleutan.exports.como.rows import pieces, rows, script
from fleutan.exports.gnuplot import Picture
from fleutan.table import Table

Tables = Iterable[Table]
#: Bytes and packets.
Pair = tuple[int, int]

OTHER = "Other"
_PROTOS = (6, 17, 1, 50)
_ETHERTYPES = {0x0800: "IP", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "VLAN", 0x8847: "MPLS", 0x88CC: "LLDP"}
_NOTHING = (0, 0)
_PROTOCOLS = 256


class Parts(NamedTuple):
    """What is told apart: the column that says it, and names of its values; all else is the rest."""

    column: str
    number: Callable[[Any], int | None]
    names: Mapping[int, str]


class Interval(NamedTuple):
    """Bytes and packets by number, of one interval; of None what has no number."""

    at_ns: int
    sums: Mapping[int | None, Pair]

    def told(self, numbers: Iterable[int]) -> list[Pair]:
        """Bytes and packets of each number, and of the rest."""
        found = [self.sums.get(number, _NOTHING) for number in numbers]
        return [*found, _less(_sum(self.sums.values()), _sum(found))]

    def shares(self, numbers: Iterable[int]) -> list[tuple[float, float]]:
        """The same in per cent; of nothing all are 0."""
        all_bytes, all_packets = _sum(self.sums.values())
        return [
            (100 * count / (all_bytes or 1), 100 * packets / (all_packets or 1))
            for count, packets in self.told(numbers)
        ]


def _sum(pairs: Iterable[Pair]) -> Pair:
    found = _NOTHING
    for count, packets in pairs:
        found = found[0] + count, found[1] + packets
    return found


def _less(whole: Pair, part: Pair) -> Pair:
    return whole[0] - part[0], whole[1] - part[1]


def _protocols(options: Options) -> Parts:
    numbers = dict.fromkeys((*_PROTOS, *options.include))
    return Parts("proto", proto_number, {number: proto_word(number) for number in numbers})


def _ethertypes(options: Options) -> Parts:
    numbers = dict.fromkeys(options.ethertypes[: MOST_ETHERTYPES - 1])
    names = {number: _ETHERTYPES.get(number, f"0x{number:04x}") for number in numbers}
    return Parts("ethertype", lambda number: number, names)


def intervals(parts: Parts, tables: Tables) -> Iterator[Interval]:
    """The sums of each interval; one goes on in the next Table where its time does."""
    every = (row for table in tables for row in rows(table, "time", parts.column, "bytes", "packets"))
    for at_ns, those in groupby(every, key=lambda row: row[0]):
        sums: dict[int | None, Pair] = {}
        for _, value, count, packets in those:
            number = parts.number(value)
            sums[number] = _sum((sums.get(number, _NOTHING), (count or 0, packets or 0)))
        yield Interval(at_ns, sums)


# -- protocol


def protocols_plain(tables: Tables, options: Options) -> Iterator[bytes]:
    """Time since 1970, then number, bytes and packets of each of IP's 256 protocols."""
    for interval in intervals(_protocols(options), tables):
        second, micro = microseconds(interval.at_ns)
        told = enumerate(interval.told(range(_PROTOCOLS))[:-1])
        cells = (f"{number:3d} {count:8d} {packets:8d}" for number, (count, packets) in told)
        yield from pieces([f"{second:12d}.{micro:06d} " + " ".join(cells)])


def protocols_pretty(tables: Tables, options: Options) -> Iterator[bytes]:
    """Date, then name and per cent of bytes and of packets of each protocol told apart, and of the rest."""
    parts = _protocols(options)
    names = [*parts.names.values(), OTHER]
    for interval in intervals(parts, tables):
        shares = zip(names, interval.shares(parts.names), strict=True)
        told = " ".join(f"{name} {count:5.2f} {packets:5.2f}" for name, (count, packets) in shares)
        yield from pieces([f"{asctime(interval.at_ns, options.zone)} {told}"])


def protocols_gnuplot(tables: Tables, options: Options) -> Iterator[bytes]:
    """Per cent of bytes over time, one protocol upon the other."""
    return _stacked("protocols", "Protocols", _protocols(options), tables)


def protocols_html(tables: Tables, options: Options) -> Iterator[bytes]:
    """A page with a table: date, per cent of bytes and of packets."""
    return _page("Protocols", _protocols(options), tables, options)


# -- ethtypes


def ethertypes_plain(tables: Tables, options: Options) -> Iterator[bytes]:
    """Time since 1970, then number, bytes and packets of each type told apart, and as 0x0000 of the rest."""
    parts = _ethertypes(options)
    for interval in intervals(parts, tables):
        second, micro = microseconds(interval.at_ns)
        told = zip((*parts.names, 0), interval.told(parts.names), strict=True)
        cells = (f"0x{number:04x} {count:8d} {packets:8d}" for number, (count, packets) in told)
        yield from pieces([f"{second:12d}.{micro:06d} " + " ".join(cells)])


def ethertypes_pretty(tables: Tables, options: Options) -> Iterator[bytes]:
    """Date, then per cent of bytes and of packets, under a heading that names the types."""
    parts = _ethertypes(options)
    headings = [(f"{name} Bytes [%]", "Pkts [%]") for name in (*parts.names.values(), OTHER)]
    yield from pieces([f"{'Timestamp':24} " + " ".join(f"{one} {other}" for one, other in headings)])
    for interval in intervals(parts, tables):
        shares = zip(headings, interval.shares(parts.names), strict=True)
        told = " ".join(f"{count:{len(one)}.2f} {packets:{len(other)}.2f}" for (one, other), (count, packets) in shares)
        yield from pieces([f"{asctime(interval.at_ns, options.zone)} {told}"])


def ethertypes_gnuplot(tables: Tables, options: Options) -> Iterator[bytes]:
    """Per cent of bytes over time, one type upon the other."""
    return _stacked("ethertypes", "Ethertypes", _ethertypes(options), tables)


def ethertypes_html(tables: Tables, options: Options) -> Iterator[bytes]:
    """A page with a table: date, per cent of bytes and of packets."""
    return _page("Ethertypes", _ethertypes(options), tables, options)


# -- both


def _stacked(name: str, title: str, parts: Parts, tables: Tables) -> Iterator[bytes]:
    names = [*parts.names.values(), OTHER]
    last = len(names) + 1
    # The highest first, so that each of the others covers what is beneath it.
    curves = [f'using 1:{column} with filledcurves x1 title "{names[column - 2]}"' for column in range(last, 1, -1)]
    picture = Picture(name, title, ("Bytes [%]",), curves, ("set key outside", "set yrange [0:100]"))
    yield from script(picture, (_heights(interval, parts) for interval in intervals(parts, tables)))


def _heights(interval: Interval, parts: Parts) -> Iterator[str]:
    """Each part's share and all beneath it; nothing of an interval without traffic."""
    if not any(count for count, _ in interval.sums.values()):
        return
    heights, height = [], 0.0
    for share, _ in interval.shares(parts.names)[:-1]:
        height += share
        heights.append(f"{height:5.2f}")
    yield " ".join([str(interval.at_ns // 10**9), *heights, "100"])


def _page(title: str, parts: Parts, tables: Tables, options: Options) -> Iterator[bytes]:
    headings = [f"{name} {unit} [%]" for name in (*parts.names.values(), OTHER) for unit in ("Bytes", "Pkts")]
    yield (html.opening(title, heading=True) + html.table_opening(["Date", *headings], len(headings))).encode()
    for interval in intervals(parts, tables):
        cells = [f"{share:.2f}" for pair in interval.shares(parts.names) for share in pair]
        yield html.row([escape(asctime(interval.at_ns, options.zone)), *cells], len(headings)).encode()
    yield (html.TABLE_CLOSING + html.CLOSING).encode()
