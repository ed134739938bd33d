# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts.services import LAYOUTS
from fleutan.protocols.sflow.layouts.xdr import octets


@pytest.mark.parametrize(
    ("tag", "sizes"),
    [
        (2106, [108, 100]),
        (2200, [144]),
        (2201, [60]),
        (2203, [40]),
        (2204, [140]),
        (2205, [92]),
        (2206, [20]),
    ],
)
def test_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in LAYOUTS if layout.tag == tag] == sizes
