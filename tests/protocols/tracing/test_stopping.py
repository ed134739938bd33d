# SPDX-License-Identifier: Apache-2.0
"""How many flow ids are enough: the figures of the papers, and what chance does."""

from __future__ import annotations

from math import comb, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.tracing.stopping import enough, missing, repeats


def test_the_rule_is_that_of_mda() -> None:
    assert [enough(routers, 0.95) for routers in range(2, 9)] == [6, 11, 16, 21, 27, 33, 38]
    assert [enough(routers, 0.99) for routers in range(2, 6)] == [8, 15, 21, 28]
    assert missing(5, 2) == 0.0625
    assert missing(5, 1) == 0
    assert [repeats(routers, 0.95) for routers in (2, 3, 4, 16)] == [5, 3, 3, 2]


@given(st.integers(1, 7), st.integers(1, 12))
def test_the_chance_is_that_of_collecting_all(routers: int, probes: int) -> None:
    """Onto maps of so many probes to so many routers (Stirling numbers of the second kind)."""
    onto = sum((-1) ** left * comb(routers, left) * (routers - left) ** probes for left in range(routers + 1))
    assert missing(probes, routers) == pytest.approx(1 - onto / routers**probes, abs=1e-9)
    if probes == routers:
        assert onto == factorial(routers)


@given(st.integers(2, 40), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.9999]))
def test_it_is_the_least_number_that_is_enough(routers: int, confidence: float) -> None:
    probes = enough(routers, confidence)
    assert missing(probes, routers) <= 1 - confidence < missing(probes - 1, routers)
    assert (1 / routers) ** repeats(routers, confidence) <= (1 - confidence) * (1 + 1e-6)
