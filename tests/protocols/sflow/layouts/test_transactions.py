# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts.transactions import LAYOUTS
from fleutan.protocols.sflow.layouts.xdr import octets


@pytest.mark.parametrize(
    ("tag", "sizes"),
    [
        (2100, [20]),
        (2103, [44]),
        (2208, [92]),
        (2209, [48]),
        (2210, [16]),
    ],
)
def test_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in LAYOUTS if layout.tag == tag] == sizes
