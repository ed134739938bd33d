# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.faces.tui.rounds import NO_COST, Cost, Round
from fleutan.table import Table


def test_a_round_needs_flows_only() -> None:
    found = Round(Table("flows", {}))
    assert (found.open, found.detail, dict(found.others), found.cost, found.filter) == (None, None, {}, NO_COST, "")
    assert Cost(0.5).bpf_ns is None
