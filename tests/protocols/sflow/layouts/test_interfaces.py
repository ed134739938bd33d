# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts.interfaces import LAYOUTS
from fleutan.protocols.sflow.layouts.xdr import octets


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
        (2207, [24]),
        (4413 << 12 | 1, [8]),
        (4413 << 12 | 3, [144]),
    ],
)
def test_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in LAYOUTS if layout.tag == tag] == sizes
