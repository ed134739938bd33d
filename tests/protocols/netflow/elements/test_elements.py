# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.netflow.elements import (
    REVERSE,
    SCOPES_9,
    VERSION_9,
    Element,
    element,
    field_9,
    iana,
    named,
    scope_9,
    vendors,
)

TYPES = {
    *("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "mac", "ip4", "ip6"),
    *("text", "octets", "s", "ms", "us", "ns", "list", "sublist", "multilist"),
}
TABLES = (iana.ELEMENTS, vendors.VERSION_9, vendors.SCOPES_9, *vendors.ELEMENTS.values())


@pytest.mark.parametrize("table", TABLES)
def test_tables_name_each_number_once_in_order_with_a_type_that_is_read(table: str) -> None:
    rows = [line.split() for line in table.splitlines()]
    numbers = [int(row[0]) for row in rows]
    assert numbers == sorted(set(numbers))
    assert {row[2] for row in rows} <= TYPES
    assert {len(row) for row in rows} <= {3, 4, 5}


def test_iana_names_no_two_elements_alike() -> None:
    names = [line.split()[1] for line in iana.ELEMENTS.splitlines()]
    assert len(set(names)) == len(names)


# RFC 5102 5, RFC 5477 8, RFC 8158 5.
@pytest.mark.parametrize(
    ("number", "name", "kind"),
    [
        (1, "octetDeltaCount", "u64"),
        (8, "sourceIPv4Address", "ip4"),
        (27, "sourceIPv6Address", "ip6"),
        (56, "sourceMacAddress", "mac"),
        (150, "flowStartSeconds", "s"),
        (154, "flowStartMicroseconds", "us"),
        (230, "natEvent", "u8"),
        (291, "basicList", "list"),
        (311, "samplingProbability", "f64"),
        (315, "dataLinkFrameSection", "octets"),
    ],
)
def test_elements_of_iana(number: int, name: str, kind: str) -> None:
    assert element(0, number)[:4] == (0, number, name, kind)
    assert named(name) == element(0, number)


def test_semantics_and_unit_are_empty_where_the_registry_says_none() -> None:
    assert element(0, 1)[4:] == ("delta", "octets")
    assert element(0, 7)[4:] == ("id", "")
    assert element(0, 8)[4:] == ("", "")


def test_an_element_back_has_the_type_of_the_one_forth() -> None:
    assert element(REVERSE, 86) == Element(REVERSE, 86, "reversePacketTotalCount", "u64", "total", "packets")
    assert element(6871, 40).name == "flowAttributes"
    assert element(6871, 0x4000 | 40) == element(6871, 40)._replace(number=0x4000 | 40, name="reverseFlowAttributes")


def test_what_nobody_named_is_octets_with_a_name_of_its_own() -> None:
    assert element(0, 32000) == Element(0, 32000, "element32000", "octets")
    assert element(99, 5) == Element(99, 5, "enterprise99_5", "octets")
    assert element(REVERSE, 32000).name == "enterprise29305_32000"
    assert field_9(32000) == Element(VERSION_9, 32000, "field32000", "octets")
    assert scope_9(77) == Element(SCOPES_9, 77, "scope77", "octets")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (8, "sourceIPv4Address"),
        (33002, "firewallExtendedEvent"),  # Cisco ASA
        (40001, "postNATSourceIPv4Address"),  # Cisco ASA before 8.4
        (56701, "paloAltoAppId"),
        (57472 + 118, "l7Proto"),  # nProbe
        (0x8000 + 9268, "clientRetransPackets"),  # Cisco AVC
    ],
)
def test_version_9_has_numbers_of_makers_among_its_own(number: int, name: str) -> None:
    assert field_9(number).name == name


def test_scopes_of_version_9_count_for_themselves() -> None:
    assert [scope_9(number).name for number in range(1, 6)] == [
        *("scopeSystem", "scopeInterface", "scopeLineCard", "scopeCache", "scopeTemplate"),
    ]
