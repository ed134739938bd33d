# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct
import subprocess

import pytest
from tests.linux.test_interfaces import named
from tests.linux.test_links import attribute, number, of_kind

from fleutan.errors import FleutanError
from fleutan.linux.devices import IFF_UP, Device, Listing, asked, device

NEWLINK, DELLINK = 16, 17
ADDRESS, LINK, MASTER, LINKINFO, IFALIAS, PROMISCUITY, CARRIER_CHANGES, NETNSID, PARENT = (
    1,
    5,
    10,
    18,
    20,
    30,
    35,
    37,
    56,
)
KIND, SLAVE_KIND, SLAVE_DATA, ACTOR_STATE, PARTNER_STATE = 1, 4, 5, 7, 8


def link(index: int, *attributes: bytes, arphrd: int = 1, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, arphrd, index, flags, 0) + b"".join(attributes)


def test_all_that_is_told_of_a_device() -> None:
    body = link(
        *(7, named("eth0.5"), attribute(ADDRESS, b"\2abcde"), attribute(IFALIAS, "Büro\0".encode()), of_kind("vlan")),
        *(number(MASTER, 9), number(LINK, 3), number(NETNSID, 0), number(PROMISCUITY, 2), number(CARRIER_CHANGES, 4)),
        attribute(PARENT, b"0000:01:00.0\0"),
        flags=IFF_UP,
    )
    expected = Device(7, "eth0.5", 1, IFF_UP, b"\2abcde", "Büro", "vlan", 9, 3, True, "0000:01:00.0", 2, 4)
    assert device(body) == expected


def test_a_device_of_which_little_is_told() -> None:
    assert device(link(1, arphrd=772)) == Device(1, "", 772, 0)


def test_states_of_lacp_are_those_of_a_port_of_a_bond() -> None:
    data = attribute(SLAVE_DATA, attribute(ACTOR_STATE, b"\x3d") + attribute(PARTNER_STATE, struct.pack("=H", 5)))
    bond = attribute(LINKINFO, attribute(SLAVE_KIND, b"bond\0") + data)
    assert device(link(2, bond))[-2:] == ("bond", (61, 5))
    without = attribute(LINKINFO, attribute(SLAVE_KIND, b"bond\0"))
    assert device(link(2, without))[-2:] == ("bond", (None, None))
    bridge = attribute(LINKINFO, attribute(SLAVE_KIND, b"bridge\0") + data)
    assert device(link(2, bridge))[-2:] == ("bridge", (None, None))


def test_what_has_not_changed_is_the_same_object_and_what_is_gone_is_forgotten() -> None:
    answers = [
        [(NEWLINK, link(1, named("a"))), (NEWLINK, link(2, named("b"))), (DELLINK, link(3)), (NEWLINK, b"short")],
        [(NEWLINK, link(1, named("a"))), (NEWLINK, link(2, named("renamed")))],
        [(NEWLINK, link(1, named("other")))],
    ]
    listing = Listing(lambda: answers.pop(0))
    first, second, third = listing.read(), listing.read(), listing.read()
    assert {index: one.name for index, one in first.items()} == {1: "a", 2: "b"}
    assert second[1] is first[1]
    assert second[2].name == "renamed"
    assert {index: one.name for index, one in third.items()} == {1: "other"}


def test_a_broken_attribute_is_refused_and_what_was_known_stays() -> None:
    answers = [[(NEWLINK, link(1, named("a")))], [(NEWLINK, link(1, struct.pack("=HH", 99, 3)))]] * 2
    listing = Listing(lambda: answers.pop(0))
    known = listing.read()
    with pytest.raises(FleutanError, match="devices: an attribute"):
        listing.read()
    assert listing.read()[1] is known[1]


def test_what_only_counted_on_has_not_changed() -> None:
    def counting(count: int, name: str = "a", after: bytes = b"") -> list[tuple[int, bytes]]:
        numbers = struct.pack("=24Q", *[count] * 24)
        return [(NEWLINK, link(1, named(name), attribute(23, numbers), attribute(7, numbers[:96]), after))]

    alias = attribute(IFALIAS, b"x\0")
    answers = [counting(1), counting(2), counting(3, "b"), counting(4, "b", alias), counting(5, "b", alias)]
    listing = Listing(lambda: answers.pop(0))
    found = [listing.read()[1] for _ in range(5)]
    assert found[1] is found[0]
    assert [(one.name, one.alias) for one in found[1:4]] == [("a", None), ("b", None), ("b", "x")]
    assert found[4] is found[3]


def test_this_hosts_devices_count_on_and_stay_the_same() -> None:
    listing = Listing()
    before = listing.read()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"x", ("127.0.0.1", 9))
    index = socket.if_nametoindex("lo")
    assert listing.read()[index] is before[index]
    assert {kind for kind, _ in asked()} == {NEWLINK}


def test_a_namespace_with_a_bridge_and_a_macvlan(namespace: None) -> None:
    for words in (
        "link add veth0 address 02:00:00:00:00:07 type veth peer name veth1",
        "link add br0 type bridge",
        "link set veth0 master br0 up alias 'the first'",
        "link add link veth1 name macvlan0 type macvlan",
    ):
        subprocess.run(["sh", "-c", f"ip {words}"], check=True)
    found = {one.name: one for one in Listing().read().values()}
    index = {name: one.ifindex for name, one in found.items()}
    assert found["veth0"].master == index["br0"]
    assert found["veth0"][4:7] == (b"\2\0\0\0\0\7", "the first", "veth")
    assert (found["veth0"].link, found["macvlan0"].link) == (index["veth1"], index["veth1"])
    assert (found["veth0"].flags & IFF_UP, found["veth1"].flags & IFF_UP) == (IFF_UP, 0)
    assert (found["br0"].kind, found["macvlan0"].kind, found["lo"].kind) == ("bridge", "macvlan", None)
    assert (found["veth0"].slave_kind, found["veth0"].promiscuity) == ("bridge", 1)
    assert found["lo"].arphrd == 772
