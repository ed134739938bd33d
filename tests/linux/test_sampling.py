# SPDX-License-Identifier: Apache-2.0
"""Frames of a ring made by hand, and the packets of a namespace of one's own."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
from tests.namespaces.conftest import PLAIN

from fleutan.errors import UsageError
from fleutan.linux import capabilities
from fleutan.linux.sampling import OUTGOING, Sampling, captured, program

#: struct tpacket2_hdr and struct sockaddr_ll, written down on their own.
HEAD = struct.Struct("=3I2H2I2H4xHHiHB9x")
needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")


def frame(
    packet: bytes,
    length: int = 0,
    *,
    mac: int = 66,
    net: int = 80,
    status: int = 1,
    tag: tuple[int, int] = (0, 0),
    **more: int,
) -> bytes:
    """A frame of 256 octets with this packet in it."""
    said = {"kept": len(packet), "protocol": 0x0800, "ifindex": 2, "hatype": 1, "pkttype": 0, **more}
    tpid, tci = tag
    head = HEAD.pack(
        *(status, length or len(packet), said["kept"], mac, net, 5, 7, tci, tpid),
        *(17, socket.htons(said["protocol"]), said["ifindex"], said["hatype"], said["pkttype"]),
    )
    return (head.ljust(mac, b"\0") + packet).ljust(256, b"\0")


def frames(*made: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 256)


def test_the_heads_of_frames_are_columns() -> None:
    found = captured(
        frames(frame(b"x" * 60, 1500, ifindex=3, pkttype=OUTGOING), frame(b"y", tag=(0x8100, 5), status=1 | 16))
    )
    assert found.mac.tolist() == [66, 66]
    assert found.kept.tolist() == [60, 1]
    assert found.length.tolist() == [1500, 1]
    assert found.at_ns.tolist() == [5_000_000_007] * 2
    assert (found.ifindex.tolist(), found.protocol.tolist(), found.hatype.tolist()) == ([3, 2], [0x0800] * 2, [1, 1])
    assert found.pkttype.tolist() == [OUTGOING, 0]
    assert found.tag.tolist() == [0, 0x8100_0005]


def test_a_frame_that_claims_more_than_it_has_room_for_ends_with_it() -> None:
    found = captured(frames(frame(b"x", kept=9_999), frame(b"", mac=66, kept=0)))
    assert found.kept.tolist() == [256 - 66, 0]
    assert captured(frames(frame(b"x"))[:0]).kept.tolist() == []


def test_a_sample_of_all_draws_no_lots() -> None:
    assert program(64, 1) == struct.pack("=HBBI", 0x06, 0, 0, 64)
    assert [code for code, *_ in struct.iter_unpack("=HBBI", program(64, 10))] == [0x20, 0x94, 0x15, 0x06, 0x06]


@pytest.mark.parametrize(("snaplen", "one_in"), [(0, 1), (4097, 1), (64, 0), (64, 1 << 32)])
def test_numbers_that_are_none_are_refused(snaplen: int, one_in: int) -> None:
    with pytest.raises(UsageError):
        Sampling(snaplen, one_in)


def exchange(count: int) -> int:
    """Sends datagrams of 100 octets to a port of loopback, and says which one."""
    with socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        for _ in range(count):
            here.sendto(bytes(100), there.getsockname())
            there.recv(200)
        port: int = there.getsockname()[1]
        return port


def to(port: int, found: list[bytes]) -> list[bytes]:
    return [packet for packet in found if packet[36:38] == port.to_bytes(2, "big")]


def packets(sampling: Sampling) -> list[bytes]:
    found = sampling.read()
    ends = zip(found.frames, found.mac.tolist(), found.kept.tolist(), strict=True)
    return [row[mac : mac + kept].tobytes() for row, mac, kept in ends]


@needs_raw
def test_packets_are_kept_once_with_their_first_octets_however_often_the_ring_went_round() -> None:
    with Sampling(64, room=1 << 16) as sampling:  # room for 256 frames
        for _ in range(5):
            port = exchange(50)
            assert [len(packet) for packet in to(port, packets(sampling))] == [64] * 100, "sent and received"
        assert sampling.dropped() == 0


@needs_raw
def test_what_found_no_room_is_counted() -> None:
    with Sampling(64, room=1 << 16) as sampling:
        exchange(200)
        assert len(packets(sampling)) == 256
        assert sampling.dropped() >= 144
        assert sampling.dropped() >= 144, "since it was entered"


@needs_raw
def test_one_in_so_many_is_a_sample() -> None:
    with Sampling(64, 10) as sampling:
        count = len(to(exchange(5_000), packets(sampling)))
    assert 700 < count < 1300, "10,000 packets; that is ten standard deviations each way"


_REFUSED = """
import os
from fleutan.errors import NotSupported
from fleutan.linux.sampling import Sampling
if not os.getuid():
    os.setuid(65534)
try:
    with Sampling(64):
        print("sampled")
except NotSupported as error:
    print(error)
"""


def test_without_the_capability_it_is_refused() -> None:
    said = subprocess.run([sys.executable, "-c", _REFUSED], check=True, capture_output=True, text=True, env=PLAIN)
    assert said.stdout.strip() == "packets: needs CAP_NET_RAW; run as root"
