# SPDX-License-Identifier: Apache-2.0
"""``trace`` as capture files: the headers that were kept, at their times, with their lengths on the wire.

A classic file has one link type; where packets of several are known to come, or stand side by
side at the beginning, the file is pcapng, whose interfaces may be added between packets.
Nothing is made up: a packet without a header, a link type or a time is counted and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column
from fleutan.exports.como.options import Options
from fleutan.exports.como.rows import absent, parts
from fleutan.protocols.capture.writing import (
    pcap_header,
    pcap_records,
    pcapng_blocks,
    pcapng_header,
    pcapng_interfaces,
)
from fleutan.protocols.spans import Spans, joined
from fleutan.table import Table

Tables = Iterable[Table]
Ints = NDArray[np.int64]

#: Why packets are left out of a file.
NO_HEADER = "packets of which no header was kept"
NO_LINK_TYPE = "packets whose link type is not known"
NO_TIME = "packets whose time is not known"
OTHER_LINK_TYPE = "packets of another link type than the file's, which format=pcapng would have"
_ROWS = 1 << 15
_ETHERNET = 1
_LONGEST = (1 << 32) - 1


class Packets(NamedTuple):
    """Captured octets with their time, length on the wire and link type, a row a packet."""

    spans: Spans
    lengths: Ints
    at_ns: Ints
    link_types: Ints

    def take(self, rows: NDArray[np.bool_]) -> Packets:
        """These rows."""
        return Packets(self.spans.take(rows), self.lengths[rows], self.at_ns[rows], self.link_types[rows])


def octets(column: Column) -> Spans:
    """The octets of each row (no octet where they are unknown), those that occur again once."""
    used, codes = np.unique(column.values, return_inverse=True)
    known = column.words or ()
    return joined([known[code] if code >= 0 else b"" for code in used.tolist()]).take(codes)


def packets(table: Table, options: Options) -> Packets:
    """The packets of a table that a file can hold; the others are counted in ``options.left_out``."""
    header, link = (table.columns.get(name, absent(len(table))) for name in ("header", "link_type"))
    time, size = (table.columns.get(name, absent(len(table))) for name in ("time", "bytes"))
    has = {NO_HEADER: header.mask() & (header.words is not None), NO_LINK_TYPE: link.mask(), NO_TIME: time.mask()}
    kept = np.ones(len(table), np.bool_)
    for why, known in has.items():
        options.leave(why, int(np.count_nonzero(kept & ~known)))
        kept &= known
    spans = octets(header.take(kept))
    lengths = np.where(size.mask(), size.values, 0)[kept]
    return Packets(spans, np.clip(lengths, spans.sizes, _LONGEST), time.values[kept], link.values[kept])


def pcap(tables: Tables, options: Options) -> Iterator[bytes]:
    """A classic capture file in microseconds, or pcapng where there are several link types."""
    batches = _batches(tables, options)
    first = next(batches, None)
    present = options.link_types or (() if first is None else tuple(np.unique(first.link_types).tolist()))
    every = batches if first is None else _again(first, batches)
    if len(present) > 1:
        yield from _pcapng(every, present)
    else:
        yield from _pcap(every, present[0] if present else _ETHERNET, options)


def pcapng(tables: Tables, options: Options) -> Iterator[bytes]:
    """A pcapng file in nanoseconds, an interface for each link type."""
    return _pcapng(_batches(tables, options), options.link_types)


def whole(tables: Tables) -> Iterator[Table]:
    """The same packets with all of their octets captured: ``bytes`` of a stream are those of its packets."""
    return (replace(table, columns={**table.columns, "bytes": absent(len(table))}) for table in tables)


def _again(first: Packets, rest: Iterator[Packets]) -> Iterator[Packets]:
    yield first
    yield from rest


def _batches(tables: Tables, options: Options) -> Iterator[Packets]:
    """The packets batch by batch, none of them empty."""
    for table in tables:
        for part in parts(table, _ROWS):
            found = packets(part, options)
            if found.spans.rows:
                yield found


def _pcap(batches: Iterator[Packets], link_type: int, options: Options) -> Iterator[bytes]:
    yield pcap_header(link_type)
    for batch in batches:
        own = batch.link_types == link_type
        options.leave(OTHER_LINK_TYPE, int(np.count_nonzero(~own)))
        some = batch.take(own)
        yield pcap_records(some.spans, some.lengths, some.at_ns)


def _pcapng(batches: Iterator[Packets], link_types: Iterable[int]) -> Iterator[bytes]:
    numbers = {link_type: place for place, link_type in enumerate(dict.fromkeys(link_types))}
    yield pcapng_header(list(numbers))
    for batch in batches:
        present, which = np.unique(batch.link_types, return_inverse=True)
        fresh = [link_type for link_type in present.tolist() if link_type not in numbers]
        numbers.update(zip(fresh, range(len(numbers), len(numbers) + len(fresh)), strict=True))
        interfaces = np.array([numbers[link_type] for link_type in present.tolist()])[which]
        yield pcapng_interfaces(fresh) + pcapng_blocks(batch.spans, batch.lengths, batch.at_ns, interfaces)
