# SPDX-License-Identifier: Apache-2.0
"""What fields of observed structures are, by sFlow's layouts: real numbers, and the members of lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleutan.exports.sflow.counters import LAYOUTS
from fleutan.protocols.sflow.layouts.xdr import Array, Field, Fixed

_REAL = {
    (layout.name, field.name)
    for layout in LAYOUTS.values()
    for field in layout.fields
    if isinstance(field.type, Fixed) and field.type.code in "fd"
}
_MEMBERS: Mapping[tuple[str, str], tuple[Field, ...]] = {
    (layout.name, field.name): field.type.item
    for layout in LAYOUTS.values()
    for field in layout.fields
    if isinstance(field.type, Array) and isinstance(field.type.item, tuple)
}


def is_real(structure: str, name: str) -> bool:
    """Whether the field is a real number, whatever its value looks like."""
    return (structure, name) in _REAL


def items(structure: str, name: str, rows: Any) -> Iterator[dict[str, Any]]:
    """The members of each item of a list, whether items have them by name or in the layout's order."""
    members = _MEMBERS.get((structure, name), ())
    for row in rows or ():
        if isinstance(row, Mapping):
            yield dict(row)
        else:
            yield {member.name: value for member, value in zip(members, row, strict=False)}


def octets_text(value: bytes) -> str:
    """Octets as people write them: a MAC address with colons, else hexadecimal digits."""
    return value.hex(":") if len(value) == 6 else value.hex()
