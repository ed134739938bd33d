# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.protocols.sflow.layouts.hosts import LAYOUTS
from fleutan.protocols.sflow.layouts.xdr import octets


@pytest.mark.parametrize(
    ("tag", "sizes"),
    [
        (2002, [8]),
        (2003, [80, 68]),
        (2004, [72]),
        (2005, [52]),
        (2006, [40]),
        (2007, [76]),
        (2008, [100]),
        (2009, [60]),
        (2010, [28]),
        (2100, [28]),
        (2101, [12]),
        (2102, [16]),
        (2103, [52]),
        (2104, [40]),
        (5703 << 12 | 1, [48]),
    ],
)
def test_structures_are_as_long_as_agents_send_them(tag: int, sizes: list[int]) -> None:
    assert [octets(layout.fields) for layout in LAYOUTS if layout.tag == tag] == sizes
