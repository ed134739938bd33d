# SPDX-License-Identifier: Apache-2.0
"""On loopback; ``tests/namespaces/test_forwarding.py`` has links of other MTUs, and queues that are full."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray

from fleutan.linux import capabilities, forwarding, messages
from fleutan.linux.forwarding import RawWay, Way

HERE = {4: socket.inet_aton("127.0.0.1"), 6: socket.inet_pton(socket.AF_INET6, "::1")}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")
DEADLINE = 10.0
Columns = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(params=[4, pytest.param(6, marks=needs_ipv6)])
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.listdir("/proc/self/fd")
    yield request.param
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def end(version: int) -> Iterator[socket.socket]:
    with socket.socket(FAMILIES[version], socket.SOCK_DGRAM) as made:
        made.bind((socket.inet_ntop(FAMILIES[version], HERE[version]), 0))
        made.settimeout(DEADLINE)
        yield made


def columns(*strings: bytes) -> Columns:
    sizes = np.array([len(one) for one in strings], np.int64)
    return np.frombuffer(b"".join(strings), np.uint8), np.cumsum(sizes) - sizes, sizes


def test_each_datagram_goes_as_it_is(version: int, end: socket.socket) -> None:
    strings = [b"one", b"", b"x" * 9000, b"y" * 65507]
    with Way(HERE[version], end.getsockname()[1]) as way:
        assert way.send(*columns(*strings)).tolist() == [0, 0, 0, 0]
        assert [end.recv(1 << 16) for _ in strings] == strings
        assert way.send(*columns()).tolist() == []


def test_more_than_one_call_takes(version: int, end: socket.socket) -> None:
    strings = [b"%d" % number for number in range(2500)]  # sendmmsg(2) takes 1024, UIO_MAXIOV
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    end.setblocking(False)
    found = []
    with Way(HERE[version], end.getsockname()[1]) as way:
        assert way.send(*columns(*strings)).tolist() == [0] * 2500
    with suppress(BlockingIOError):
        while True:
            found.append(end.recv(100))
    assert len(found) > 100
    assert found == strings[: len(found)]  # the rest found the buffer of this end full


def test_what_is_too_long_is_told_and_the_others_go(version: int, end: socket.socket) -> None:
    strings = [b"one", bytes(65536), b"two", bytes(66000)]
    with Way(HERE[version], end.getsockname()[1]) as way:
        assert way.send(*columns(*strings)).tolist() == [0, errno.EMSGSIZE, 0, errno.EMSGSIZE]
    assert [end.recv(100) for _ in range(2)] == [b"one", b"two"]


def test_after_many_failures_the_rest_is_given_up(version: int, end: socket.socket) -> None:
    strings = [bytes(65536)] * 50 + [b"never"]
    with Way(HERE[version], end.getsockname()[1]) as way:
        assert set(way.send(*columns(*strings)).tolist()) == {errno.EMSGSIZE}
        assert not way.send(*columns(b"next")).any()
    assert end.recv(100) == b"next"


def test_nobody_listening_keeps_nothing_from_leaving(version: int, end: socket.socket) -> None:
    port = end.getsockname()[1]
    end.close()
    with Way(HERE[version], port) as way:
        for _ in range(5):
            assert not way.send(*columns(*[b"x"] * 40)).any()


@pytest.mark.parametrize(("start", "size"), [(-1, 2), (3, 2), (0, 5), (0, -1)])
def test_memory_of_others_is_not_sent(start: int, size: int) -> None:
    octets = np.zeros(4, np.uint8)
    with Way(HERE[4], 9) as way, pytest.raises(ValueError, match="outside"):
        way.send(octets, np.array([start]), np.array([size]))
    with Way(HERE[4], 9) as way, pytest.raises(ValueError, match="outside"):
        way.send(octets[::2], np.array([0]), np.array([1]))


def test_why_something_has_not_left() -> None:
    assert forwarding.why(errno.EAGAIN) == "more than the socket has room for"
    assert forwarding.why(errno.ENETUNREACH) == "no route"


class Full(Way):
    """A way whose socket is that of a pair that nobody reads: its room is soon full."""

    def __init__(self) -> None:
        super().__init__(HERE[4], 9)
        self.other, self.own = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def _opened(self) -> socket.socket:
        self.own.setblocking(False)
        return self.own

    def _sent(self, pieces: NDArray[np.void]) -> NDArray[np.int32]:
        table = np.zeros(len(pieces), messages.MESSAGE)
        table["header"]["iov"] = messages.address_of(pieces) + np.arange(len(pieces)) * messages.PIECE.itemsize
        table["header"]["iovlen"] = 1
        return self._tried(table)


def test_what_there_is_no_room_for_is_told_and_not_waited_for() -> None:
    way = Full()
    with way.other, way:
        found = way.send(*columns(*[bytes(1000)] * 5000)).tolist()
    assert set(found) == {0, errno.EAGAIN}
    assert found == sorted(found)


@needs_raw
def test_packets_with_their_own_headers(version: int, end: socket.socket) -> None:
    port = end.getsockname()[1]
    payload = b"payload"
    udp = b"\x12\x34" + port.to_bytes(2) + (8 + len(payload)).to_bytes(2) + bytes(2)
    ip = {
        4: bytes([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 127, 1, 2, 3]) + HERE[4],
        6: bytes([0x60, 0, 0, 0, 0, 15, 17, 64]) + socket.inet_pton(socket.AF_INET6, "2001:db8::7") + HERE[6],
    }[version]
    if version == 6:  # whose checksum is not optional
        pseudo = ip[8:] + (15).to_bytes(4) + (17).to_bytes(4) + udp + payload + b"\0"
        total = sum(int.from_bytes(pseudo[at : at + 2]) for at in range(0, len(pseudo), 2))
        udp = udp[:6] + (0xFFFF - (total % 0xFFFF)).to_bytes(2)
    headers = np.frombuffer(ip + udp + b"beyond", np.uint8)[None]
    with RawWay(HERE[version], port) as way:
        sent = way.send_packets(headers, np.array([len(ip + udp)]), *columns(payload))
        assert way.mtu >= forwarding.LEAST_MTU
    assert sent.tolist() == [0]
    got, source = end.recvfrom(100)
    assert (got, source[:2]) == (payload, ({4: "127.1.2.3", 6: "2001:db8::7"}[version], 0x1234))


@needs_raw
def test_where_no_route_goes_is_known_when_it_is_sent(namespace: None) -> None:
    packet = np.zeros((1, 20), np.uint8)
    packet[0, 0] = 0x45
    with RawWay(bytes([192, 0, 2, 1]), 6343) as way:
        assert way.mtu == forwarding.LEAST_MTU
        assert way.send_packets(packet, np.array([20]), *columns(b"")).tolist() == [errno.ENETUNREACH]
    with Way(bytes([192, 0, 2, 1]), 6343) as way:
        assert set(way.send(*columns(*[b"x"] * 100)).tolist()) == {errno.ENETUNREACH}


def test_to_keep_the_source_takes_a_capability() -> None:
    words = [sys.executable, "-c", UNPRIVILEGED]
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *words]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("NotSupported forwarding with the source kept: it needs CAP_NET_RAW; run as root")


UNPRIVILEGED = """
from fleutan.linux.forwarding import RawWay, Way
with Way(bytes([127, 0, 0, 1]), 9):
    pass
try:
    with RawWay(bytes([127, 0, 0, 1]), 9):
        pass
except Exception as error:
    print(type(error).__name__, error)
"""
