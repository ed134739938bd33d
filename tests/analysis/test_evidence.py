# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.evidence import names, quantity, sentences


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "us", "0 us"),
        (850, "us", "850 us"),
        (1500, "us", "1.5 ms"),
        (12_345, "us", "12.3 ms"),
        (2_000_000, "us", "2 s"),
        (90e6, "us", "1.5 min"),
        (7.2e9, "us", "2 h"),
        (8.64e10 * 123.4, "us", "123 d"),
        (1500, "ms", "1.5 s"),
        (999, "bytes", "999 bytes"),
        (65_536, "bytes", "65.5 kB"),
        (3_100_000, "bytes", "3.1 MB"),
        (20e6, "bps", "20 Mbps"),
        (4e13, "bps", "40 Tbps"),
        (0.63, "share", "63 %"),
        (0.012, "share", "1.2 %"),
        (0.0004, "share", "0.04 %"),
        (0, "share", "0 %"),
        (1, "share", "100 %"),
        (12_345, "segments", "12345"),
        (3, "", "3"),
        (float("nan"), "bytes", "?"),
        (float("nan"), "", "?"),
    ],
)
def test_quantities(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_the_figures_of_a_template() -> None:
    assert names("{rtt} over {min_rtt}, and {rtt} again") == ("rtt", "min_rtt")
    assert names("nothing") == ()


def test_each_distinct_sentence_is_made_once() -> None:
    figures = {"rtt": np.array([12_340.0, 12_341, 99, np.nan, 99]), "cwnd": np.array([1.0, 1, 2, 2, 2])}
    codes, texts = sentences("{cwnd} at {rtt}", figures, {"rtt": "us", "cwnd": "segments"})
    assert [texts[code] for code in codes] == ["1 at 12.3 ms", "1 at 12.3 ms", "2 at 99 us", "2 at ?", "2 at 99 us"]
    assert len(texts) == 3


@given(
    st.lists(
        st.tuples(
            *(
                st.one_of(st.just(float("nan")), st.floats(1e-3, 1e15), st.integers(0, 2000).map(float))
                for _ in range(3)
            )
        )
    )
)
def test_against_a_loop(rows: list[tuple[float, float, float]]) -> None:
    units = {"a": "bytes", "b": "share", "c": ""}
    columns = {name: np.array([row[place] for row in rows], float) for place, name in enumerate(units)}
    codes, texts = sentences("{a}|{b}|{c}", columns, units)
    assert len(texts) == len({texts[code] for code in codes})
    for code, row in zip(codes, rows, strict=True):
        for shown, (value, unit) in zip(texts[code].split("|"), zip(row, units.values(), strict=True), strict=True):
            if np.isnan(value):
                assert shown == "?"
            else:
                number, _, name = shown.partition(" ")
                size = {"": 1, "bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "%": 0.01}[name]
                assert float(number) * size == pytest.approx(
                    value, rel=0.051 if unit == "share" else 0.0051, abs=0.5 if not unit else 1e-300
                )
