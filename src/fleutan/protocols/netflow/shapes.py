# SPDX-License-Identifier: Apache-2.0
"""Flow columns as records of NetFlow version 9 and IPFIX: which elements a column is, and its octets.

Rows that know the same columns, and whose addresses are of the same families, have one shape, and
so one template.  What is unknown is left out, not written as 0.

RFC 3954 8 (version 9), RFC 7012 and IANA's registry (IPFIX), RFC 5103 6.1 (the flow back).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.elements import OWN, REVERSE
from fleutan.protocols.netflow.wire.templates import SHORTEST, VARIABLE
from fleutan.protocols.spans import Spans
from fleutan.records import Records

Ints = NDArray[np.int64]

_MS = 1_000_000
_MAPPED = 0xFFFF
_PADDING = 210  # paddingOctets

#: Columns that are numbers: enterprise, element and octets; in version 9 another element, or none.
_NUMBERS: dict[str, tuple[int, int, int, int | None]] = {
    "proto": (0, 4, 1, 4),
    "sport": (0, 7, 2, 7),
    "dport": (0, 11, 2, 11),
    "packets": (0, 2, 8, 2),
    "bytes": (0, 1, 8, 1),
    "flows": (0, 3, 8, 3),
    "reverse_packets": (REVERSE, 2, 8, 299),
    "reverse_bytes": (REVERSE, 1, 8, 232),
    "reverse_tcp_flags": (REVERSE, 6, 2, None),
    "tcp_flags": (0, 6, 2, 6),
    "tos": (0, 5, 1, 5),
    "in_if": (0, 10, 4, 10),
    "out_if": (0, 14, 4, 14),
    "src_as": (0, 16, 4, 16),
    "dst_as": (0, 17, 4, 17),
    "vlan": (0, 58, 2, 58),
    "post_vlan": (0, 59, 2, 59),
    "src_mac": (0, 56, 6, 56),
    "dst_mac": (0, 80, 6, 80),
    "direction": (0, 61, 1, 61),
    "end_reason": (0, 136, 1, 136),
    "forwarding_status": (0, 89, 1, 89),
    "vrf": (0, 234, 4, 234),
    "flow_id": (0, 148, 8, 148),
    "nat_event": (0, 230, 1, 230),
    "firewall_event": (0, 233, 1, 233),
    "post_sport": (0, 227, 2, 227),
    "post_dport": (0, 228, 2, 228),
    "sampling_rate": (0, 34, 4, 34),
    "pid": (OWN, 1, 4, None),
    "uid": (OWN, 2, 4, None),
    "cookie": (OWN, 6, 8, None),
    "cgroup_id": (OWN, 7, 8, None),
    "rtt": (OWN, 8, 4, None),
    "rtt_var": (OWN, 9, 4, None),
    "min_rtt": (OWN, 10, 4, None),
    "retrans": (OWN, 11, 4, None),
}
#: Columns that are text, as octets padded with NUL: their elements, which version 9 has not.
_TEXTS = {"comm": 3, "unit": 4, "container": 5}
#: Octets of a text that are written: its length stands before it in one.
LONGEST = 254
#: By family of their address (of ICMP and masks that of ``src`` or ``dst``): elements of IPv4 and IPv6.
_ADDRESSES = {
    "src": (8, 27),
    "dst": (12, 28),
    "next_hop": (15, 62),
    "bgp_next_hop": (18, 63),
    "agent": (130, 131),
    "post_src": (225, 281),
    "post_dst": (226, 282),
}
_BY_FAMILY = {"src_mask": ("src", 9, 29, 1), "dst_mask": ("dst", 13, 30, 1), "icmp": ("src", 32, 139, 2)}
#: In IPFIX milliseconds of the day, in version 9 since the exporter started (21 and 22, RFC 3954 8).
_TIMES = {"start": {10: (152, 8), 9: (22, 4)}, "end": {10: (153, 8), 9: (21, 4)}}


class Specifier(NamedTuple):
    """A column as it is written: the element and the octets that it takes, VARIABLE of text."""

    column: str
    enterprise: int
    element: int
    size: int


Shape = tuple[Specifier, ...]


class Moment(NamedTuple):
    """When the datagrams are sent, in nanoseconds UTC, and for how long the exporter runs (version 9)."""

    now_ns: int
    uptime_ms: int = 0


def shapes(flows: Records, version: int) -> Iterator[tuple[Shape, Ints]]:
    """Rows that are written alike: for each, which columns are known and which addresses are IPv6."""
    columns = [name for name in _order(version) if name in flows.values]
    marks = np.zeros((flows.rows, len(columns)), np.uint8)
    for place, name in enumerate(columns):
        known = flows.known.get(name)
        marks[:, place] = (True if known is None else known) * _family(flows, name)
    for rows in _alike(marks) if columns and flows.rows else ():
        mark = marks[rows[0]].tolist()
        shape = [_specifier(name, one, version) for name, one in zip(columns, mark, strict=True) if one]
        yield tuple(shape + _padding(shape)), rows


def _padding(shape: list[Specifier]) -> list[Specifier]:
    """What a record lacks to be told from the padding of its set."""
    lacking = SHORTEST - sum(one.size for one in shape)
    return [Specifier("", 0, _PADDING, lacking)] if 0 < lacking < SHORTEST else []


def _alike(marks: NDArray[np.uint8]) -> list[Ints]:
    """The rows of each kind of row."""
    kind = np.unique(marks.view(f"V{marks.shape[1]}").ravel(), return_inverse=True)[1]
    order = np.argsort(kind, kind="stable")
    return np.split(order, np.cumsum(np.bincount(kind))[:-1])


def _order(version: int) -> list[str]:
    numbers = [name for name, one in _NUMBERS.items() if version == 10 or one[3] is not None]
    return [*_ADDRESSES, *_BY_FAMILY, *_TIMES, *numbers, *(_TEXTS if version == 10 else ())]


def _family(flows: Records, name: str) -> NDArray[np.uint8]:
    """1, or 2 where a column is of an IPv6 address."""
    of = name if name in _ADDRESSES else _BY_FAMILY[name][0] if name in _BY_FAMILY else None
    if of is None or of not in flows.values:
        return np.ones(flows.rows, np.uint8)
    return np.where(_mapped(flows.values[of]), 1, 2).astype(np.uint8)


def _mapped(halves: Ints) -> NDArray[np.bool_]:
    mapped: NDArray[np.bool_] = (halves[:, 0] == 0) & (halves[:, 1] >> 32 == _MAPPED)
    return mapped


def _specifier(name: str, family: int, version: int) -> Specifier:
    if name in _ADDRESSES:
        return Specifier(name, 0, _ADDRESSES[name][family - 1], 4 if family == 1 else 16)
    if name in _BY_FAMILY:
        _, four, six, size = _BY_FAMILY[name]
        return Specifier(name, 0, four if family == 1 else six, size)
    if name in _TIMES:
        return Specifier(name, 0, *_TIMES[name][version])
    if name in _TEXTS:
        return Specifier(name, OWN, _TEXTS[name], VARIABLE)
    enterprise, element, size, other = _NUMBERS[name]
    return Specifier(name, enterprise, element, size) if version == 10 else Specifier(name, 0, other or 0, size)


def written(
    flows: Records, shape: Shape, rows: Ints, version: int, moment: Moment, saturated: dict[str, int]
) -> NDArray[Any]:
    """``(rows,)`` the records, each an item of octets; ``spans`` takes out what texts do not fill."""
    dtype = np.dtype([(one.column or "padding", *_member(one, flows)) for one in shape])
    records = np.zeros(len(rows), dtype)
    for one in shape:
        if not one.column:
            continue
        values = flows.values[one.column][rows]
        if one.size == 16:
            records[one.column] = values
            continue
        if one.size == VARIABLE:
            records[one.column]["octets"] = values
            records[one.column]["size"] = np.char.str_len(records[one.column]["octets"])
            continue
        if one.column in _ADDRESSES:
            values = values[:, 1] & 0xFFFF_FFFF
        if one.column in _TIMES:
            values = _time(values, version, moment)
        values = _narrowed(values, one, saturated)
        if one.size == 6:
            octets = values.astype(">i8").view(np.uint8).reshape(-1, 8)
            records[one.column] = octets[:, 2:]
        else:
            records[one.column] = values
    return records


def _member(one: Specifier, flows: Records) -> tuple[Any, ...]:
    if one.size == VARIABLE:
        width = min(max(flows.values[one.column].dtype.itemsize, 1), LONGEST)
        return ([("size", "u1"), ("octets", f"S{width}")],)
    kinds = {1: "u1", 2: ">u2", 4: ">u4", 8: ">i8"}
    if one.size in kinds:
        return (kinds[one.size],)
    return (">i8", (2,)) if one.size == 16 else ("u1", (one.size,))


def spans(records: NDArray[Any], shape: Shape) -> Spans:
    """The octets of each of these records as they are sent."""
    octets: NDArray[np.uint8] = np.frombuffer(records.tobytes(), np.uint8)
    width = records.dtype.itemsize
    texts = [one.column for one in shape if one.size == VARIABLE]
    if not texts:
        return Spans(octets, np.arange(len(records)) * width, np.full(len(records), width))
    sent = np.ones((len(records), width), np.bool_)
    for name in texts:
        at, long = records.dtype.fields[name][1] + 1, records.dtype[name]["octets"].itemsize  # type: ignore[index]
        sent[:, at : at + long] = np.arange(long) < records[name]["size"][:, None]
    sizes = sent.sum(1)
    return Spans(octets[sent.reshape(-1)], np.cumsum(sizes) - sizes, sizes)


def _time(values: Ints, version: int, moment: Moment) -> Ints:
    """Milliseconds, in version 9 since the start of the exporter; what was before that is modulo 2**32."""
    if version == 10:
        return values // _MS
    return (moment.uptime_ms - (moment.now_ns // 10**9 * 10**9 - values) // _MS) & 0xFFFF_FFFF


def _narrowed(values: Ints, one: Specifier, saturated: dict[str, int]) -> Ints:
    if one.size == 8:
        return values
    most = (1 << 8 * one.size) - 1
    beyond = (values > most) | (values < 0)
    if beyond.any():
        saturated[one.column] = saturated.get(one.column, 0) + int(beyond.sum())
    return np.where(beyond, most, values)
