# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fleutan.errors import FleutanError
from fleutan.linux import capabilities
from fleutan.linux.addresses import own_addresses, parse

MAPPED = bytes(10) + b"\xff\xff"
LOCAL, PEER, BROADCAST = (socket.inet_aton(f"192.0.2.{number}") for number in (1, 2, 255))
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
NEWADDR, DONE, ERROR = 20, 3, 2


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def address(family: int, *attributes: bytes) -> bytes:
    return message(NEWADDR, struct.pack("=BBBBI", family, 24, 0, 0, 1) + b"".join(attributes))


def test_ours_is_the_local_end_of_a_pair_and_a_broadcast_address_counts() -> None:
    four = address(socket.AF_INET, attribute(1, PEER), attribute(2, LOCAL), attribute(4, BROADCAST))
    six = address(socket.AF_INET6, attribute(1, SIX))
    assert parse(four + six) == (frozenset({MAPPED + LOCAL, MAPPED + BROADCAST, SIX}), False)


def test_the_end_ends_it_and_other_messages_are_passed_over() -> None:
    other = message(99, b"abcdef")
    found, ended = parse(other + address(socket.AF_INET6, attribute(1, SIX), attribute(8, b"x")) + message(DONE, b""))
    assert found == {SIX}
    assert ended
    assert parse(b"") == (frozenset(), False)
    assert parse(address(socket.AF_INET6)) == (frozenset(), False)


def test_an_error_of_the_kernel_is_told() -> None:
    refused = message(ERROR, (-1).to_bytes(4, sys.byteorder, signed=True))
    with pytest.raises(FleutanError, match="does not list them: operation not permitted"):
        parse(refused)


def test_no_truncation_gives_an_address_that_is_not_there() -> None:
    whole = address(socket.AF_INET, attribute(2, LOCAL)) + address(socket.AF_INET6, attribute(1, SIX))
    first = len(whole) - len(address(socket.AF_INET6, attribute(1, SIX)))
    for length in range(1, len(whole)):
        if length == first:
            assert parse(whole[:length])[0] == {MAPPED + LOCAL}
            continue
        with pytest.raises(FleutanError, match="the kernel's answer"):
            parse(whole[:length])


def test_an_attribute_longer_than_its_message_is_refused() -> None:
    with pytest.raises(FleutanError, match="an attribute of the kernel's answer claims 3 bytes"):
        parse(address(socket.AF_INET, struct.pack("=HH", 3, 1)))
    with pytest.raises(FleutanError, match="an attribute of the kernel's answer claims 300 bytes"):
        parse(address(socket.AF_INET, struct.pack("=HH", 300, 1)))


@pytest.fixture
def namespace() -> Iterator[None]:
    """This thread in a network namespace of its own."""
    if capabilities.missing(("CAP_SYS_ADMIN", "CAP_NET_ADMIN")):
        pytest.skip("needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for a network namespace of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        assert libc.unshare(0x4000_0000) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            libc.setns(before.fileno(), 0x4000_0000)


def test_they_are_those_that_were_given(namespace: None) -> None:
    assert own_addresses() == frozenset()
    for words in (
        "link set lo up",
        "addr add 192.0.2.1/24 broadcast 192.0.2.255 dev lo",
        "addr add 2001:db8::1/64 dev lo",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    loopback = {MAPPED + socket.inet_aton("127.0.0.1"), socket.inet_pton(socket.AF_INET6, "::1")}
    assert own_addresses() == loopback | {MAPPED + LOCAL, MAPPED + BROADCAST, SIX}


def test_many_addresses_take_several_answers(namespace: None) -> None:
    lines = "\n".join(f"addr add 10.{high}.{low}.1/32 dev lo" for high in range(10) for low in range(200))
    subprocess.run(["ip", "-batch", "-"], input=lines, check=True, text=True)
    assert len(own_addresses()) == 2000
