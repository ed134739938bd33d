# SPDX-License-Identifier: Apache-2.0
"""Packet samples become streams of TCP: each direction of a connection once, its payload in order.

A stream is told as one packet, as CoMo had it: the headers of the first packet, SYN taken out, and
behind them all octets of payload in order of their sequence numbers, at most ``LONGEST``.  What was
not sampled, or cut off, is left out and not made up; what came twice is there once.  RFC 9293.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from fleutan.column import Column
from fleutan.errors import FleutanError
from fleutan.past.pseudo import Places, packet
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.packet.decode import decode
from fleutan.protocols.spans import joined
from fleutan.records import Records
from fleutan.table import Reading, Table

#: What is read of samples.
FIELDS = ("time", "end", "packets", "bytes", "sampling_rate", "header", "link_type")
#: Octets of a stream that are told, and of all streams that are kept at once.
LONGEST, MOST = 100_000, 512 << 20
#: About what a stream takes besides its payload; streams in a Table; what counts go to at most.
_OWN, _STREAMS, _LARGEST = 1000, 100, (1 << 63) - 1
_NAMES = ("l3_at", "l4_at", "payload_at", "length", "version", "src", "dst", "sport", "dport", "tcp_seq", "tcp_flags")
_SYN, _WORD, _HALF = 2, 0xFFFF_FFFF, 1 << 31
#: Both ends: the halves of addresses, ports.
Ends = tuple[int, ...]


@dataclass
class Stream:
    """One direction of a connection as far as it was seen; ``pieces`` of payload by their place in it."""

    ends: Ends
    first_seq: int
    start_ns: int
    end_ns: int
    link_type: int | None = None
    head: bytes = b""
    places: Places | None = None
    packets: int = 0
    octets: int = 0
    kept: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict)

    def take(self, seq: int, payload: bytes) -> int:
        """Keeps payload that begins at this number; says by how much more, or less, is kept now."""
        at, before = (seq - self.first_seq + _HALF & _WORD) - _HALF, self.kept
        if len(self.pieces.get(at, b"")) < len(payload):
            self.kept += len(payload) - len(self.pieces.get(at, b""))
            self.pieces[at] = payload
        if self.kept > 2 * LONGEST:
            self.pieces = dict(self.parts())
            self.kept = sum(map(len, self.pieces.values()))
        return self.kept - before

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """What is new in each piece, in order, with its place, until there is enough."""
        reached, told = -_HALF, 0
        for at, piece in sorted(self.pieces.items()):
            begins = max(reached, at)
            if fresh := piece[begins - at :][: LONGEST - told]:
                yield begins, fresh
            told += len(fresh)
            reached = max(reached, at + len(piece))


def streams(tables: Iterable[Table], most: int = MOST) -> list[Stream]:
    """The streams of samples that come in order of time, in order of their beginning.

    Raises FleutanError where their payload is more than ``most`` octets.
    """
    found: list[Stream] = []
    open_: dict[Ends, Stream] = {}
    kept = 0
    for table in tables:
        for stream, seq, payload in _segments(table, found, open_):
            kept += stream.take(seq, payload)
            if kept + len(found) * _OWN > most:
                raise FleutanError(f"the streams have more than {most >> 20} MiB: ask of a shorter time, or of less")
    return found


def reassembled(tables: Iterable[Table], name: str, top: int = 0, reading: Reading | None = None) -> Iterator[Table]:
    """The streams as Tables called ``name``: the columns of ``tuple``, and of ``trace`` what capture files need."""
    found = iter(streams(tables)[: top or None])
    some = list(islice(found, _STREAMS))
    yield _table(some, name, reading or Reading())
    while some := list(islice(found, _STREAMS)):
        yield _table(some, name, reading or Reading())


def _segments(table: Table, found: list[Stream], open_: dict[Ends, Stream]) -> Iterator[tuple[Stream, int, bytes]]:
    """Each TCP segment of the samples: its stream, which has counted it, and its payload with its number."""
    for row, said in _decoded(table):
        ends = (*said["src"], *said["dst"], said["sport"], said["dport"])
        seq, flags = said["tcp_seq"], said["tcp_flags"] or 0
        begins = bool(flags & _SYN)
        stream = open_.get(ends)
        if stream is None or (begins and seq + 1 & _WORD != stream.first_seq and stream.pieces):
            stream = open_[ends] = Stream(ends, seq + begins & _WORD, row["time"], row["time"])
            found.append(stream)
        _counted(stream, row)
        header, at, upto = row["header"], said["payload_at"], said["length"]
        if at is None or at > len(header):
            continue
        if not stream.head:
            stream.head, stream.link_type = header[:at], row["link_type"]
            stream.places = Places(said["l3_at"], said["l4_at"], said["version"])
        payload = header[at : len(header) if upto is None else max(said["l3_at"] + upto, at)]
        if payload:
            yield stream, seq + begins & _WORD, payload


def _counted(stream: Stream, row: dict[str, Any]) -> None:
    rate = row["sampling_rate"] or 1
    stream.packets = min(stream.packets + (row["packets"] or 0) * rate, _LARGEST)
    stream.octets = min(stream.octets + (row["bytes"] or 0) * rate, _LARGEST)
    stream.start_ns = min(stream.start_ns, row["time"])
    stream.end_ns = max(stream.end_ns, row["end"] or row["time"])


def _decoded(table: Table) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows whose headers are TCP's over IP, and what these say."""
    rows = {name: table.columns[name].objects() for name in FIELDS}
    spans = joined([header or b"" for header in rows["header"]])
    zero = np.zeros(len(table), np.int64)
    link = np.array([-1 if type_ is None else type_ for type_ in rows["link_type"]], np.int64)
    kinds = Frames(spans, spans.sizes, zero, np.ones(len(table), np.bool_), link, zero).kinds()
    kinds[link < 0] = 0
    records = decode(spans, kinds, _NAMES)
    if "tcp_seq" not in records.values:
        return
    said = [_listed(records, name) for name in _NAMES]
    for row, words in zip(zip(*rows.values(), strict=True), zip(*said, strict=True), strict=True):
        found = dict(zip(_NAMES, words, strict=True))
        if None not in (found["src"], found["sport"], found["tcp_seq"]):
            yield dict(zip(FIELDS, row, strict=True)), found


