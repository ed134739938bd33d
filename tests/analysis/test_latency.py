# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.latency import MOST_BINS, Bins, Kind, distribution, extremes
from fleutan.errors import UsageError

TIMES = st.lists(st.one_of(st.integers(0, 300), st.integers(0, 2**40), st.integers(2_000, 2_050)), min_size=1)
KINDS = st.sampled_from(["log", "quantile", "linear"])


@given(TIMES, KINDS, st.integers(0, 40))
def test_every_flow_is_counted_in_its_bin(times: list[int], kind: Kind, most: int) -> None:
    found = distribution(np.array(times), Bins(kind, most))
    edges = found.edges.tolist()
    assert found.flows == len(times)
    assert len(found.counts) == len(edges) - 1 <= (most or 12)
    assert edges == sorted(edges)
    assert edges[0] <= min(times) <= max(times) <= edges[-1]
    for place, count in enumerate(found.counts.tolist()):
        last = place == len(edges) - 2
        inside = [time for time in times if edges[place] <= time and (time < edges[place + 1] or last)]
        assert len(inside) == count


@given(TIMES, KINDS, st.integers(0, 40))
def test_no_bin_at_the_ends_is_empty_and_edges_are_distinct(times: list[int], kind: Kind, most: int) -> None:
    found = distribution(np.array(times), Bins(kind, most))
    assert found.counts[0] > 0
    assert found.counts[-1] > 0
    if min(times) < max(times):
        assert (np.diff(found.edges) > 0).all()


@given(TIMES)
def test_quantiles_are_those_of_the_nearest_rank(times: list[int]) -> None:
    ordered = sorted(times)
    quantiles = distribution(np.array(times)).quantiles
    assert list(quantiles) == ["min", "p50", "p90", "p99", "max"]
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert quantiles[name] == ordered[math.ceil(round(share * len(ordered), 9)) - 1]
    assert (quantiles["min"], quantiles["max"]) == (ordered[0], ordered[-1])


@given(st.lists(st.integers(0, 10**6), min_size=40, unique=True), st.integers(2, 20))
def test_quantile_bins_hold_about_as_many(times: list[int], most: int) -> None:
    counts = distribution(np.array(times), Bins("quantile", most)).counts
    assert len(counts) == most
    assert counts.max() - counts.min() <= 2


@pytest.mark.parametrize(
    ("times", "bins", "edges"),
    [
        ([317], "log", [317, 317]),
        ([0, 0, 0], "linear", [0, 0]),
        ([250, 250], "quantile", [250, 250]),
        ([15, 900] * 10, "log:4", [10, 30, 100, 300, 1000]),
        ([15, 900] * 10, "log:2", [10, 100, 1000]),
        ([15, 90_000_000] * 10, "log:2", [10, 100_000, 10**9]),
        ([0, 15, 900], "log:5", [0, 10, 30, 100, 300, 1000]),
        ([0, 3, 9], "log:1", [0, 10]),
        ([0, 3, 9], "log:2", [0, 1, 10]),
        ([0, 500, 500], "log", [0, 500, 501]),
        ([0, 500, 900] * 100, "log:3", [0, 500, 700, 1000]),
        ([28_000, 28_018] * 50, "log:4", [28_000, 28_005, 28_010, 28_015, 28_020]),
        ([28_843, 48_369] * 50, "linear:4", [20_000, 30_000, 40_000, 50_000]),
        ([1, 2, 3, 4], "quantile:2", [1, 2, 4]),
        ([1, 1, 1, 4], "quantile:3", [1, 4]),
    ],
)
def test_edges(times: list[int], bins: str, edges: list[int]) -> None:
    assert distribution(np.array(times), Bins.parse(bins)).edges.tolist() == edges


def test_round_edges_over_several_decades() -> None:
    found = distribution(np.array([30, 90, 700, 20_000, 150_000] * 30))
    assert found.edges.tolist() == [step * 10**power for power in range(1, 6) for step in (1, 2, 5)][1:-1]
    assert found.counts.tolist() == [30, 30, 0, 0, 30, 0, 0, 0, 0, 30, 0, 30]


def test_few_flows_get_few_bins() -> None:
    assert len(distribution(np.array([100, 900])).counts) <= 3
    assert len(distribution(np.geomspace(100, 10**5, 1000).astype(int)).counts) == 9


def test_masked_times_are_left_out() -> None:
    times = np.ma.masked_array([5, 6, 7], [False, True, False])
    assert distribution(times).quantiles["p50"] == 5
    assert distribution(times).flows == 2


def test_no_flow() -> None:
    found = distribution(np.zeros(0, np.int64))
    assert found.flows == 0
    assert found.summary() == {"flows": 0, "bins": []}


def test_the_summary() -> None:
    assert distribution(np.array([10, 40, 40]), Bins("linear", 3)).summary() == {
        "flows": 3,
        "rtt_us_min": 10,
        "rtt_us_p50": 40,
        "rtt_us_p90": 40,
        "rtt_us_p99": 40,
        "rtt_us_max": 40,
        "bins": [
            {"from_us": 10, "to_us": 20, "flows": 1},
            {"from_us": 20, "to_us": 30, "flows": 0},
            {"from_us": 30, "to_us": 40, "flows": 2},
        ],
    }


def test_bins_are_parsed() -> None:
    assert Bins.parse("log") == Bins("log", 0)
    assert Bins.parse("linear:7") == Bins("linear", 7)
    assert Bins.parse("quantile") == Bins("quantile")


@pytest.mark.parametrize(
    "text", ["", "cube", "log:", "log:0", "log:x", "log:-1", f"log:{MOST_BINS + 1}", "log:1:2", "log:²"]
)
def test_bins_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="log, quantile or linear"):
        Bins.parse(text)


@given(st.integers(0, 5000), st.integers(0, 60))
def test_extremes_show_both_ends(count: int, most: int) -> None:
    shown = extremes(count, most)
    assert len(shown.low) + len(shown.high) == min(count, most)
    assert len(shown.low) + shown.folded + len(shown.high) == count
    assert [*shown.low, *range(len(shown.low), shown.high.start), *shown.high] == list(range(count))
