# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fleutan.arrow import ArrowTable
from fleutan.lake.backlog import Account, Backlog, Limits
from fleutan.lake.storage import Stored

NONE = ArrowTable({})


def rows(count: int, octets: int = 10, mark: str = "") -> Stored:
    return Stored(NONE, {"mark": mark}, count, octets)


def marks(batches: list[Stored]) -> list[str]:
    return [batch.select["mark"] for batch in batches]


def test_rows_are_due_some_time_after_the_first_of_them() -> None:
    backlog = Backlog(Limits(flush_ns=5))
    backlog.add("flows", rows(1, mark="a"), 10)
    backlog.add("flows", rows(1, mark="b"), 14)
    backlog.add("drops", rows(1, mark="c"), 14)
    assert backlog.due(14) == {}
    assert [marks(batches) for batches in backlog.due(15).values()] == [["a", "b"]]
    assert backlog.due(18) == {}
    assert list(backlog.due(19)) == ["drops"]


def test_rows_that_came_before_any_tick_are_due_some_time_after_the_first() -> None:
    backlog = Backlog(Limits(flush_ns=5))
    backlog.add("flows", rows(1), None)
    assert backlog.due(None) == {}
    backlog.tick(100)
    assert backlog.due(104) == {}
    assert list(backlog.due(105)) == ["flows"]


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    backlog = Backlog(Limits(flush_ns=5))
    backlog.add("flows", rows(1), 1000)
    backlog.tick(10)
    assert backlog.due(14) == {}
    assert list(backlog.due(15)) == ["flows"]


def test_many_rows_are_due_at_once_and_so_is_much_of_what_may_wait() -> None:
    for limits in (Limits(many=3), Limits(waiting_octets=80)):
        backlog = Backlog(limits)
        backlog.add("flows", rows(2), 1)
        assert (backlog.is_much, backlog.due(1)) == (False, {})
        backlog.add("flows", rows(1), 1)
        assert backlog.is_much
        assert list(backlog.due(None)) == ["flows"]
        assert not backlog.is_much


def test_all_is_taken_out_at_the_end() -> None:
    backlog = Backlog(Limits())
    backlog.add("flows", rows(1), 1)
    backlog.add("drops", rows(1), 1)
    backlog.due(0)
    assert list(backlog.everything()) == ["flows", "drops"]
    assert backlog.everything() == {}


def test_what_is_taken_out_waits_until_it_is_written() -> None:
    backlog = Backlog(Limits(flush_ns=0))
    backlog.add("flows", rows(3), 1)
    batches = backlog.due(1)["flows"]
    assert backlog.account == Account(rows=3, waiting_octets=10)
    backlog.written(batches, is_sealed=False)
    assert backlog.account == Account(rows=3, flushed=3)
    backlog.sealed(2, lost=1)
    assert backlog.account == Account(rows=3, flushed=3, sealed=2, lost=1)
    backlog.add("flows", rows(4), 1)
    backlog.written(backlog.due(1)["flows"], is_sealed=True)
    assert backlog.account == Account(rows=7, flushed=7, sealed=6, lost=1)


def test_what_was_refused_comes_before_what_came_later_and_is_due_at_once() -> None:
    backlog = Backlog(Limits(flush_ns=5))
    for mark in "ab":
        backlog.add("flows", rows(1, mark=mark), 1)
    batches = backlog.due(6)["flows"]
    backlog.add("flows", rows(1, mark="c"), 6)
    backlog.back("flows", batches)
    assert marks(backlog.due(6)["flows"]) == ["a", "b", "c"]
    assert backlog.account == Account(rows=3, waiting_octets=30)


