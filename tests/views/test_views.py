# SPDX-License-Identifier: Apache-2.0
"""Views say nothing that the catalogue does not know."""

from __future__ import annotations

import pytest

from fleutan.fields import BY_NAME
from fleutan.views import ENDS, View, flows, latency, limits, volume

VIEWS = [flows.VIEW, latency.VIEW, limits.VIEW, volume.VIEW]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_name_is_known(view: View) -> None:
    named = (*view.columns, *view.with_interval, *view.luxuries, *view.spare, *view.order)
    assert set(named) <= {*BY_NAME, *ENDS}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_what_may_go_is_shown_at_all(view: View) -> None:
    shown = {*view.columns, *view.with_interval, *volume.PRODUCTS}
    assert {*view.luxuries, *view.spare} <= shown
    assert not set(view.luxuries) & set(view.spare)
    assert len({*view.luxuries, *view.spare}) < len(shown)


def test_what_is_shown() -> None:
    assert flows.VIEW.shown(interval=False) == flows.VIEW.columns
    assert flows.VIEW.shown(interval=True) == flows.VIEW.with_interval
    assert latency.VIEW.shown(interval=True) == latency.VIEW.columns


def test_what_programs_get_is_known() -> None:
    fields = (*flows.MACHINE_FIELDS, *flows.INTERVAL_FIELDS, *flows.COMPUTED_FIELDS)
    assert set(fields) <= set(BY_NAME)
    assert len(set(fields)) == len(fields)
