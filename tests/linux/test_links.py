# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
import subprocess
import sys

import pytest

from fleutan.errors import FleutanError
from fleutan.linux.links import Device, closed, device, devices, pairs, uppers

LINK, MASTER, LINKINFO, NETNSID, KIND = 5, 10, 18, 37, 1


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(4, sys.byteorder))


def link(index: int, *attributes: bytes) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 1, index, 0, 0) + b"".join(attributes)


def of_kind(name: str) -> bytes:
    return attribute(LINKINFO, attribute(KIND, name.encode() + b"\0"))


def test_a_master_is_above_and_a_vlan_is_above_what_it_is_on() -> None:
    assert pairs(link(2, number(MASTER, 7))) == [(2, 7)]
    assert pairs(link(3, number(LINK, 2), of_kind("vlan"))) == [(2, 3)]
    assert pairs(link(3, number(LINK, 2), number(MASTER, 7), of_kind("macvlan"))) == [(3, 7), (2, 3)]


def test_the_other_end_of_a_pair_and_what_is_in_another_namespace_are_not() -> None:
    assert pairs(link(3, number(LINK, 2), of_kind("veth"))) == []
    assert pairs(link(3, number(LINK, 2), number(NETNSID, 0), of_kind("vlan"))) == []
    assert pairs(link(3, number(LINK, 2))) == []
    assert pairs(b"short") == []


def test_a_broken_attribute_is_refused() -> None:
    with pytest.raises(FleutanError, match="devices: an attribute"):
        pairs(link(3, struct.pack("=HH", 99, MASTER)))


def test_what_lies_above_one_above_is_above_too_and_circles_end() -> None:
    assert closed([(1, 2), (2, 3), (1, 4)]) == {1: {2, 3, 4}, 2: {3}}
    assert closed([(1, 2), (2, 1)]) == {1: {2}, 2: {1}}
    assert closed([]) == {}


def test_a_macvlan_in_a_bridge_on_a_port_of_another(namespace: None) -> None:
    for words in (
        "link add veth0 type veth peer name veth1",
        "link add br0 type bridge",
        "link add br1 type bridge",
        "link add mv0 link br0 type macvlan",
        "link set veth0 master br0",
        "link set mv0 master br1",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    index = {name: number for number, name in socket.if_nameindex()}
    assert uppers() == {
        index["veth0"]: {index["br0"], index["mv0"], index["br1"]},
        index["br0"]: {index["mv0"], index["br1"]},
        index["mv0"]: {index["br1"]},
    }


def test_a_device_has_a_name_a_kind_and_flags() -> None:
    name = attribute(3, b"eth0\0")
    assert device(link(2, name)) == (2, Device("eth0", "", 0))
    assert device(link(3, name, of_kind("vlan"))) == (3, Device("eth0", "vlan", 0))
    assert device(struct.pack("=BxHiII", 0, 1, 1, 0x9, 0) + name) == (1, Device("eth0", "", 0x9))
    assert device(link(4)) == (4, Device("", "", 0))


def test_the_devices_of_a_namespace(namespace: None) -> None:
    subprocess.run(["ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1"], check=True)
    found = {one.name: (one.kind, one.flags & 0x8) for one in devices().values()}
    assert {name: found[name] for name in ("lo", "d0")} == {"lo": ("", 0x8), "d0": ("veth", 0)}
