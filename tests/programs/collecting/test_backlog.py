# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time

import pytest
from tests.exporting import batch

from fleutan.programs.collecting.backlog import Backlog, Waiting
from fleutan.protocols.datagrams import Datagrams

DEADLINE = 10.0


def strings(datagrams: Datagrams | None) -> list[bytes]:
    assert datagrams is not None
    return datagrams.spans.strings()


def test_batches_come_out_together_in_their_order() -> None:
    backlog = Backlog(linger=0)
    backlog.put(batch(b"one", b"two"))
    backlog.put(batch(b"three"))
    found = backlog.take(0)
    assert strings(found) == [b"one", b"two", b"three"]
    assert found is not None
    assert found.sizes.tolist() == [3, 3, 5]
    assert len(found.source) == len(found.at_ns) == 3
    assert backlog.take(0) is None
    account = backlog.account()
    assert (account.datagrams, account.lost, account.octets) == (3, 0, 0)
    assert account.most > 11


def test_what_comes_out_is_a_copy() -> None:
    backlog, datagrams = Backlog(linger=0), batch(b"before")
    octets = datagrams.spans.octets.copy()
    backlog.put(datagrams._replace(spans=datagrams.spans._replace(octets=octets)))
    octets[:] = 0
    assert strings(backlog.take(0)) == [b"before"]


def test_so_many_datagrams_at_once() -> None:
    backlog = Backlog(rows=3, linger=0)
    for string in (b"a", b"b", b"c", b"d"):
        backlog.put(batch(string))
    assert strings(backlog.take(0)) == [b"a", b"b", b"c"]
    assert strings(backlog.take(0)) == [b"d"]
    backlog.put(batch(*[b"more"] * 5))  # a batch is never divided
    assert len(strings(backlog.take(0))) == 5


def test_the_newest_finds_no_room_and_is_counted() -> None:
    backlog = Backlog(room=2000, linger=0)
    backlog.put(batch(bytes(1000)))
    backlog.put(batch(bytes(500), bytes(600)))
    backlog.put(batch(bytes(10)))
    account = backlog.account()
    assert (account.datagrams, account.lost) == (2, 2)
    assert account.octets <= 2000
    assert [len(one) for one in strings(backlog.take(0))] == [1000, 10]
    backlog.put(batch(bytes(3000)))  # would never fit
    assert backlog.account().lost == 3
    backlog.put(batch(bytes(900)))
    assert backlog.account() == Waiting(3, 3, backlog.account().octets, account.most)


def test_it_ends_when_all_is_taken() -> None:
    backlog = Backlog(linger=0)
    backlog.put(batch(b"last"))
    assert not backlog.ended
    backlog.end()
    assert not backlog.ended
    assert strings(backlog.take(DEADLINE)) == [b"last"]
    assert backlog.ended
    assert backlog.take(DEADLINE) is None


def test_who_waits_is_woken_and_told_what_went_wrong() -> None:
    backlog = Backlog(linger=0)

    def come() -> None:
        backlog.put(batch(b"came"))
        backlog.end(OSError("gone"))

    other = threading.Timer(0.01, come)
    other.start()
    assert strings(backlog.take(DEADLINE)) == [b"came"]
    other.join(DEADLINE)
    with pytest.raises(OSError, match="gone"):
        backlog.take(DEADLINE)


def test_a_few_datagrams_wait_for_others_that_come_soon() -> None:
    backlog = Backlog(rows=3, linger=DEADLINE)
    backlog.put(batch(b"one"))

    def more() -> None:
        for string in (b"two", b"three"):
            backlog.put(batch(string))

    other = threading.Timer(0.01, more)
    other.start()
    assert strings(backlog.take(DEADLINE)) == [b"one", b"two", b"three"]
    backlog.put(batch(b"four"))
    end = threading.Timer(0.01, backlog.end)
    end.start()
    assert strings(backlog.take(DEADLINE)) == [b"four"], "none will come any more"
    other.join(DEADLINE)
    end.join(DEADLINE)


def test_others_that_do_not_come_are_not_awaited_for_ever() -> None:
    backlog = Backlog(rows=3, linger=0.01)
    backlog.put(batch(b"alone"))
    assert strings(backlog.take(DEADLINE)) == [b"alone"]


def test_nothing_is_awaited_where_it_would_find_no_room() -> None:
    backlog = Backlog(room=2000, linger=DEADLINE)
    backlog.put(batch(bytes(1000)))
    began = time.monotonic()
    assert len(strings(backlog.take(0))) == 1
    assert time.monotonic() - began < DEADLINE
