# SPDX-License-Identifier: Apache-2.0
"""The tables of all themes together."""

from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts import COUNTER_FORMS, COUNTERS, FLOW_FORMS, FLOWS, SAMPLES
from fleutan.protocols.sflow.layouts.xdr import Layout


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
