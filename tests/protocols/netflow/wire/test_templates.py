# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.making import PLAIN, options_9, options_10, specifiers, template

from fleutan.protocols.netflow.elements import element, scope_9
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.templates import (
    FIELDS,
    VARIABLE,
    Field,
    Template,
    layout,
    places,
    read_set,
    written,
)

PLAIN_9 = Template(9, False, 0, specifiers(*PLAIN))


def test_templates_of_version_9_follow_each_other_up_to_the_padding() -> None:
    content = template(256, *PLAIN) + template(257, (4, 1), (7, 4)) + b"\0\0"
    assert list(read_set(content, 9, False)) == [
        (256, PLAIN_9),
        (257, Template(9, False, 0, specifiers((4, 1), (7, 4)))),
    ]


def test_options_of_version_9_count_octets_and_have_scopes_first() -> None:
    ((number, found),) = read_set(options_9(300, ((1, 4),), (34, 4), (35, 1)) + b"\0\0", 9, True)
    assert (number, found) == (300, Template(9, True, 1, specifiers((1, 4), (34, 4), (35, 1))))
    assert isinstance(found, Template)
    assert layout(found).fields[:2] == (Field(scope_9(1), 4, True), Field(element(0, 34), 4, False))


def test_options_of_ipfix_count_fields_and_have_scopes_first() -> None:
    ((number, found),) = read_set(options_10(300, 1, (149, 4), (34, 4), (1, 8, 6871)), 10, True)
    assert isinstance(found, Template)
    assert (number, found.scopes) == (300, 1)
    assert [(field.element.enterprise, field.element.number, field.scope) for field in layout(found).fields] == [
        *((0, 149, True), (0, 34, False), (6871, 1, False)),
    ]


def test_enterprises_make_specifiers_longer() -> None:
    content = template(256, (1, 8, 29305), (8, 4)) + template(257, *PLAIN)
    (_, one), (_, other) = read_set(content, 10, False)
    assert one == Template(10, False, 0, specifiers((1, 8, 29305), (8, 4)))
    assert isinstance(one, Template)
    assert [field.element.name for field in layout(one).fields] == ["reverseOctetDeltaCount", "sourceIPv4Address"]
    assert other == Template(10, False, 0, specifiers(*PLAIN))


@pytest.mark.parametrize("options", [False, True])
def test_withdrawals_of_one_and_of_all(options: bool) -> None:
    assert list(read_set(struct.pack("!HH", 300, 0), 10, options)) == [(300, None)]
    assert list(read_set(struct.pack("!HH", 2 + options, 0), 10, options)) == [(0, None)]


@pytest.mark.parametrize(
    ("content", "version", "options", "reason"),
    [
        (template(256, *PLAIN)[:-1], 9, False, rejects.TEMPLATE),
        (template(256, *PLAIN)[:-1], 10, False, rejects.TEMPLATE),
        (template(256, (1, 4, 9))[:-1], 10, False, rejects.TEMPLATE),
        (template(256, (1, 4, 9))[:-5], 10, False, rejects.TEMPLATE),
        (options_9(256, ((1, 4),), (34, 4))[:-1], 9, True, rejects.TEMPLATE),
        (b"\x01\x00\x00\x04\x00", 9, True, rejects.TEMPLATE),
        (struct.pack("!HHH", 256, 3, 4) + bytes(7), 9, True, rejects.TEMPLATE),
        (struct.pack("!HH", 256, 1) + b"\0", 10, True, rejects.TEMPLATE),
        (options_10(256, 2, (34, 4)), 10, True, rejects.TEMPLATE),
        (template(255, *PLAIN), 9, False, rejects.NUMBER),
        (template(7, *PLAIN), 10, False, rejects.NUMBER),
        (struct.pack("!HH", 256, 0), 9, False, rejects.EMPTY),
        (template(256, (4, 1), (5, 1), (61, 1)), 9, False, rejects.SHORT),
        (template(256, (8, 0)), 9, False, rejects.SHORT),
        (template(256, (94, 60000), (96, 6000)), 10, False, rejects.LONG),
        (template(256, *[(8, 4)] * (FIELDS + 1)), 9, False, rejects.FIELDS),
        (template(256, *[(8, 4, 9)] * (2 * FIELDS)), 10, False, rejects.FIELDS),
    ],
)
def test_what_is_no_template_is_said_by_name(content: bytes, version: int, options: bool, reason: str) -> None:
    assert [read for _, read in read_set(content, version, options)] == [reason]


def test_records_of_lengths_of_their_own_may_be_short() -> None:
    ((_, found),) = read_set(template(256, (96, VARIABLE)), 10, False)
    assert isinstance(found, Template)
    assert layout(found).size == 1
    assert layout(found).dtype is None


def test_fields_of_all_sizes_lie_one_behind_the_other() -> None:
    sizes = (1, 2, 3, 4, 6, 8, 16, 0, 20)
    found = layout(Template(9, False, 0, specifiers(*((1, size) for size in sizes))))
    assert found.dtype is not None
    assert found.dtype.itemsize == found.size == sum(sizes)
    assert found.dtype.names == tuple(str(place) for place, size in enumerate(sizes) if size)


def test_an_element_stands_where_it_first_has_octets() -> None:
    found = layout(Template(9, False, 0, specifiers((8, 0), (1, 4), (8, 4), (8, 4))))
    assert places(found.fields) == {"octetDeltaCount": 1, "sourceIPv4Address": 2}


@given(st.binary(max_size=60), st.sampled_from([9, 10]), st.booleans())
def test_any_octets_are_read_to_an_end(content: bytes, version: int, options: bool) -> None:
    for number, found in read_set(content, version, options):
        assert 0 <= number < 1 << 16
        assert found is None or found in rejects.REASONS or isinstance(found, Template)
        if isinstance(found, Template):
            assert layout(found).fields


FIELD = st.tuples(st.integers(1, 400), st.integers(4, 8))


@given(st.sampled_from([9, 10]), st.booleans(), st.lists(FIELD, min_size=2, max_size=5))
def test_templates_are_written_as_they_are_read(version: int, options: bool, fields: list[tuple[int, int]]) -> None:
    one = Template(version, options, 1 if options else 0, specifiers(*fields))
    assert list(read_set(written(300, one), version, options)) == [(300, one)]
