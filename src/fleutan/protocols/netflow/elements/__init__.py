# SPDX-License-Identifier: Apache-2.0
"""What the numbers in templates mean: names, types, semantics and units of information elements.

The facts stand in ``iana`` and ``vendors``; what lives here finds them, and makes a name of what
nobody has named.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from fleutan.protocols.netflow.elements import iana, vendors

#: What has no enterprise in NetFlow version 9 stands beyond all enterprises, which have 32 bits.
VERSION_9, SCOPES_9 = 1 << 32, 2 << 32
#: Elements of the flow back (RFC 5103, 6.1): IANA's under an enterprise, CERT's by a bit.
REVERSE = 29305
#: Elements of this program's own, of what no registry has one for: owners of sockets and TCP's state.
OWN = 32473
_CERT, _CERT_REVERSE = 6871, 0x4000
_CISCO, _NTOP = 9, 35632
# Fields of version 9 whose highest bit is set are those that a maker numbers for itself in IPFIX.
_MAKERS, _NTOP_FIRST = 0x8000, 57472


class Element(NamedTuple):
    """An information element: ``type`` as ``iana`` lists them; semantics and unit are empty if unsaid."""

    enterprise: int
    number: int
    name: str
    type: str = "octets"
    semantics: str = ""
    unit: str = ""


@cache
def _table(enterprise: int) -> dict[int, Element]:
    lines = _TABLES.get(enterprise, "").splitlines()
    elements = (Element(enterprise, int(number), *rest) for number, *rest in map(str.split, lines))
    return {element.number: element for element in elements}


_TABLES = {
    0: iana.ELEMENTS,
    VERSION_9: vendors.VERSION_9,
    SCOPES_9: vendors.SCOPES_9,
    **vendors.ELEMENTS,
}


def element(enterprise: int, number: int) -> Element:
    """The element of an enterprise (0: IANA) by its number; what is unknown is octets under a made-up name."""
    found = _table(enterprise).get(number)
    if found is not None:
        return found
    if enterprise == REVERSE and number in _table(0):
        return _reverse(_table(0)[number], enterprise, number)
    if enterprise == _CERT and number ^ _CERT_REVERSE in _table(_CERT):
        return _reverse(_table(_CERT)[number ^ _CERT_REVERSE], enterprise, number)
    return Element(enterprise, number, f"enterprise{enterprise}_{number}" if enterprise else f"element{number}")


def field_9(number: int) -> Element:
    """The element that a field of NetFlow version 9 is.

    Numbers from 32768 are makers' own: Cisco and ntop (from 57472) put the same elements there that
    they number from 0 in IPFIX.
    """
    found = _table(VERSION_9).get(number) or _table(0).get(number)
    if found is None and number >= _NTOP_FIRST:
        found = _table(_NTOP).get(number - _NTOP_FIRST)
    if found is None and number >= _MAKERS:
        found = _table(_CISCO).get(number - _MAKERS)
    return found or Element(VERSION_9, number, f"field{number}")


def scope_9(number: int) -> Element:
    """The element that a scope of NetFlow version 9 is (RFC 3954, 6.1)."""
    return _table(SCOPES_9).get(number) or Element(SCOPES_9, number, f"scope{number}")


def named(name: str) -> Element:
    """IANA's element of that name; KeyError if there is none."""
    return _names()[name]


@cache
def _names() -> dict[str, Element]:
    return {element.name: element for element in _table(0).values()}


def _reverse(forward: Element, enterprise: int, number: int) -> Element:
    name = f"reverse{forward.name[0].upper()}{forward.name[1:]}"
    return forward._replace(enterprise=enterprise, number=number, name=name)
