# SPDX-License-Identifier: Apache-2.0
"""Dates as the C library has them, in its own locale."""

from __future__ import annotations

import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleutan.exports.como.dates import asctime, fixed_point, microseconds, stamp

PARIS = ZoneInfo("Europe/Paris")
AT = 1_253_211_900_154_005_999
SECONDS = st.integers(0, 2**33)


def test_the_examples_of_metroflux() -> None:
    assert asctime(AT, PARIS) == "Thu Sep 17 20:25:00 2009"
    assert stamp(1_253_211_598) == "Sep 17 2009 18:19:58"
    assert microseconds(AT) == (1_253_211_900, 154_005)


@given(SECONDS)
@example(1_254_355_200)
def test_dates_are_those_of_the_c_library(second: int) -> None:
    at = time.gmtime(second)
    assert asctime(second * 10**9, ZoneInfo("UTC")) == time.asctime(at)
    assert stamp(second) == time.strftime("%b %e %Y %H:%M:%S", at)


def test_without_a_zone_it_is_that_of_the_system() -> None:
    assert asctime(AT, None) == time.asctime(time.localtime(AT // 10**9))


@given(st.integers(0, 2**32 * 10**9 - 1))
def test_fixed_point_holds_the_time_to_a_nanosecond(at_ns: int) -> None:
    found = fixed_point(at_ns)
    assert found >> 32 == at_ns // 10**9
    assert found * 10**9 / 2**32 == pytest.approx(at_ns, abs=1, rel=1e-15)
