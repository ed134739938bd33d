# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from fleutan.linux import capabilities, namespaces
from fleutan.sources.collectors import PIECE, REASONS, RETRY, UNKNOWN, Collector, Collectors
from fleutan.sources.lookups import Lookups

DEADLINE = 10.0
HERE = socket.inet_aton("127.0.0.1")
needs_root = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")


@pytest.fixture
def end() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(DEADLINE)
        yield made


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)  # a condition is waited for, not a time


def at(end: socket.socket, host: str = "127.0.0.1", **more: str) -> Collector:
    return Collector(host, end.getsockname()[1], **more)


def ticked(collectors: Collectors, now: float) -> bool:
    collectors.tick(now)
    return True


def ready(collectors: Collectors, now: float = 0.0) -> None:
    def is_ready() -> bool:
        collectors.tick(now)
        return all(one.trouble == "" for one in collectors.accounts())

    until(is_ready)


def test_each_collector_has_every_datagram(end: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(DEADLINE)
        with Collectors([at(end), at(other), at(end)]) as collectors:
            ready(collectors)
            collectors.send([b"one", b"three"], 0.0)
            for each in (end, other):
                assert [each.recv(100), each.recv(100)] == [b"one", b"three"]
            assert [one[1:] for one in collectors.accounts()] == [(2, 8, {}, "")] * 2


def test_what_comes_before_a_name_is_known_is_counted(end: socket.socket) -> None:
    answers: list[list[tuple[bytes, int]] | Exception] = [socket.gaierror(-2, "Name or service not known"), []]

    def look(host: str, port: int) -> list[tuple[bytes, int]]:
        assert (host, port) == ("collector.example", end.getsockname()[1])
        found = answers.pop(0) if answers else [(HERE, 0)]
        if isinstance(found, Exception):
            raise found
        return found

    with Collectors([at(end, "collector.example")], Lookups(look)) as collectors:
        collectors.send([b"lost"], 0.0)
        (account,) = collectors.accounts()
        assert (account.sent, account.unsent) == (0, {UNKNOWN: 1})
        collectors.tick(0.0)
        until(lambda: ticked(collectors, 0.1) and "service not known" in collectors.accounts()[0].trouble)
        assert collectors.accounts()[0].trouble == "collector.example: name or service not known"
        collectors.tick(RETRY - 1)
        assert answers == [[]], "it is not asked all the time"
        until(lambda: ticked(collectors, 1e9) and not answers)
        ready(collectors, 2e9)
        collectors.send([b"there"], 2e9)
        assert end.recv(100) == b"there"


def test_a_name_that_means_another_address_is_followed(end: socket.socket) -> None:
    found = [(socket.inet_aton("127.0.0.2"), 0)]
    with Collectors([at(end, "collector.example")], Lookups(lambda *_: found)) as collectors:
        ready(collectors)
        collectors.send([b"nobody"], 0.0)
        found[:] = [(HERE, 0)]

        def reaches() -> bool:
            collectors.tick(1000.0)
            collectors.send([b"here"], 1000.0)
            end.setblocking(False)
            try:
                return end.recv(100) == b"here"
            except BlockingIOError:
                return False

        until(reaches)


def test_nobody_there_is_told_and_does_not_end_anything(end: socket.socket) -> None:
    gone = at(end)
    end.close()
    with Collectors([gone]) as collectors:
        ready(collectors)
        for _ in range(3):
            collectors.send([b"x"], 0.0)
        (account,) = collectors.accounts()
        assert account.sent + sum(account.unsent.values()) == 3


@needs_root
def test_a_device_that_is_none_is_tried_again(end: socket.socket) -> None:
    with Collectors([at(end, device="no-such-dev")]) as collectors:
        until(lambda: ticked(collectors, 0.0) and "no-such-dev" in collectors.accounts()[0].trouble)
        collectors.send([b"x"], 0.0)
        assert sum(collectors.accounts()[0].unsent.values()) == 1
    with Collectors([at(end, device="lo")]) as collectors:
        ready(collectors)
        collectors.send([b"x"], 0.0)
        assert end.recv(10) == b"x"


def test_a_namespace_that_is_none_is_told(end: socket.socket) -> None:
    with Collectors([at(end, netns="no-such-namespace")]) as collectors:
        until(lambda: ticked(collectors, 0.0) and "no-such-namespace" in collectors.accounts()[0].trouble)
    with Collectors([at(end, netns=str(os.getpid()))]) as collectors:
        ready(collectors)
        collectors.send([b"x"], 0.0)
        assert end.recv(10) == b"x"


def test_a_way_that_breaks_is_opened_again(end: socket.socket) -> None:
    with Collectors([at(end)]) as collectors:
        ready(collectors)
        way = collectors._outlets[0]._way
        assert way is not None
        way._socket.close()
        collectors.send([b"x", b"y"], 5.0)
        assert sum(collectors.accounts()[0].unsent.values()) == 2
        collectors.tick(5.0 + RETRY - 1)
        collectors.send([b"x"], 5.0)
        assert sum(collectors.accounts()[0].unsent.values()) == 3
        ready(collectors, 5.0 + RETRY)
        collectors.send([b"z"], 12.0)
        assert end.recv(10) == b"z"


def test_an_address_is_known_at_once(end: socket.socket) -> None:
    with Collectors([at(end)]) as collectors:
        collectors.tick(0.0)
        collectors.send([b"first"], 0.0)
        assert end.recv(10) == b"first"


def test_titles_are_as_people_write_them() -> None:
    assert Collector("2001:db8::1", 1, "eth0", "web").title == "[2001:db8::1]:1 (device eth0, namespace web)"
    assert Collector("sflow.example").title == "sflow.example:6343"


def test_reasons_without_end_are_counted_together() -> None:
    with Collectors([Collector("collector.example")], Lookups(lambda *_: [])) as collectors:
        (outlet,) = collectors._outlets
        for number in range(2 * REASONS):
            outlet._trouble = f"reason {number}"
            collectors.send([b"x"], 0.0)
        unsent = collectors.accounts()[0].unsent
    assert (len(unsent), unsent["others"]) == (REASONS + 1, REASONS)


def test_many_datagrams_leave_a_piece_at_a_time_in_order(end: socket.socket) -> None:
    numbers = [str(number).encode() for number in range(2 * PIECE + 3)]
    with Collectors([at(end)]) as collectors:
        ready(collectors)
        collectors.spread(numbers[:-1], 0.0)
        assert (collectors.accounts()[0].sent, collectors.pieces) == (PIECE, 2)
        collectors.spread(numbers[-1:], 0.0)
        assert (collectors.accounts()[0].sent, collectors.pieces) == (PIECE, 3), "what is sent later leaves later"
        while collectors.pieces:
            collectors.more(0.0)
        collectors.more(0.0)
        assert [end.recv(100) for _ in numbers] == numbers
        collectors.spread([b"few"], 0.0)
        assert (end.recv(100), collectors.pieces) == (b"few", 0)
        collectors.spread([], 0.0)
        assert collectors.pieces == 0


def failing(_: str) -> namespaces.Namespace:
    raise OSError(24, "Too many open files")


def test_a_namespace_whose_name_is_anothers_is_left(end: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    with Collectors([at(end, netns=str(os.getpid()))]) as collectors:
        ready(collectors)
        (outlet,) = collectors._outlets
        way = outlet._way
        collectors.tick(RETRY)
        assert outlet._way is way, "nothing has changed"
        with monkeypatch.context() as patched:
            own = namespaces.find(str(os.getpid()))
            patched.setattr(namespaces, "find", lambda _: own._replace(inode=1))
            collectors.tick(2 * RETRY)
            assert "is gone" in collectors.accounts()[0].trouble
        ready(collectors, 3 * RETRY)
        collectors.send([b"x"], 3 * RETRY)
        assert end.recv(10) == b"x"
        with monkeypatch.context() as patched:
            patched.setattr(namespaces, "find", failing)
            collectors.tick(4 * RETRY)
            assert collectors.accounts()[0].trouble == "[Errno 24] Too many open files"


@needs_root
def test_a_device_that_is_called_otherwise_is_left(end: socket.socket) -> None:
    with Collectors([at(end, device="lo")]) as collectors:
        ready(collectors)
        (outlet,) = collectors._outlets
        way = outlet._way
        collectors.tick(RETRY)
        assert outlet._way is way
        assert way is not None
        assert way.device() == "lo"
        way._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"\0")
        assert way.device() == ""
        collectors.tick(2 * RETRY)
        assert outlet._way is not way
        collectors.send([b"x"], 2 * RETRY)
        assert end.recv(10) == b"x"
