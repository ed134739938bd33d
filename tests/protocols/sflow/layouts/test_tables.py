# SPDX-License-Identifier: Apache-2.0
"""The tables of all themes together, against lengths that specifications and decoders print."""

from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts import COUNTER_FORMS, COUNTERS, FLOW_FORMS, FLOWS, SAMPLES
from fleutan.protocols.sflow.layouts.xdr import Layout, octets


@pytest.mark.parametrize(
    ("tag", "sizes"),
    [
        (2, [24]),
        (3, [32]),
        (4, [56]),
        (1001, [16]),
        (1020, [8]),
        (1021, [24]),
        (1026, [56]),
        (1031, [40]),
        (1032, [48]),
        (1043, [8]),
        (2100, [20]),
        (2103, [44]),
        (2208, [92]),
        (2209, [48]),
        (2210, [16]),
        (4413 << 12 | 1, [4]),
    ],
)
def test_flow_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in FLOW_FORMS[tag]] == sizes


@pytest.mark.parametrize(
    ("tag", "sizes"),
    [
        (1, [88]),
        (2, [52]),
        (3, [72]),
        (4, [80]),
        (5, [28]),
        (6, [80]),
        (7, [56]),
        (11, [20]),
        (1001, [28]),
        (1002, [12]),
        (1004, [12]),
        (2002, [8]),
        (2003, [80, 68]),
        (2004, [72]),
        (2005, [52]),
        (2006, [40]),
        (2007, [76]),
        (2008, [100]),
        (2009, [60]),
        (2010, [28]),
        (2100, [28]),
        (2101, [12]),
        (2102, [16]),
        (2103, [52]),
        (2104, [40]),
        (2106, [108, 100]),
        (2200, [144]),
        (2201, [60]),
        (2203, [40]),
        (2204, [140]),
        (2205, [92]),
        (2206, [20]),
        (2207, [24]),
        (4413 << 12 | 1, [8]),
        (4413 << 12 | 3, [144]),
        (5703 << 12 | 1, [48]),
    ],
)
def test_counter_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in COUNTER_FORMS[tag]] == sizes


@pytest.mark.parametrize("layout", [*FLOWS, *COUNTERS, *SAMPLES], ids=lambda layout: f"{layout.tag}-{layout.name}")
def test_names_are_given_once(layout: Layout) -> None:
    assert len(set(layout.names)) == len(layout.names)
    assert all(name.isidentifier() or name[0].isdigit() for name in layout.names)


@pytest.mark.parametrize("forms", [FLOW_FORMS, COUNTER_FORMS])
def test_forms_of_one_number_have_one_name_and_different_fields(forms: dict[int, tuple[Layout, ...]]) -> None:
    for layouts in forms.values():
        assert len({layout.name for layout in layouts}) == 1
        assert len({layout.names for layout in layouts}) == len(layouts)
    assert any(len(layouts) > 1 for layouts in forms.values())


def test_nothing_is_lost_between_the_tables_and_the_forms() -> None:
    assert sorted(map(id, FLOWS)) == sorted(id(layout) for forms in FLOW_FORMS.values() for layout in forms)
    assert sorted(map(id, COUNTERS)) == sorted(id(layout) for forms in COUNTER_FORMS.values() for layout in forms)
    assert [layout.tag for layout in SAMPLES] == [1, 2, 3, 4, 5, 4300 << 12 | 1002, 4300 << 12 | 1003]
