# SPDX-License-Identifier: Apache-2.0
"""Single values of information elements, for what is shown to people: one field, one Python object.

Bulk data goes through ``flows``.  Lists in fields are read too, as deep as LEVELS; what is broken
in them ends them, and nothing raises.

RFC 7011 6.1 (types), RFC 6313 4.5 (lists).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Any

import numpy as np

from fleutan.protocols.netflow.elements import Element, element
from fleutan.protocols.netflow.times import UNITS
from fleutan.protocols.netflow.wire.templates import VARIABLE, Field, Template, layout

#: Lists within lists that are read; deeper ones stay octets.
LEVELS = 4
#: Finds the template of a number, if there is one.
Templates = Callable[[int], Template | None]

_BASIC = Struct("!BHH")  # semantic, element, length of each value
_PART = Struct("!HH")  # template, length with these four octets
_FLOATS = {4: Struct("!f"), 8: Struct("!d")}
_TIMES = {"s": "Seconds", "ms": "Milliseconds", "us": "Microseconds", "ns": "Nanoseconds"}
_BOOLEANS = {b"\1": True, b"\2": False}


def value(octets: bytes, kind: Element, templates: Templates, levels: int = LEVELS) -> Any:
    """What a field holds: int, float, bool, text, nanoseconds UTC, a list as dict, or octets as they are.

    Numbers may have fewer octets than their type (RFC 7011, 6.2); None where there are none at all.
    """
    if not octets and kind.type not in ("text", "octets"):
        return None
    if kind.type in _LISTS:
        return _LISTS[kind.type](octets, templates, levels - 1) if levels else octets
    read = _READERS.get(kind.type)
    return read(octets, kind.type) if read else octets


def _unsigned(octets: bytes, _: str) -> Any:
    return int.from_bytes(octets) if len(octets) <= 8 else octets


def _signed(octets: bytes, _: str) -> Any:
    return int.from_bytes(octets, signed=True) if len(octets) <= 8 else octets


def _float(octets: bytes, _: str) -> Any:
    return _FLOATS[len(octets)].unpack(octets)[0] if len(octets) in _FLOATS else octets


def _boolean(octets: bytes, _: str) -> Any:
    return _BOOLEANS.get(octets, octets)


def _mac(octets: bytes, _: str) -> Any:
    return octets.hex(":") if len(octets) == 6 else octets


def _address(octets: bytes, _: str) -> Any:
    if len(octets) == 4:
        return str(IPv4Address(octets))
    return str(IPv6Address(octets)) if len(octets) == 16 else octets


def _text(octets: bytes, _: str) -> str:
    return octets.rstrip(b"\0").decode("utf-8", "replace")


def _time(octets: bytes, kind: str) -> Any:
    if len(octets) > 8:
        return octets
    # Nanoseconds of what is no time of day may not fit into 64 bits, as in columns.
    number = np.array([int.from_bytes(octets)], np.uint64).view(np.int64)
    return int(UNITS[_TIMES[kind]](number)[0])


_READERS: dict[str, Callable[[bytes, str], Any]] = {
    **dict.fromkeys(("u8", "u16", "u32", "u64"), _unsigned),
    **dict.fromkeys(("i8", "i16", "i32", "i64"), _signed),
    **dict.fromkeys(("f32", "f64"), _float),
    "bool": _boolean,
    "mac": _mac,
    "ip4": _address,
    "ip6": _address,
    "text": _text,
    **dict.fromkeys(_TIMES, _time),
}


def _basic(octets: bytes, templates: Templates, levels: int) -> Any:
    if len(octets) < _BASIC.size:
        return octets
    semantic, number, size = _BASIC.unpack_from(octets)
    at, enterprise = _BASIC.size, 0
    if number & 0x8000:
        enterprise, at = int.from_bytes(octets[at : at + 4]), at + 4
    kind = element(enterprise, number & 0x7FFF)
    parts = (one[0] for one, _ in _records(octets, at, (Field(kind, size, False),)))
    return {"semantic": semantic, "element": kind.name, "values": [value(p, kind, templates, levels) for p in parts]}


def _sub(octets: bytes, templates: Templates, levels: int) -> Any:
    if len(octets) < 3:
        return octets
    return {"semantic": octets[0], **_part(int.from_bytes(octets[1:3]), octets[3:], templates, levels)}


def _multi(octets: bytes, templates: Templates, levels: int) -> Any:
    parts, at = [], 1
    while len(octets) - at >= _PART.size:
        number, size = _PART.unpack_from(octets, at)
        if not _PART.size <= size <= len(octets) - at:
            break
        parts.append(_part(number, octets[at + _PART.size : at + size], templates, levels))
        at += size
    return {"semantic": octets[0], "parts": parts}


def _part(number: int, octets: bytes, templates: Templates, levels: int) -> dict[str, Any]:
    """Records of one template; as octets where that is not known."""
    template = templates(number)
    if template is None:
        return {"template": number, "octets": octets}
    fields = layout(template).fields
    records = [named(fields, parts, templates, levels) for parts, _ in _records(octets, 0, fields)]
    return {"template": number, "records": records}


_LISTS: dict[str, Callable[[bytes, Templates, int], Any]] = {"list": _basic, "sublist": _sub, "multilist": _multi}


def named(fields: tuple[Field, ...], parts: list[bytes], templates: Templates, levels: int = LEVELS) -> dict[str, Any]:
    """The values of a record by the names of its elements; a list of them where an element stands twice."""
    values = [value(part, field.element, templates, levels) for field, part in zip(fields, parts, strict=True)]
    return gathered([field.element.name for field in fields], values)


def gathered(names: list[str], values: Iterator[Any] | list[Any]) -> dict[str, Any]:
    """Values by name, those of one name together; padding is left out."""
    found: dict[str, Any] = {}
    repeated = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ()
    for name, one in zip(names, values, strict=True):
        if name == "paddingOctets":
            continue
        if name in repeated:
            found.setdefault(name, []).append(one)
        else:
            found[name] = one
    return found


def _records(octets: bytes, at: int, fields: tuple[Field, ...]) -> Iterator[tuple[list[bytes], int]]:
    """The fields of each whole record, and where it ends."""
    while at < len(octets):
        parts, began = [], at
        for field in fields:
            size = field.size
            if size == VARIABLE:
                size, at = _length(octets, at)
            parts.append(octets[at : at + size])
            at += size
        if at > len(octets) or at == began:
            return
        yield parts, at


def _length(octets: bytes, at: int) -> tuple[int, int]:
    """A length as it stands before its field, and where the field begins (RFC 7011, 7)."""
    size = int.from_bytes(octets[at : at + 1])
    return (size, at + 1) if size < 255 else (int.from_bytes(octets[at + 1 : at + 3]), at + 3)
