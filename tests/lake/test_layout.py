# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.lake import layout
from fleutan.lake.layout import HOUR

ROOT = Path("/lake")
AT = 1_800_000_000_000_000_000


def test_a_stem_says_who_since_when_and_which() -> None:
    assert layout.stem("web1", "record", 255, 7) == "web1-record-ff-000007"


@pytest.mark.parametrize(
    ("node", "safe"),
    [("a-b.example", "a_b_example"), ("", "_"), ("…", "_"), ("../../etc", "_etc"), ("n" * 300, "n" * 64)],
)
def test_a_node_of_any_name_makes_a_files_name(node: str, safe: str) -> None:
    assert layout.stem(node, "record", 1, 1) == f"{safe}-record-1-000001"


@given(st.text(), st.text(min_size=1), st.integers(0, 1 << 63), st.integers(0, 10**7), st.sampled_from(["a", "flows"]))
def test_a_tail_says_its_stem_and_kind(node: str, name: str, start_ns: int, number: int, kind: str) -> None:
    of = layout.stem(node, name, start_ns, number)
    path = layout.tail(ROOT, of, kind)
    assert path.parent == ROOT / ".open"
    assert layout.tail_names(path.name) == (of, kind)
    assert layout.tail_names(path.name + layout.NEW) is None


@pytest.mark.parametrize("name", ["keeper.lock", "spill", ".arrow", "a.arrow", "a.flows.parquet", ""])
def test_other_files_are_no_tails(name: str) -> None:
    assert layout.tail_names(name) is None


@given(st.integers(-(1 << 63) // HOUR + 1, (1 << 63) // HOUR - 1))
def test_an_hour_has_one_directory_which_says_it(number: int) -> None:
    where = layout.directory(ROOT, "flows", number * HOUR)
    assert where.parent.parent == ROOT / "flows"
    assert layout.hour_ns(where.parent.name, where.name) == number * HOUR


def test_directories_are_named_as_engines_read_them() -> None:
    assert layout.directory(ROOT, "flows", AT) == ROOT / "flows/date=2027-01-15/hour=08"
    assert (
        layout.hidden(ROOT, "a-b-1-000001", AT, "flows") == ROOT / "flows/date=2027-01-15/hour=08/.a-b-1-000001.parquet"
    )


@pytest.mark.parametrize(("date", "hour"), [("date=2027-01-15", "hour=24"), ("lost+found", "hour=00"), ("date=", "")])
def test_other_directories_are_no_hours(date: str, hour: str) -> None:
    assert layout.hour_ns(date, hour) is None
