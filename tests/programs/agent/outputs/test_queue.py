# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import pytest
from tests.programs.agent.outputs.serving import DEADLINE, until

from fleutan.programs.agent.outputs.queue import (
    BATCH,
    LATEST,
    OVERFLOWN,
    PIECES,
    UNFINISHED,
    Account,
    Queue,
    Queued,
    UnsentError,
)


class Peer:
    """Takes batches as long as it is told to, fails as it is told."""

    def __init__(self, *fails: Exception) -> None:
        self.batches: list[list[bytes]] = []
        self.tried = 0
        self.goes = threading.Event()
        self.goes.set()
        self._fails = [*fails]

    def __call__(self, batch: Sequence[bytes]) -> None:
        self.tried += 1
        assert self.goes.wait(DEADLINE)
        if self._fails:
            raise self._fails.pop(0)
        self.batches.append([*batch])

    @property
    def taken(self) -> list[bytes]:
        return [piece for batch in self.batches for piece in batch]


def again(reason: str = "gone") -> UnsentError:
    return UnsentError(reason, again=True)


def test_pieces_are_sent_in_order() -> None:
    peer = Peer()
    with Queue("peer", peer) as waiting:
        for place in range(10):
            waiting.put([b"%d" % place])
        until(lambda: len(peer.taken) == 10)
    assert peer.taken == [b"%d" % place for place in range(10)]
    assert waiting.account() == Account("peer", 10, {}, 0, {})


def test_who_puts_never_waits_and_the_oldest_are_lost() -> None:
    peer = Peer()
    peer.goes.clear()
    with Queue("peer", peer, room=100) as waiting:
        waiting.put([b"first"])
        until(lambda: peer.tried == 1)
        begun = time.monotonic()
        for place in range(1000):
            waiting.put([b"%010d" % place])
        assert time.monotonic() - begun < 1.0
        account = waiting.account()
        assert (account.sent, account.lost, account.waiting) == (0, {OVERFLOWN: 990}, 11)
        peer.goes.set()
        until(lambda: len(peer.taken) == 11)
    assert peer.taken[1:] == [b"%010d" % place for place in range(990, 1000)]


