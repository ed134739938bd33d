# SPDX-License-Identifier: Apache-2.0
"""What routers add to ICMP errors behind the quoted packet: MPLS labels, interfaces.

What lives here finds where the quote ends and reads what follows.  It reads no quote.  Octets that
make no sense are left out; nothing raises.

RFC 4884 (structure), RFC 4950 (MPLS), RFC 5837 (interfaces).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, NamedTuple

from fleutan.protocols.tracing.headers import ones_sum

#: Where routers older than RFC 4884 begin, and tell no length (RFC 4884, 5.5).
COMPATIBLE = 128
#: What the interface is to the packet (RFC 5837, 4.1), by the upper two bits of the C-Type.
ROLES = ("incoming", "sub-IP", "outgoing", "next-hop")

_STRUCTURE = Struct("!BxH")  # version, checksum
_OBJECT = Struct("!HBB")  # length with this header, class, C-Type
_MPLS, _INTERFACE = 1, 2
_STACK = 1  # C-Type of an MPLS label stack
_WORD = Struct("!I")
_AFI = Struct("!Hxx")  # address family number, reserved
_ADDRESS_SIZES = {1: 4, 2: 16}


class Label(NamedTuple):
    """An entry of the MPLS label stack that the packet came with (RFC 3032, 2.1)."""

    label: int
    exp: int
    bottom: bool
    ttl: int


class Interface(NamedTuple):
    """One of the router's interfaces: its role of ROLES, and what the router says of it."""

    role: str
    ifindex: int | None = None
    address: bytes | None = None
    name: str | None = None
    mtu: int | None = None


class Extended(NamedTuple):
    """An ICMP error's payload: the quoted packet (perhaps padded), and what stands behind it."""

    quote: bytes
    labels: tuple[Label, ...] = ()
    interfaces: tuple[Interface, ...] = ()


def split(payload: bytes, length: int) -> Extended:
    """The payload at ``length`` octets, which the ICMP header tells (0: it does not)."""
    for at, trusted in ((length, True), (COMPATIBLE, False)):
        if at and (objects := _objects(payload[at:], trusted)):
            return _read(payload[:at], objects)
    return Extended(payload[: length or None])


def _objects(octets: bytes, trusted: bool) -> list[tuple[int, int, bytes]] | None:
    """Class, C-Type and payload of each object; None where no structure stands.

    A router may leave the checksum out (RFC 4884, 7), but what stands where nothing was announced
    has to prove itself by it.
    """
    if len(octets) < _STRUCTURE.size:
        return None
    version, checksum = _STRUCTURE.unpack_from(octets)
    if version >> 4 != 2 or not (ones_sum(octets) == 0 if checksum else trusted):
        return None
    return list(_walk(octets, _STRUCTURE.size))


def _walk(octets: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    while at + _OBJECT.size <= len(octets):
        length, kind, subkind = _OBJECT.unpack_from(octets, at)
        if not _OBJECT.size <= length <= len(octets) - at:
            return
        yield kind, subkind, octets[at + _OBJECT.size : at + length]
        at += length


def _read(quote: bytes, objects: list[tuple[int, int, bytes]]) -> Extended:
    stacks = (_labels(octets) for kind, subkind, octets in objects if (kind, subkind) == (_MPLS, _STACK))
    interfaces = (_interface(subkind, octets) for kind, subkind, octets in objects if kind == _INTERFACE)
    return Extended(
        quote,
        tuple(label for stack in stacks for label in stack),
        tuple(interface for interface in interfaces if interface),
    )


def _labels(octets: bytes) -> Iterator[Label]:
    for (word,) in _WORD.iter_unpack(octets[: len(octets) & ~3]):
        yield Label(word >> 12, word >> 9 & 7, bool(word >> 8 & 1), word & 0xFF)


def _interface(subkind: int, octets: bytes) -> Interface | None:
    found: dict[str, Any] = {}
    for bit, field, read in _PARTS:
        if subkind & bit:
            part = read(octets)
            if part is None:
                return None
            found[field], size = part
            octets = octets[size:]
    return Interface(ROLES[subkind >> 6], **found)


def _number(octets: bytes) -> tuple[int, int] | None:
    return (_WORD.unpack_from(octets)[0], _WORD.size) if len(octets) >= _WORD.size else None


def _address(octets: bytes) -> tuple[bytes, int] | None:
    size = _ADDRESS_SIZES.get(_AFI.unpack_from(octets)[0]) if len(octets) >= _AFI.size else None
    if size is None or len(octets) < _AFI.size + size:
        return None
    return octets[_AFI.size : _AFI.size + size], _AFI.size + size


def _name(octets: bytes) -> tuple[str, int] | None:
    """A name as text; what could move a terminal's cursor is shown as ``?``: it comes from afar."""
    size = octets[0] if octets else 0
    if not 1 <= size <= len(octets):
        return None
    text = octets[1:size].rstrip(b"\0").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "?" for sign in text), size


#: The bits of the C-Type, in the order in which their parts follow (RFC 5837, 4.2).
_PARTS: tuple[tuple[int, str, Callable[[bytes], tuple[Any, int] | None]], ...] = (
    (0x08, "ifindex", _number),
    (0x04, "address", _address),
    (0x02, "name", _name),
    (0x01, "mtu", _number),
)
