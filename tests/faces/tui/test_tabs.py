# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.faces.tui.tabs import COUNT, DETAILS, FIELDS, TABS, TREND
from fleutan.fields import BY_NAME
from fleutan.views import ENDS


def test_tabs_have_the_numbers_of_their_keys() -> None:
    assert [tab.number for tab in TABS] == [*range(1, 10), 0]


def test_all_that_tabs_show_is_asked_for() -> None:
    for tab in (tab for tab in TABS if tab.kind == "flows"):
        for name in (*tab.columns, *tab.members, *filter(None, [tab.by])):
            fields = () if name in (COUNT, TREND) else ENDS.get(name, (name,))
            assert set(fields) <= set(FIELDS), (tab.title, name)


def test_what_may_go_is_there() -> None:
    for tab in TABS:
        assert set(tab.spare) <= set(tab.columns), tab.title
        assert tab.by in ("", *tab.columns[:1]), tab.title
        assert set(tab.first) <= set(tab.columns), tab.title


def test_tables_of_other_kinds_show_fields() -> None:
    for tab in (tab for tab in TABS if tab.kind != "flows"):
        assert {field for name in tab.columns for field in ENDS.get(name, (name,))} <= set(BY_NAME), tab.title


def test_fields_are_of_the_catalogue() -> None:
    assert {*FIELDS, *DETAILS} <= set(BY_NAME)
    assert len({*FIELDS, *DETAILS}) == len(FIELDS) + len(DETAILS)