def test_batches_are_bounded() -> None:
    peer = Peer()
    waiting = Queue("peer", peer, room=1 << 30)
    waiting.put([b"x" * (BATCH + 1), *[b"y" * (BATCH // 2)] * 3, *[b"z"] * (PIECES + 5)])
    with waiting:
        until(lambda: len(peer.taken) == PIECES + 9)
    assert len(peer.batches[0]) == 1
    assert all(sum(map(len, batch)) <= BATCH for batch in peer.batches[1:])
    assert max(map(len, peer.batches)) == PIECES


def test_what_may_be_sent_again_is(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(again(), again(), again("other"))
    with caplog.at_level(logging.WARNING), Queue("peer", peer, soonest=0.01) as waiting:
        waiting.put([b"a", b"b"])
        until(lambda: peer.tried >= 1)
        waiting.put([b"c"])
        until(lambda: waiting.account().sent == 3)
    assert peer.taken == [b"a", b"b", b"c"]
    assert waiting.account() == Account("peer", 3, {}, 0, {"gone": 2, "other": 1})
    assert [one.message for one in caplog.records] == ["peer: gone", "peer: other"]


class Impatient(Queue):
    """Says how long it would wait, and does not."""

    pauses: tuple[float, ...] = ()

    def _pause(self, seconds: float) -> bool:
        self.pauses += (seconds,)
        return True


def test_it_waits_longer_and_longer() -> None:
    peer = Peer(*[again()] * 3, UnsentError("gone", again=True, wait=1000.0), again())
    with Impatient("peer", peer, soonest=20.0) as waiting:
        waiting.put([b"a"])
        until(lambda: peer.taken)
    assert waiting.pauses == (20.0, 40.0, LATEST, LATEST, LATEST)


def test_what_is_refused_is_lost_and_the_next_goes_at_once() -> None:
    detailed = UnsentError("HTTP 400", again=False, detail="what is this?")
    peer = Peer(detailed, UnsentError("HTTP 409", again=False, refused=1), TypeError("odd"))
    with Queue("peer", peer, soonest=DEADLINE) as waiting:
        waiting.put([b"a", b"b"])
        until(lambda: waiting.account().lost)
        assert waiting.account().trouble == "HTTP 400: what is this?"
        waiting.put([b"c", b"d", b"e"])
        until(lambda: waiting.account().sent == 2)
        waiting.put([b"f"])
        until(lambda: "TypeError" in waiting.account().failures)
        assert waiting.account().trouble == "TypeError: odd"
        waiting.put([b"g"])
        until(lambda: peer.taken)
    account = waiting.account()
    assert (account.sent, account.lost, account.trouble) == (3, {"HTTP 400": 2, "HTTP 409": 1, "TypeError": 1}, "")
    assert peer.taken == [b"g"]


def test_reasons_are_not_without_end() -> None:
    peer = Peer(*[UnsentError(f"no {number}", again=False) for number in range(80)])
    with Queue("peer", peer) as waiting:
        for number in range(80):
            waiting.put([b"x"])
            until(lambda many=number + 1: sum(waiting.account().lost.values()) == many)  # type: ignore[misc]
    assert len(waiting.account().failures) == 65
    assert waiting.account().failures["others"] == 16


def test_the_oldest_are_lost_of_what_is_sent_again_too() -> None:
    peer = Peer(again())
    peer.goes.clear()
    with Queue("peer", peer, room=3, soonest=0.01) as waiting:
        waiting.put([b"a", b"b"])
        until(lambda: peer.tried == 1)
        waiting.put([b"c", b"d"])
        peer.goes.set()
        until(lambda: waiting.account().sent == 3)
    assert peer.taken == [b"b", b"c", b"d"]
    assert waiting.account().lost == {OVERFLOWN: 1}


def test_closing_empties_it_once_more() -> None:
    peer = Peer(again())
    waiting = Queue("peer", peer, soonest=DEADLINE)
    with waiting:
        waiting.put([b"a"])
        until(lambda: waiting.account().trouble)
    assert peer.taken == [b"a"]


def test_closing_does_not_wait_for_a_peer() -> None:
    peer = Peer()
    peer.goes.clear()
    waiting = Queue("peer", peer).__enter__()
    waiting.put([b"a"])
    until(lambda: peer.tried == 1)
    waiting.put([b"b"])
    waiting.close(0.05)
    assert waiting.account().lost == {UNFINISHED: 1}
    peer.goes.set()
    until(lambda: waiting.account().sent == 1)


def test_what_still_fails_at_the_end_is_lost() -> None:
    peer = Peer(*[again()] * 100_000)
    waiting = Queue("peer", peer, soonest=0.01).__enter__()
    waiting.put([b"a"])
    waiting.close(0.05)
    until(lambda: waiting.account().lost == {UNFINISHED: 1})
    assert waiting.account().waiting == 0


def test_one_that_was_not_opened_can_be_closed() -> None:
    waiting = Queue("peer", Peer())
    waiting.put([b"a"])
    waiting.close()
    assert waiting.account() == Account("peer", 0, {UNFINISHED: 1}, 0, {})


def test_an_outlet_ends_its_conversation_after_the_last_piece() -> None:
    peer = Peer()
    peer.goes.clear()
    ends: list[int] = []

    class Outlet(Queued):
        def put(self, pieces: Sequence[bytes]) -> None:
            self._queue.put(pieces)

    with Outlet("peer", peer, lambda: ends.append(len(peer.taken)), room=10) as outlet:
        outlet.put([b"one"])
        until(lambda: peer.tried)
        outlet.put([b"four", b"seven", b"eight"])
        outlet.tick(0.0)
        assert outlet.account() == Account("peer", 0, {OVERFLOWN: 1}, 3, {}), "there is room for ten octets"
        peer.goes.set()
    assert (ends, outlet.account()) == ([3], Account("peer", 3, {OVERFLOWN: 1}, 0, {}))
