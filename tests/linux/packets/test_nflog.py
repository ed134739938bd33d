# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.linux.conftest import namespace

from fleutan.errors import NotSupported, UsageError
from fleutan.linux import attributes as read
from fleutan.linux.attributes import Messages
from fleutan.linux.netlink import Refused, attribute
from fleutan.linux.packets.nflog import INPUT, Logged, Nflog, configuration, parse

__all__ = ["namespace"]  # a fixture
PACKET = 4 << 8
FRAME = bytes(range(12)) + b"\x08\0"

#: A child without privileges says what it may not.
AS_NOBODY = """
import os
from fleutan.errors import NotSupported
from fleutan.linux.packets.nflog import Nflog
os.setgroups([])
os.setresuid(65534, 65534, 65534)
try:
    Nflog(5).__enter__()
except NotSupported as error:
    print(error)
"""


def packet(payload: bytes = b"E....", family: int = 2, hook: int = INPUT, link: int = 1) -> bytes:
    """The body of a message, as nfnetlink_log.c makes it for a packet of IPv4 that comes in."""
    parts = [
        (1, struct.pack("!HBx", 0x0800, hook)),
        (10, b"chosen \0"),
        (4, struct.pack("!I", 3)),
        (2, struct.pack("!I", 0xCAFE)),
        (15, struct.pack("!H", link)),
        (16, FRAME),
        (3, struct.pack("!QQ", 1_700_000_000, 123_456)),
        (12, struct.pack("!I", 8)),
        (9, payload),
    ]
    return struct.pack("!BBH", family, 0, 5) + b"".join(attribute(kind, value) for kind, value in parts)


def messages(*bodies: bytes, kind: int = PACKET) -> Messages:
    datagrams = [struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body for body in bodies]
    sizes = np.array([len(one) for one in datagrams], np.int64)
    return read.messages(np.frombuffer(b"".join(datagrams), np.uint8), np.cumsum(sizes) - sizes, sizes)


def text(found: Logged, starts: str, size: int, row: int = 0) -> bytes:
    start = int(getattr(found, starts)[row])
    return found.octets[start : start + size].tobytes()


def test_everything_that_is_told_is_read() -> None:
    found = parse(messages(packet(b"E" * 28)))
    numbers = ["family", "hook", "protocol", "input", "output", "mark", "sequence", "at_ns"]
    assert [getattr(found, name).tolist() for name in numbers] == [
        *([2], [INPUT], [0x800], [3], [0], [0xCAFE], [8], [1_700_000_000_123_456_000])
    ]
    assert text(found, "starts", int(found.sizes[0])) == b"E" * 28
    assert text(found, "link", 14) == FRAME
    assert text(found, "prefix", int(found.prefix_size[0])) == b"chosen "


def test_what_is_not_told_is_not_known() -> None:
    least = struct.pack("!BBH", 2, 0, 5) + attribute(1, bytes(4)) + attribute(9, b"E")
    found = parse(messages(least, packet(link=778)))
    assert (found.link.tolist(), found.at_ns.tolist()[0], found.prefix_size.tolist()[0]) == ([-1, -1], 0, 0)
    assert (found.input.tolist(), found.mark.tolist()) == ([0, 3], [0, 0xCAFE])


def test_what_is_no_packet_is_left_out() -> None:
    headless = struct.pack("!BBH", 2, 0, 5) + attribute(9, b"E")
    found = parse(messages(b"", packet(b""), headless, packet()))
    assert found.sequence.tolist() == [8]
    assert len(parse(messages(packet(), kind=PACKET | 1)).sequence) == 0


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_octets_are_packets_or_none(bodies: list[bytes]) -> None:
    found = parse(messages(*bodies))
    assert (found.starts + found.sizes <= len(found.octets)).all()


def test_a_group_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="no group 65536"):
        Nflog(65536)


def test_the_request_has_all_that_is_wanted() -> None:
    body = configuration(5, 96)
    assert body[:4] == b"\0\0\0\5"
    octets = np.frombuffer(body, np.uint8)
    told = read.attributes(octets, np.array([4]), np.array([len(body)]))
    values = {kind: body[int(told.starts[kind][0]) :][: int(told.sizes[kind][0])] for kind in told.sizes}
    assert values[1] == b"\1"  # to be bound
    assert values[2] == b"\0\0\0\x60\2\0"
    assert values[6] == b"\0\1"  # with numbers


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give privileges up")
def test_nobody_is_told_what_it_takes() -> None:
    said = subprocess.run([sys.executable, "-c", AS_NOBODY], capture_output=True, text=True, check=True).stdout
    assert said == "packets logged to group 5 (nflog): it takes CAP_NET_ADMIN; run as root\n"


@pytest.mark.parametrize(
    ("number", "reason"), [(16, "another program"), (22, "does not offer it"), (12, "cannot allocate memory")]
)
@pytest.mark.usefixtures("namespace")
def test_each_refusal_has_a_reason(number: int, reason: str) -> None:
    assert reason in Nflog(5)._not_supported(Refused("nflog", number)).reason


# -- the kernel


@pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")
@pytest.mark.usefixtures("namespace")
def test_what_a_rule_logs_is_read() -> None:
    rules = """
        add table inet t
        add chain inet t c { type filter hook input priority 0; }
        add rule inet t c udp dport 9 meta mark set 7 log prefix "mine" group 5
    """
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    try:
        with Nflog(5, header=40) as kernel:
            subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.sendto(bytes(100), ("127.0.0.1", 9))
            kernel.listener.wait(10)
            found = kernel.read()
            assert kernel.read() is None
            with pytest.raises(NotSupported, match="another program has this group"), Nflog(5):
                pass
    except NotSupported as error:
        pytest.skip(f"needs nfnetlink_log: {error}")
    assert found is not None
    assert (found.hook.tolist(), found.mark.tolist(), found.sequence.tolist()) == ([INPUT], [7], [0])
    assert (found.input.tolist(), found.output.tolist()) == ([socket.if_nametoindex("lo")], [0])
    assert (found.sizes.tolist(), found.protocol.tolist()) == ([40], [0x800])
    assert text(found, "starts", 1) == b"E"
    assert text(found, "link", 14) == bytes(12) + b"\x08\0"
    assert text(found, "prefix", int(found.prefix_size[0])) == b"mine"
