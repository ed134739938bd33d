# SPDX-License-Identifier: Apache-2.0
"""Datagrams over loopback, as any user; every one that was sent is received or counted."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from fleutan.errors import FleutanError
from fleutan.linux.listening import Ear, listen
from fleutan.linux.receiving import Drops, Received, Receiver
from fleutan.linux.rooms import ROW

ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104
HERE = {4: "127.0.0.1", 6: "::1"}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
HALVES = {4: [0, 0xFFFF_7F00_0001], 6: [0, 1]}
needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
VERSIONS = [4, pytest.param(6, marks=needs_ipv6)]
DEADLINE = 10.0


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each version of IP; and what was opened is closed."""
    before = os.listdir("/proc/self/fd")
    yield request.param
    assert os.listdir("/proc/self/fd") == before


def sender(version: int, host: str = "") -> socket.socket:
    made = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
    made.bind((host or HERE[version], 0))
    return made


def payloads(batch: Received) -> list[bytes]:
    return [
        batch.octets[start : start + kept].tobytes()
        for start, kept in zip(batch.starts.tolist(), batch.kept.tolist(), strict=True)
    ]


def received(receiver: Receiver) -> Received:
    batch = receiver.receive(DEADLINE)
    assert batch
    return batch


def test_datagrams_of_every_length_come_whole_with_their_ends_and_times(version: int) -> None:
    sent = [bytes([size % 251]) * size for size in (0, 1, 1400, ROW - 1, ROW, ROW + 1, 9000, 65000, 3)]
    ears = listen(HERE[version], 0)
    before = time.time_ns()
    with Receiver(ears) as receiver, sender(version) as out:
        for payload in sent:
            out.sendto(payload, (HERE[version], ears[0].port))
        own = out.getsockname()[1]
        batch = received(receiver)
        assert receiver.receive(0) is None
        [count] = receiver.counts()
    assert payloads(batch) == sent
    assert batch.sizes.tolist() == batch.kept.tolist() == [len(payload) for payload in sent]
    assert batch.source.tolist() == batch.destination.tolist() == [HALVES[version]] * len(sent)
    assert set(batch.sport.tolist()) == {own}
    assert set(batch.dport.tolist()) == {ears[0].port}
    assert (np.diff(batch.at_ns) >= 0).all()
    assert before <= batch.at_ns[0] <= batch.at_ns[-1] <= time.time_ns()
    assert count == (len(sent), sum(map(len, sent)), 0, 0)


@pytest.mark.parametrize("longest", [1, 100, ROW, ROW + 100])
def test_what_is_longer_than_asked_for_is_cut_and_counted(longest: int) -> None:
    sent = [bytes(range(256)) * 40, b"", b"x" * longest, b"y" * (longest + 1)]
    ears = listen("127.0.0.1", 0)
    with Receiver(ears, longest=longest) as receiver, sender(4) as out:
        for payload in sent:
            out.sendto(payload, ("127.0.0.1", ears[0].port))
        batch = received(receiver)
        [count] = receiver.counts()
    assert payloads(batch) == [payload[:longest] for payload in sent]
    assert batch.sizes.tolist() == [len(payload) for payload in sent]
    assert (count.datagrams, count.truncated, count.octets) == (4, 2, sum(map(len, sent)))


def test_the_address_to_which_it_came_is_told_where_any_would_do() -> None:
    ears = listen(ANY[4], 0)
    with Receiver(ears) as receiver, sender(4) as out:
        for last in (9, 200):
            out.sendto(b"", (f"127.0.0.{last}", ears[0].port))
        batch = received(receiver)
    assert batch.destination.tolist() == [[0, 0xFFFF_7F00_0009], [0, 0xFFFF_7F00_00C8]]


