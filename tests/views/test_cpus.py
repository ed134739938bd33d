# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.fields import BY_NAME
from fleutan.views import ENDS, View, cpus

LISTS = {name: value for name, value in vars(cpus).items() if name.isupper() and type(value) is tuple}
LISTS |= {f"section {table}": names for table, names in (*cpus.SECTIONS.items(), *cpus.LOAD_SECTIONS.items())}


@pytest.mark.parametrize("names", LISTS.values(), ids=LISTS)
def test_every_field_is_in_the_catalogue(names: tuple[str, ...]) -> None:
    assert [name for name in names if name not in BY_NAME] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("view", [cpus.VIEW, cpus.LOAD_VIEW, cpus.FLOWS], ids=["cpus", "load", "flows"])
def test_the_view_names_what_the_catalogue_knows(view: View) -> None:
    assert {*view.columns, *view.luxuries, *view.spare, *view.order} <= {*BY_NAME, *ENDS}
    assert {*view.luxuries, *view.spare} <= set(view.columns)


def test_what_is_left_out_is_shown_where_there_is_room() -> None:
    for name, spare in LISTS.items():
        if name.endswith("_SPARE"):
            assert set(spare) <= set(LISTS[name.removesuffix("_SPARE")])
