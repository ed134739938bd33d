# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.stack import stacked
from fleutan.column import Column, text_column
from fleutan.table import Reading, Table


def flows(words: list[str | None], reading: Reading = Reading()) -> Table:  # noqa: B008 (a value)
    count = len(words)
    return Table(
        "flows",
        {
            "proc": text_column(words),
            "rtt": Column(np.arange(count), np.arange(count) % 2 == 0),
            "sport": Column(np.arange(count)),
            "src": Column(np.arange(2 * count).reshape(-1, 2)),
        },
        reading,
    )


@given(st.lists(st.sampled_from(["a", "b", "c", None])), st.lists(st.sampled_from(["c", "d", None])))
def test_rows_follow_rows(first: list[str | None], second: list[str | None]) -> None:
    one, other = flows(first, Reading("one")), flows(second, Reading("other"))
    both = stacked(one, other)
    assert list(both.rows()) == [*one.rows(), *other.rows()]
    assert both.reading.host == "one"


def test_equal_words_are_shared() -> None:
    both = stacked(flows(["a", "b"]), flows(["a", "b"]))
    assert both.column("proc").words == ("a", "b")


def test_words_that_are_alike_keep_their_places() -> None:
    """Octets are not told apart: each row has its own, also where another has the same."""
    octets = [Table("trace", {"header": Column(np.arange(len(words), dtype=np.int32), None, words)})
              for words in ((b"", b"", b"x"), (b"y", b"", b"y"))]  # fmt: skip
    assert stacked(*octets).column("header").objects() == [b"", b"", b"x", b"y", b"", b"y"]


def test_what_the_second_lacks_is_unknown_and_what_the_first_lacks_is_left_out() -> None:
    second = flows(["z"]).select(["sport"]).with_columns({"cookie": Column(np.array([4]))})
    both = stacked(flows(["a"]), second)
    assert list(both.rows())[1] == {"proc": None, "rtt_us": None, "sport": 0, "src": None}


def test_known_everywhere_stays_known_everywhere() -> None:
    assert stacked(flows(["a"]), flows(["b"])).column("sport").known is None


def owned(owners: list[int], holders: list[tuple[int, int]]) -> Table:
    relation = Table(
        "owners",
        {
            "owner": Column(np.array([owner for owner, _ in holders], np.int64)),
            "pid": Column(np.array([pid for _, pid in holders], np.int64)),
        },
    )
    known = np.array([owner >= 0 for owner in owners], np.bool_)
    return Table("flows", {"owner": Column(np.array(owners, np.int64), known)}, related={"owners": relation})


def test_owners_are_numbered_anew() -> None:
    both = stacked(owned([0, 1, -1], [(0, 100), (1, 101), (1, 102)]), owned([1, 0], [(0, 7), (1, 8), (2, 9)]))
    owner, relation = both.column("owner").objects(), list(both.related["owners"].rows())
    pids = [{row["pid"] for row in relation if row["owner"] == number} for number in owner]
    assert pids == [{100}, {101, 102}, set(), {8}, {7}]
    assert len(relation) == 5, "an owner that no row names is left out"


def test_owners_of_one_side_only_are_kept_as_they_are() -> None:
    first, second = owned([0], [(0, 100)]), owned([0], [])
    assert stacked(first, Table("flows", second.columns)).column("owner").objects() == [0, 0]
    assert stacked(first, second).column("owner").objects() == [0, 1]