def test_the_oldest_is_lost_of_the_kind_that_has_most() -> None:
    backlog = Backlog(Limits(waiting_octets=100))
    backlog.add("drops", rows(1, 30, "d"), 1)
    for mark in "abc":
        backlog.add("flows", rows(2, 30, mark), 1)
    assert backlog.account == Account(rows=7, lost=2, waiting_octets=90)
    taken = backlog.everything()
    assert {kind: marks(batches) for kind, batches in taken.items()} == {"drops": ["d"], "flows": ["b", "c"]}


def test_what_was_refused_is_lost_where_too_much_came_meanwhile() -> None:
    backlog = Backlog(Limits(waiting_octets=100))
    backlog.add("flows", rows(1, 60, "a"), 1)
    taken = backlog.everything()
    for mark in "bc":
        backlog.add("flows", rows(1, 60, mark), 1)
    assert backlog.account == Account(rows=3, lost=1, waiting_octets=120)
    backlog.back("flows", taken["flows"])
    assert marks(backlog.everything()["flows"]) == ["c"]
    assert backlog.account == Account(rows=3, lost=2, waiting_octets=60)


def test_one_batch_is_kept_however_large_it_is() -> None:
    backlog = Backlog(Limits(waiting_octets=100))
    backlog.add("flows", rows(1, 1000), 1)
    assert backlog.account == Account(rows=1, waiting_octets=1000)


def test_what_is_given_up_is_lost() -> None:
    backlog = Backlog(Limits())
    for kind in ("flows", "flows", "drops"):
        backlog.add(kind, rows(2), 1)
    backlog.give_up()
    assert backlog.account == Account(rows=6, lost=6)


def test_trouble_is_told_until_that_very_thing_goes_well() -> None:
    backlog = Backlog(Limits())
    backlog.failed("flows", "written to", "/lake", OSError(28, "No space left on device"))
    backlog.failed("flows", "sealed in", "/lake", RuntimeError("IO Error: no room\nand more"))
    assert backlog.account.trouble == "flows cannot be written to /lake: No space left on device"
    backlog.well("drops", "written to")
    assert backlog.account.trouble
    backlog.well("flows", "written to")
    assert backlog.account.trouble == "flows cannot be sealed in /lake: IO Error: no room"
    backlog.failed("flows", "sealed in", "/lake", MemoryError())
    assert backlog.account.trouble == "flows cannot be sealed in /lake: MemoryError"
    backlog.well("flows", "sealed in")
    assert backlog.account.trouble == ""


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(["flows", "drops"]), st.integers(1, 40)),
        st.tuples(st.sampled_from(["take", "written", "back", "tick"]), st.just(""), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_no_row_is_forgotten_and_none_counted_twice(steps: list[tuple[str, str, int]]) -> None:
    limits = Limits(flush_ns=3, many=5, waiting_octets=200)
    backlog, taken, now = Backlog(limits), dict[str, list[Stored]](), 0
    added, written = Counter[str](), Counter[str]()
    for number, (step, kind, octets) in enumerate(steps):
        if step == "add":
            backlog.add(kind, rows(1, octets, f"{kind} {number}"), now)
            added[f"{kind} {number}"] += 1
        elif step == "tick":
            backlog.tick(now := now + 1)
        elif step == "take" and not taken:
            taken = backlog.due(now)
        elif step in ("back", "written"):
            for one, batches in taken.items():
                if step == "back":
                    backlog.back(one, batches)
                else:
                    backlog.written(batches, is_sealed=False)
                    written.update(marks(batches))
            taken = {}
        account = backlog.account
        held = sum(batch.octets for batches in taken.values() for batch in batches)
        assert account.waiting_octets - held <= limits.waiting_octets + 2 * 40
        assert account.rows == added.total()
        assert account.flushed == written.total()
    left = [mark for one in (taken, backlog.everything()) for batches in one.values() for mark in marks(batches)]
    assert set(left) | set(written) <= set(added)
    assert len(left) + written.total() + backlog.account.lost == added.total()
    assert max([*written.values(), *Counter(left).values()], default=1) == 1
    assert not set(left) & set(written)
