# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.packet import layouts
from fleutan.protocols.packet.layouts import Layout, Member
from fleutan.protocols.packet.names import NAMES

LAYOUTS = [value for value in vars(layouts).values() if isinstance(value, Layout)] + list(layouts.TAGS)


def test_a_member_needs_the_octets_that_its_bits_are_in() -> None:
    assert [Member("x", first, bits).end for first, bits in ((0, 4), (4, 12), (51, 13), (96, 32))] == [1, 2, 8, 16]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_members_lie_within_their_header_and_become_known_columns(layout: Layout) -> None:
    names = [member.name for member in layout.members]
    assert len(set(names)) == len(names)
    assert {name for name, _ in layout.expected} <= set(names)
    for member in layout.members:
        assert member.end <= layout.size
        assert member.name.startswith("_") or member.name in NAMES
        assert member.bits <= 48 or member.address
