# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts.packets import LAYOUTS
from fleutan.protocols.sflow.layouts.xdr import octets


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
        (4413 << 12 | 1, [4]),
    ],
)
def test_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in LAYOUTS if layout.tag == tag] == sizes
