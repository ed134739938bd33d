# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import FleutanError
from fleutan.linux.outward import Sides, leading_out, outward, parse

DEV = """\
Inter-|   Receive                      |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0
  eth0: 184467440737 22    3    4    5     6          7         8       9       10   11   12   13    14
eth0:1:       5       6    7    8    9    10         11        12      13       14   15   16   17    18
 short: 1 2 3
"""
NEWLINK, LOOPBACK = 16, 8


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(
    name: str, number: int, kind: str = "", *, elsewhere: bool = False, master: int = 0, flags: int = 0
) -> tuple[int, bytes]:
    body = struct.pack("=BxHiII", 0, 1, number, flags, 0) + attribute(3, name.encode() + b"\0")
    if kind:
        body += attribute(18, attribute(1, kind.encode()))
    if elsewhere:
        body += attribute(37, bytes(4))
    if master:
        body += attribute(10, struct.pack("=I", master))
    return NEWLINK, body


def test_counters_of_devices() -> None:
    assert parse(DEV) == {
        "lo": Sides(100, 1, 0, 0, 100, 1, 0, 0),
        "eth0": Sides(184467440737, 22, 3, 4, 9, 10, 11, 12),
        "eth0:1": Sides(5, 6, 7, 8, 13, 14, 15, 16),
    }
    assert parse(None) == {}


@given(st.text())
def test_any_text_is_understood_or_passed_over(text: str) -> None:
    parse(text)


LO = link("lo", 1, flags=LOOPBACK)


def test_a_container_has_one_end_of_a_pair() -> None:
    assert leading_out([LO, link("eth0", 2, "veth", elsewhere=True)]) == {"eth0"}


def test_hardware_leads_out_and_what_lies_on_it_is_the_same_once_more() -> None:
    links = [LO, link("eth0", 2), link("eth0.7", 3, "vlan"), link("wg0", 4, "wireguard"), link("dummy0", 5, "dummy")]
    assert leading_out(links) == {"eth0"}


def test_what_runs_in_a_container_in_turn_is_not_counted_once_more() -> None:
    inner = link("veth1", 5, "veth", elsewhere=True, master=4)
    assert leading_out([LO, link("eth0", 2, "veth", elsewhere=True), link("docker0", 4, "bridge"), inner]) == {"eth0"}
    assert leading_out([link("veth3", 6, "veth"), link("veth4", 7, "veth")]) == frozenset()


def test_links_of_a_bond_are_counted() -> None:
    links = [link("bond0", 4, "bond"), *(link(f"eth{at}", at, elsewhere=False, master=4) for at in (2, 3))]
    assert leading_out(links) == {"eth2", "eth3"}


def test_a_program_may_be_the_way_out() -> None:
    assert leading_out([LO, link("tap0", 2, "tun")]) == {"tap0"}
    assert leading_out([LO, link("tap0", 2, "tun"), link("eth0", 3, "macvlan", elsewhere=True)]) == {"eth0"}


def test_broken_messages() -> None:
    assert leading_out([(3, b""), (NEWLINK, b"x")]) == frozenset()
    with pytest.raises(FleutanError, match="attribute"):
        leading_out([(NEWLINK, link("eth0", 1)[1][:16] + b"\xff\xff\3\0")])


def test_real_devices(namespace: None) -> None:
    assert outward() == frozenset()
    name = f"fln{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "link", "add", "one", "type", "veth", "peer", "other", "netns", name], check=True)
        subprocess.run(["ip", "link", "add", "br0", "type", "bridge"], check=True)
        assert outward() == {"one"}
        assert set(parse(Path("/proc/thread-self/net/dev").read_text())) >= {"lo", "one", "br0"}
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
