# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.lakes import AT, HOUR, MINUTE, SECOND

from fleutan.past.request import FINE, MIDDLE, Request


@pytest.mark.parametrize(
    ("length", "fitting"),
    [(1, SECOND), (FINE, SECOND), (FINE + 1, MINUTE), (MIDDLE, MINUTE), (MIDDLE + 1, HOUR), (1 << 62, HOUR)],
)
def test_an_interval_suits_the_window(length: int, fitting: int) -> None:
    assert Request("traffic", AT, AT + length).fitting_ns == fitting
    assert Request("traffic", AT, AT + length, granularity=3).fitting_ns == 3 * fitting
    assert Request("traffic", AT, AT + length, interval_ns=7, granularity=3).fitting_ns == 21
