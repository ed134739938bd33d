# SPDX-License-Identifier: Apache-2.0
"""``trace`` as text, a line a packet: what its header says, and of what it does not say, its row.

Times are UTC.  What is not known is left out of the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fleutan import address
from fleutan.exports.como.captures import octets
from fleutan.exports.como.options import Options, proto_word
from fleutan.exports.como.rows import absent, parts, pieces
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.packet.decode import decode
from fleutan.records import Records
from fleutan.table import Table

#: Names of the decoder, and the columns that stand in for them.
_NAMES = {
    **{name: name for name in ("ethertype", "src", "dst", "tos", "ttl", "sport", "dport", "tcp_flags")},
    **dict.fromkeys(("id", "length", "tcp_seq", "tcp_ack", "tcp_window"), ""),
    "proto": "proto",
}
_ROWS = 1 << 14
#: The letters of TCP's flags, from the lowest bit on.
_FLAGS = "FSRPAUEC"
_KINDS = {0x0800: "IP", 0x86DD: "IP6", 0x0806: "ARP"}
_DAY_US = 86_400 * 10**6


class _Packet(NamedTuple):
    """What is known of a packet, each None where it is not."""

    ethertype: int | None
    src: str | None
    dst: str | None
    tos: int | None
    ttl: int | None
    sport: int | None
    dport: int | None
    tcp_flags: int | None
    id: int | None
    length: int | None
    tcp_seq: int | None
    tcp_ack: int | None
    tcp_window: int | None
    proto: int | str | None


def pretty(tables: Iterable[Table], _options: Options) -> Iterator[bytes]:
    """Time, protocol, header fields, both ends, and of TCP flags, sequence numbers and window."""
    for table in tables:
        for part in parts(table, _ROWS):
            yield from pieces(_lines(part))


def _lines(part: Table) -> Iterator[str]:
    times, sizes = (part.columns.get(name, absent(len(part))).objects() for name in ("time", "bytes"))
    known = decoded(part)
    columns = [_values(part, known, name, instead) for name, instead in _NAMES.items()]
    for at_ns, size, *values in zip(times, sizes, *columns, strict=True):
        yield f"{_time(at_ns)} {_said(_Packet(*values), size)}"


def decoded(table: Table) -> Records:
    """What the headers of the rows say; of a row without one nothing."""
    header, link = (table.columns.get(name, absent(len(table))) for name in ("header", "link_type"))
    if header.words is None:
        return Records(len(table), {}, {})
    spans = octets(header)
    link_types = np.where(link.mask(), link.values, -1)
    zero = np.zeros(len(table), np.int64)
    kinds = Frames(spans, spans.sizes, zero, np.ones(len(table), np.bool_), link_types, zero).kinds()
    kinds[link_types < 0] = 0
    return decode(spans, kinds, _NAMES)


def _values(table: Table, known: Records, name: str, instead: str) -> list[Any]:
    """What the headers say of the name, and where they do not, the table's own column."""
    own = table.columns[instead].objects() if instead in table.columns else [None] * len(table)
    if name not in known.values:
        return own
    values = known.values[name]
    found: list[Any] = address.texts(values) if values.ndim == 2 else values.tolist()
    if name not in known.known:
        return found
    return [value if sure else other for value, sure, other in zip(found, known.known[name].tolist(), own, strict=True)]


def _time(at_ns: int | None) -> str:
    if at_ns is None:
        return "--:--:--.------"
    second, micro = divmod(at_ns // 1000 % _DAY_US, 10**6)
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{micro:06}"


def _said(packet: _Packet, size: int | None) -> str:
    length = size if packet.length is None else packet.length
    proto = proto_word(packet.proto) if isinstance(packet.proto, int) else packet.proto
    head = _fields({"tos": packet.tos, "ttl": packet.ttl, "id": packet.id, "length:": length})
    said = [_kind(packet), "|", *((proto, "-") if proto else ()), *head]
    if packet.src is not None and packet.dst is not None:
        said += ["-", f"{_end(packet.src, packet.sport)} > {_end(packet.dst, packet.dport)}", *_tcp(packet)]
    return " ".join(said)


def _kind(packet: _Packet) -> str:
    if packet.src is not None:
        return "IP6" if ":" in packet.src else "IP"
    if packet.ethertype is None:
        return "?"
    return _KINDS.get(packet.ethertype, f"0x{packet.ethertype:04x}")


def _fields(values: Mapping[str, int | None]) -> list[str]:
    return [
        f"{name} {value:#x}" if name == "tos" else f"{name} {value}"
        for name, value in values.items()
        if value is not None
    ]


def _end(host: str, port: int | None) -> str:
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tcp(packet: _Packet) -> list[str]:
    if packet.tcp_flags is None:
        return []
    flags = "".join(letter for bit, letter in enumerate(_FLAGS) if packet.tcp_flags >> bit & 1)
    return [flags or ".", *_fields({"seq": packet.tcp_seq, "ack": packet.tcp_ack, "win": packet.tcp_window})]