@needs_ipv6
def test_both_versions_at_one_socket() -> None:
    ears = listen("::", 0)
    with Receiver(ears) as receiver, sender(4, "127.0.0.7") as four, sender(6) as six:
        four.sendto(b"four", ("127.0.0.9", ears[0].port))
        six.sendto(b"six", ("::1", ears[0].port))
        batch = received(receiver)
    assert payloads(batch) == [b"four", b"six"]
    assert batch.source.tolist() == [[0, 0xFFFF_7F00_0007], HALVES[6]]
    assert batch.destination.tolist() == [[0, 0xFFFF_7F00_0009], HALVES[6]]


def test_several_sockets_give_one_batch_in_order_of_time(version: int) -> None:
    ears = [listen(HERE[version], 0)[0] for _ in range(3)]
    with Receiver(ears) as receiver, sender(version) as out:
        for number in range(30):
            out.sendto(b"%d" % number, (HERE[version], ears[number * 7 % 3].port))
        batch = received(receiver)
        counts = receiver.counts()
    assert payloads(batch) == [b"%d" % number for number in range(30)]
    assert batch.dport.tolist() == [ears[number * 7 % 3].port for number in range(30)]
    assert [count.datagrams for count in counts] == [10, 10, 10]


def test_each_socket_has_its_share_of_a_batch() -> None:
    ears = [listen("127.0.0.1", 0)[0] for _ in range(3)]
    found = {ear.port: 0 for ear in ears}
    with Receiver(ears, rows=4) as receiver, sender(4) as out:
        for ear in ears:
            for _ in range(8):
                out.sendto(b"", ("127.0.0.1", ear.port))
        first = received(receiver)
        assert set(first.dport.tolist()) == set(found)
        for batch in [first, *iter(lambda: receiver.receive(0), None)]:
            for port in batch.dport.tolist():
                found[port] += 1
    assert set(found.values()) == {8}


def test_more_sockets_than_rows_have_their_turns() -> None:
    ears = [listen("127.0.0.1", 0)[0] for _ in range(4)]
    with Receiver(ears, rows=2) as receiver, sender(4) as out:
        for ear in ears:
            out.sendto(b"", ("127.0.0.1", ear.port))
        seen: set[int] = set()
        for _ in range(20):
            if batch := receiver.receive(0):
                seen |= set(batch.dport.tolist())
    assert seen == {ear.port for ear in ears}


def test_senders_are_spread_over_sockets_that_share_a_port(version: int) -> None:
    ears = listen(HERE[version], 0, sockets=2)
    with Receiver(ears) as receiver:
        for number in range(64):
            with sender(version) as out:
                out.sendto(b"%d" % number, (HERE[version], ears[0].port))
        found: list[bytes] = []
        while batch := receiver.receive(0):
            found += payloads(batch)
        counts = receiver.counts()
    assert sorted(map(int, found)) == list(range(64))
    assert sum(count.datagrams for count in counts) == 64
    assert all(count.datagrams for count in counts)


@pytest.mark.parametrize("any_address", [False, True])
def test_what_there_was_no_room_for_is_counted_exactly(version: int, any_address: bool) -> None:
    host = (ANY if any_address else HERE)[version]
    ears = listen(host, 0, room=8192)
    found = sent = 0
    with Receiver(ears, rows=64) as receiver, sender(version) as out:
        for burst in (500, 3, 700, 1):  # small ones are all received, and tell of the drops of those before
            for _ in range(burst):
                out.sendto(bytes(200), (HERE[version], ears[0].port))
            sent += burst
            while batch := receiver.receive(0):
                found += len(batch.sizes)
                assert batch.destination.tolist() == [HALVES[version]] * len(batch.sizes)
            [count] = receiver.counts()
            assert count.datagrams == found
            assert found + count.dropped == sent
    assert count.dropped > 500
    assert receiver.counts() == [count]


def test_the_kernels_count_of_drops_goes_on_beyond_32_bits() -> None:
    drops = Drops()
    for count, total in ((5, 5), (3, 5), (2**31, 2**31), (2**32 - 1, 2**32 - 1), (4, 2**32 + 4), (1, 2**32 + 4)):
        drops.told(count)
        assert drops.total == total


