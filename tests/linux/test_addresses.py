# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
import subprocess
import sys

from fleutan.linux.addresses import Address, address, addresses, own, own_addresses

MAPPED = bytes(10) + b"\xff\xff"
LOCAL, PEER, BROADCAST = (socket.inet_aton(f"192.0.2.{number}") for number in (1, 2, 255))
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::1")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def body(family: int, *attributes: bytes) -> bytes:
    return struct.pack("=BBBBI", family, 24, 0, 0, 1) + b"".join(attributes)


def test_ours_is_the_local_end_of_a_pair_and_a_broadcast_address_counts() -> None:
    four = body(socket.AF_INET, attribute(1, PEER), attribute(2, LOCAL), attribute(4, BROADCAST))
    assert own(four) == {MAPPED + LOCAL, MAPPED + BROADCAST}
    assert own(body(socket.AF_INET6, attribute(1, SIX), attribute(8, b"x"))) == {SIX}
    assert own(body(socket.AF_INET6)) == set()


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


def test_an_address_has_its_prefix_device_and_flags() -> None:
    assert address(body(socket.AF_INET, attribute(1, PEER), attribute(2, LOCAL))) == Address(LOCAL, 24, 1, 0)
    flags = attribute(8, (0x100 | 0x01).to_bytes(4, sys.byteorder))
    assert address(body(socket.AF_INET6, attribute(1, SIX), flags)) == Address(SIX, 24, 1, 0x101)
    short = struct.pack("=BBBBI", socket.AF_INET6, 64, 0x80, 0, 7) + attribute(1, SIX)
    assert address(short) == Address(SIX, 64, 7, 0x80)
    assert address(body(socket.AF_INET6)).octets == b""


def test_each_address_of_a_namespace_is_told(namespace: None) -> None:
    for words in (
        "link set lo up",
        "link add d0 type veth peer name d1",
        "addr add 192.0.2.1/24 broadcast 192.0.2.255 dev d0",
        "addr add 2001:db8::1/64 dev d0 nodad",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    found = {(one.octets, one.prefix, one.flags & 0x80) for one in addresses()}
    assert found == {
        (socket.inet_aton("127.0.0.1"), 8, 0x80),
        (socket.inet_pton(socket.AF_INET6, "::1"), 128, 0x80),
    } | {
        (LOCAL, 24, 0x80),
        (SIX, 64, 0x80),
    }
