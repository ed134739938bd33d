# SPDX-License-Identifier: Apache-2.0
"""Options and ancillary data; on loopback where a socket is needed."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator

import pytest

from fleutan.errors import FleutanError
from fleutan.linux import capabilities, rawsockets
from fleutan.linux.tcpfilter import NOTHING, Peer, programs

SIX, HOPLIMIT, PKTINFO, FLOWINFO = socket.IPPROTO_IPV6, 52, 50, 11
HERE = socket.inet_aton("127.0.0.1")
SRC, DST = socket.inet_pton(socket.AF_INET6, "fe80::1"), socket.inet_pton(socket.AF_INET6, "2001:db8::2")
LIMIT, ENDS = (SIX, HOPLIMIT, struct.pack("=i", 61)), (SIX, PKTINFO, DST + struct.pack("=I", 3))
SO_ATTACH_FILTER = 26
needs_raw = pytest.mark.skipif(
    os.geteuid() != 0 or bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs root and CAP_NET_RAW"
)


def test_the_ipv6_header_is_put_in_front_again() -> None:
    flowinfo = (SIX, FLOWINFO, struct.pack("!I", 0xB8 << 20 | 0x12345))
    whole = rawsockets.headed(58, b"abcdef", "fe80::1%eth0", [flowinfo, LIMIT, ENDS])
    assert whole == struct.pack("!IHBB", 6 << 28 | 0xB8 << 20 | 0x12345, 6, 58, 61) + SRC + DST + b"abcdef"
    plain = rawsockets.headed(6, b"", "fe80::1", [ENDS, LIMIT])
    assert plain == struct.pack("!IHBB", 6 << 28, 0, 6, 61) + SRC + DST


def test_when_the_kernel_received_it_or_now() -> None:
    stamp = (socket.SOL_SOCKET, 35, struct.pack("@ll", 1_700_000_000, 123_456_789))
    assert rawsockets.received_at([LIMIT, stamp]) == 1_700_000_000_123_456_789
    before = time.time_ns()
    assert before <= rawsockets.received_at([LIMIT]) <= time.time_ns()


def test_where_a_packet_goes_and_what_the_route_depends_on() -> None:
    four = struct.pack("!BBHHHBBH4s4s", 0x45, 0x28, 20, 7, 0, 3, 17, 0, HERE, bytes([192, 0, 2, 9]))
    assert rawsockets.destination(four) == (
        ("192.0.2.9", 0),
        [(0, 8, struct.pack("=I", 0) + HERE + bytes(4)), (0, socket.IP_TOS, struct.pack("=i", 0x28))],
    )
    six = struct.pack("!IHBB", 6 << 28 | 0xB8 << 20 | 0xFFFFF, 0, 17, 3) + SRC + DST
    assert rawsockets.destination(six) == (
        ("2001:db8::2", 0),
        [(SIX, PKTINFO, SRC + bytes(4)), (SIX, socket.IPV6_TCLASS, struct.pack("=i", 0xB8))],
    )


class Refusing(socket.socket):
    """Has no room for filters of more than so many instructions; keeps how long those were that it was given."""

    def __init__(self, most: int, number: int = errno.ENOMEM) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.most, self.number, self.given = most, number, list[int]()

    def setsockopt(self, level: int, option: int, value: bytes) -> None:  # type: ignore[override]
        assert (level, option) == (socket.SOL_SOCKET, SO_ATTACH_FILTER)
        length = struct.unpack("@HP", value)[0]
        self.given.append(length)
        if length > self.most:
            raise OSError(self.number, os.strerror(self.number))


def test_of_several_filters_the_first_that_there_is_room_for() -> None:
    filters = [bytes(8 * length) for length in (300, 200, 100, 50)]
    with Refusing(150) as one:
        rawsockets.attach(one, filters)
        assert one.given == [300, 1, 300, 200, 1, 200, 100]
    with Refusing(0) as one, pytest.raises(FleutanError, match="no room for a socket filter"):
        rawsockets.attach(one, filters)
    with Refusing(10, errno.EINVAL) as one, pytest.raises(OSError, match="Invalid argument"):
        rawsockets.attach(one, filters)


def test_the_kernel_takes_the_longest_programs() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        for family, count, size in ((4, 600, 4), (6, 300, 16), (4, 3000, 4)):
            peers = [Peer(family, number.to_bytes(size, "big"), 443, 1024 + number) for number in range(count)]
            rawsockets.attach(one, programs(family, peers))


@needs_raw
@pytest.mark.parametrize("version", [4, 6])
def test_what_is_no_answer_is_not_heard(version: int) -> None:
    icmp, tcp = rawsockets.HEARD[version]
    level, option, size = ((255, 1, 4), (58, 1, 32))[version == 6]
    before = len(os.listdir("/proc/self/fd"))
    with rawsockets.ear(version, icmp, ()) as one, rawsockets.ear(version, tcp, [NOTHING]) as other:
        kept_off = int.from_bytes(one.getsockopt(level, option, size), sys.byteorder)
        passed = {kind for kind in range(8 * size) if not kept_off >> kind & 1}
        assert passed == ({0, 3, 11, 12}, {1, 2, 3, 4, 129})[version == 6]
        assert rawsockets.drops(one) == rawsockets.drops(other) == 0
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 1 << 18
    assert len(os.listdir("/proc/self/fd")) == before


@needs_raw
def test_nothing_is_left_of_what_came_before_the_filter() -> None:
    def filters() -> Iterator[bytes]:
        """Is asked for the first when the socket is there already, and hears what passes."""
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            yield NOTHING

    with rawsockets.ear(4, socket.IPPROTO_TCP, filters()) as one, pytest.raises(BlockingIOError):
        one.recv(1)


@needs_raw
def test_what_cannot_be_prepared_is_closed() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="No such device"):
        rawsockets.sender(4, "fln-none")
    with pytest.raises(FleutanError, match="no room"):
        rawsockets.ear(4, socket.IPPROTO_TCP, ())
    assert os.listdir("/proc/self/fd") == before


@needs_raw
def test_without_the_right_to_more_the_buffer_is_what_the_host_allows() -> None:
    os.seteuid(65534)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            rawsockets.enlarge(one)
            assert one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > 0
    finally:
        os.seteuid(0)
