# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.fields import BY_NAME
from fleutan.views import ENDS, queues

LISTS = {
    **{name: getattr(queues, name) for name in ("QUEUES_SPARE", "QDISCS", "QDISCS_SPARE")},
    **{f"QUEUES {direction}": names for direction, names in queues.QUEUES.items()},
    **{f"SECTIONS {name}": names for name, names in queues.SECTIONS.items()},
    "UNCOUNTED": tuple(queues.UNCOUNTED.values()),
}


@pytest.mark.parametrize("names", LISTS.values(), ids=LISTS)
def test_every_field_is_in_the_catalogue(names: tuple[str, ...]) -> None:
    assert [name for name in names if name not in BY_NAME] == []
    assert len(set(names)) == len(names)


def test_the_view_names_what_the_catalogue_knows() -> None:
    view = queues.VIEW
    assert {*view.columns, *view.luxuries, *view.spare, *view.order} <= {*BY_NAME, *ENDS}
    assert {*view.luxuries, *view.spare} <= set(view.columns)


def test_what_is_left_out_is_shown_where_there_is_room() -> None:
    shown = {name for names in queues.QUEUES.values() for name in names}
    assert set(queues.QUEUES_SPARE) <= {*shown, *queues.UNCOUNTED.values()}
    assert set(queues.QDISCS_SPARE) <= set(queues.QDISCS)
    assert set(queues.UNCOUNTED) <= shown