def _listed(records: Records, name: str) -> list[Any]:
    """Every row's value, None where it is not known."""
    if name not in records.values:
        return [None] * records.rows
    values, known = records.values[name].tolist(), records.known.get(name)
    return values if known is None else [value if sure else None for value, sure in zip(values, known, strict=True)]


def _table(found: Sequence[Stream], name: str, reading: Reading) -> Table:
    def ints(values: list[int | None]) -> Column:
        known = np.array([value is not None for value in values], np.bool_)
        return Column(np.array([value or 0 for value in values], np.int64), None if known.all() else known)

    heads = [stream.head and packet(stream.head, stream.places, stream.first_seq, _payload(stream)) for stream in found]
    codes = np.array([place if head else -1 for place, head in enumerate(heads)], np.int32)
    starts = ints([stream.start_ns for stream in found])
    columns = {
        "start": starts,
        "end": ints([stream.end_ns for stream in found]),
        "proto": Column(np.zeros(len(found), np.int32), None, ("tcp",)),
        "src": Column(np.array([stream.ends[:2] for stream in found], np.int64).reshape(-1, 2)),
        "sport": ints([stream.ends[4] for stream in found]),
        "dst": Column(np.array([stream.ends[2:4] for stream in found], np.int64).reshape(-1, 2)),
        "dport": ints([stream.ends[5] for stream in found]),
        "packets": ints([stream.packets for stream in found]),
        "bytes": ints([stream.octets for stream in found]),
        "time": starts,
        "header": Column(codes, None, tuple(head or b"" for head in heads)),
        "link_type": ints([stream.link_type for stream in found]),
    }
    return Table(name, columns, reading)


def _payload(stream: Stream) -> tuple[int, bytes]:
    """Where the payload begins in the stream, and all of it."""
    parts = list(stream.parts())
    return (parts[0][0] if parts else 0), b"".join(piece for _, piece in parts)
