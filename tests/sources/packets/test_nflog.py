# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess

import pytest
from tests.linux.conftest import namespace
from tests.linux.packets.test_nflog import FRAME, messages, packet

from fleutan.errors import NotSupported, UsageError
from fleutan.linux.netlink import attribute
from fleutan.linux.packets.nflog import FORWARD, INPUT, OUTPUT, POSTROUTING, PREROUTING, parse
from fleutan.sources.packets.kernel_samples import INTERNAL, Account, KernelSamples
from fleutan.sources.packets.nflog import NflogSource, samples_of

__all__ = ["namespace"]  # a fixture
NOW = 1_800_000_000_000_000_000
IPV4 = struct.pack("!BBH", 0x45, 0, 1500) + bytes(24)
IPV6 = struct.pack("!IHBB32s", 6 << 28, 1000, 17, 64, bytes(32))


def plain(payload: bytes, hook: int, protocol: int = 0x800, came: int = 0, goes: int = 0, family: int = 2) -> bytes:
    """The body of a message without a link's header, and without a time."""
    parts = [(1, struct.pack("!HBx", protocol, hook)), (12, struct.pack("!I", 0)), (9, payload)]
    parts += [(kind, struct.pack("!I", index)) for kind, index in ((4, came), (5, goes)) if index]
    return struct.pack("!BBH", family, 0, 5) + b"".join(attribute(kind, value) for kind, value in parts)


def made(*bodies: bytes, rate: int = 50, header: int = 128) -> KernelSamples:
    return samples_of(parse(messages(*bodies)), rate, Account(), header, NOW)


def test_a_packet_in_words_of_sflow() -> None:
    found = made(packet(IPV4))
    assert (found.rows, found.at_ns.tolist(), found.ifindex.tolist()) == (1, [1_700_000_000_123_456_000], [3])
    assert (found.egress.tolist(), found.rate.tolist(), found.pool.tolist()) == ([False], [50], [50])
    assert (found.input.tolist(), found.output.tolist(), found.drops.tolist()) == ([3], [INTERNAL], [0])
    assert (found.protocol.tolist(), found.length.tolist(), found.stripped.tolist()) == ([1], [1518], [4])
    assert found.header.strings() == [FRAME + IPV4]
    assert found.queue.tolist() == found.depth.tolist() == found.delay.tolist() == [-1]


def test_hooks_say_where_packets_come_from_and_go() -> None:
    found = made(
        plain(IPV4, PREROUTING, came=3),
        plain(IPV4, INPUT, came=3),
        plain(IPV4, FORWARD, came=3, goes=4),
        plain(IPV4, OUTPUT, goes=4),
        plain(IPV4, POSTROUTING, goes=4),
        plain(IPV4, 1, goes=4, family=5),  # a device's own hooks have other numbers
    )
    assert found.ifindex.tolist() == [3, 3, 3, 4, 4, 4]
    assert found.egress.tolist() == [False] * 3 + [True] * 3
    assert found.input.tolist() == [3, 3, 3, INTERNAL, 0, 0]
    assert found.output.tolist() == [0, INTERNAL, 4, 4, 4, 4]
    assert found.at_ns.tolist() == [NOW] * 6


def test_lengths_are_those_of_the_packets_own_headers() -> None:
    found = made(
        plain(IPV4, INPUT, came=3),
        plain(IPV6, INPUT, 0x86DD, came=3),
        plain(IPV4[:10], INPUT, came=3),
        plain(bytes(28), INPUT, 0x0806, came=3),
    )
    assert found.length.tolist() == [1500, 1040, 10]  # of ARP it cannot be said how it begins
    assert found.protocol.tolist() == [11, 12, 11]
    assert found.stripped.tolist() == [0] * 3
    assert found.pool.tolist() == [50, 100, 150]


@pytest.mark.parametrize("most", [8, 14, 20, 200])
def test_as_many_octets_are_kept_as_are_wanted(most: int) -> None:
    found = made(packet(IPV4), plain(IPV4, OUTPUT, goes=4), header=most)
    assert found.header.strings() == [(FRAME + IPV4)[:most], IPV4[:most]]


def test_nothing_is_no_rows() -> None:
    assert made().rows == 0


@pytest.mark.parametrize("probability", [0, -0.5, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(UsageError, match="is no probability"):
        NflogSource(5, probability)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="needs root, and nft of nftables")
@pytest.mark.usefixtures("namespace")
def test_what_a_rule_logs_is_sampled() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    rules = (
        "add table inet t; add chain inet t c { type filter hook output priority 0; }; add rule inet t c log group 5"
    )
    subprocess.run(["nft", rules], check=True)
    try:
        with NflogSource(5, 0.25) as source:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.sendto(bytes(100), ("127.0.0.1", 9))
            source.wait(10)
            found = source.read()
            assert source.notes() == []
    except NotSupported as error:
        pytest.skip(f"needs nfnetlink_log: {error}")
    assert found is not None
    lo = socket.if_nametoindex("lo")
    assert (found.ifindex.tolist()[0], found.egress.tolist()[0], found.rate.tolist()[0]) == (lo, True, 4)
    assert (found.length.tolist()[0], found.input.tolist()[0]) == (128, INTERNAL)