def test_a_batch_stays_until_as_many_others_have_come_as_are_asked_for() -> None:
    ears = listen("127.0.0.1", 0)
    with Receiver(ears, batches=3) as receiver, sender(4) as out:
        found = []
        for number in range(4):
            out.sendto(b"%d" % number, ("127.0.0.1", ears[0].port))
            found.append(received(receiver))
            assert receiver.receive(0) is None  # which takes no room
    assert [payloads(batch) for batch in found] == [[b"3"], [b"1"], [b"2"], [b"3"]]
    assert [batch.sizes.tolist() for batch in found] == [[1]] * 4


def test_a_full_batch_leaves_the_rest_for_the_next() -> None:
    ears = listen("127.0.0.1", 0)
    with Receiver(ears, rows=5) as receiver, sender(4) as out:
        for number in range(12):
            out.sendto(b"%d" % number, ("127.0.0.1", ears[0].port))
        found = [payloads(received(receiver)) for _ in range(3)]
    assert [len(batch) for batch in found] == [5, 5, 2]
    assert [int(payload) for batch in found for payload in batch] == list(range(12))


def test_after_a_first_datagram_others_are_awaited_unless_the_last_batch_was_full() -> None:
    ears = listen("127.0.0.1", 0)
    with Receiver(ears, rows=2, linger=0.1) as receiver, sender(4) as out:
        lasted = []
        for _ in range(5):
            out.sendto(b"", ("127.0.0.1", ears[0].port))
        for many in (2, 2, 1):
            began = time.monotonic()
            assert len(received(receiver).sizes) == many
            lasted.append(time.monotonic() - began >= 0.09)
        assert lasted == [True, False, False]
        out.sendto(b"", ("127.0.0.1", ears[0].port))
        receiver.stop()  # which no lingering outlasts
        assert receiver.receive(DEADLINE) is None


def test_nothing_comes_within_the_time() -> None:
    with Receiver(listen("127.0.0.1", 0)) as receiver:
        began = time.monotonic()
        assert receiver.receive(0.05) is None
        assert time.monotonic() - began >= 0.045
        assert receiver.receive(-1) is None


def test_a_wait_is_ended_by_a_signal_and_by_another_thread() -> None:
    def interrupt(receiver: Receiver) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    for how in (interrupt, Receiver.stop):
        with Receiver(listen("127.0.0.1", 0)) as receiver:
            before = signal.signal(signal.SIGUSR1, lambda *_, one=receiver: one.stop())
            beside = threading.Thread(target=how, args=(receiver,))
            beside.start()
            try:
                assert receiver.receive(DEADLINE) is None
            finally:
                beside.join()
                signal.signal(signal.SIGUSR1, before)
            assert receiver.stopped
            assert receiver.receive(DEADLINE) is None
        receiver.stop()  # is no error afterwards


def test_ctrl_c_comes_through() -> None:
    with Receiver(listen("127.0.0.1", 0)) as receiver:
        beside = threading.Thread(target=signal.pthread_kill, args=(threading.main_thread().ident, signal.SIGINT))

        def interrupted() -> None:
            beside.start()
            receiver.receive(DEADLINE)

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        beside.join()


def test_a_socket_that_is_closed_is_one_line() -> None:
    ears = listen("127.0.0.1", 0)
    with Receiver(ears) as receiver:
        ears[0].socket.close()
        with pytest.raises(
            FleutanError, match=rf"^receiving at 127\.0\.0\.1 port {ears[0].port}: bad file descriptor$"
        ):
            receiver.receive(DEADLINE)
        assert receiver.counts() == [(0, 0, 0, 0)]


def test_times_are_utc_nanoseconds() -> None:
    assert struct.calcsize("@ll") == 2 * np.dtype("l").itemsize
    ears: list[Ear] = listen("127.0.0.1", 0)
    with Receiver(ears) as receiver, sender(4) as out:
        before = time.time_ns()
        out.sendto(b"", ("127.0.0.1", ears[0].port))
        after = time.time_ns()
        batch = received(receiver)
    assert before <= batch.at_ns[0] <= after + 1_000_000
