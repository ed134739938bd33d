# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

from tests.sources.counters.asked import UP, Told, hardware, made

from fleutan.linux.devices import IFF_LOOPBACK, Device
from fleutan.sources.counters.devices import (
    AT_ONCE,
    LINK_SECONDS,
    Devices,
    Interface,
    adapters,
    counting_once,
    devices,
    not_loopback,
    selected,
)

LOOPBACK = Device(1, "lo", 772, UP | IFF_LOOPBACK, bytes(6))


def names(found: list[Interface]) -> list[str]:
    return sorted(one.name for one in found)


def test_an_interface_with_its_speed() -> None:
    told = Told(hardware(promiscuity=1, alias="the first"))
    found = told.table().table()[2]
    assert (found.speed, found.full_duplex, found.promiscuous, found.alias) == (10**9, True, True, "the first")
    assert (found.up, found.running, found.loopback, found.hardware, found.wireless) == (True, True, False, True, False)


def test_ends_of_pairs_and_lower_devices() -> None:
    told = Told(
        *(hardware(), LOOPBACK, made("veth", 3, "veth0", link=9, elsewhere=True), made("vlan", 4, "eth0.5", link=2)),
        *(made("bridge", 5, "br0", link=5), made("gre", 6, "gre0", link=None)),
    )
    table = told.table().table()
    assert {one.name: (one.lower, one.peer, one.elsewhere, one.hardware) for one in table.values()} == {
        "eth0": (None, None, False, True),
        "lo": (None, None, False, False),
        "veth0": (None, 9, True, False),
        "eth0.5": (2, None, False, False),
        "br0": (None, None, False, False),
        "gre0": (None, None, False, False),
    }


def test_what_is_down_has_no_speed_and_is_not_asked_for_it() -> None:
    told = Told(hardware(flags=0))
    devices = told.table()
    assert devices.table()[2].speed is None
    assert told.asked == []
    told.add(hardware())
    assert devices.table()[2].speed == 10**9


def test_a_table_may_be_so_old() -> None:
    told = Told(hardware())
    devices = told.table()
    devices.table()
    told.clock.now += 0.9
    devices.table(1.0)
    assert told.listed == 1
    told.clock.now += 0.2
    devices.table(1.0)
    devices.table()
    assert told.listed == 3


def test_drivers_are_asked_when_something_changed_and_now_and_then() -> None:
    told = Told(*(hardware(index, f"eth{index}") for index in range(2, 2 + AT_ONCE + 50)))
    devices = told.table()
    devices.table()
    told.speed = 2500
    assert devices.table()[2].speed == 10**9
    told.add(hardware(3, "eth3", carrier_changes=2))
    assert [devices.table()[index].speed for index in (2, 3)] == [10**9, 2_500_000_000]
    told.clock.now += LINK_SECONDS + 1
    told.asked.clear()
    devices.table()
    assert len(told.asked) == AT_ONCE
    devices.table()
    assert len(told.asked) == AT_ONCE + 50
    assert {one.speed for one in devices.table().values()} == {2_500_000_000}


def test_what_is_gone_is_forgotten_and_a_new_name_is_followed() -> None:
    told = Told(hardware(), hardware(3, "eth1"))
    devices = told.table()
    devices.table()
    del told.devices[3]
    told.add(hardware(name="lan0"))
    assert {index: one.name for index, one in devices.table().items()} == {2: "lan0"}


def test_where_the_kernel_does_not_tell_it_is_as_before() -> None:
    told = Told(hardware())
    devices = told.table()
    before = devices.table()
    told.silent.add("listing")
    assert devices.table() == before
    assert devices.notes() == ["interfaces: listing: not told"]
    told.silent.clear()
    devices.table()
    assert devices.notes() == []


def test_without_a_socket_there_are_no_speeds() -> None:
    told = Told(hardware())
    told.silent.add("asking")
    devices = told.table()
    assert devices.table()[2].speed is None
    assert devices.notes() == ["speeds of interfaces: no socket"]


def test_the_namespace_is_named_if_it_can_be() -> None:
    told = Told()
    told.silent.add("namespace")
    devices = told.table()
    assert (devices.netns(), told.table().netns()) == (None, None)
    told.silent.clear()
    assert (devices.netns(), told.table().netns()) == (None, "blue")


def test_a_wireless_interface_is_one_if_it_is_that_of_the_namespace(tmp_path: Path) -> None:
    (tmp_path / "class/net/wlan0/phy80211").mkdir(parents=True)
    (tmp_path / "class/net/wlan0/ifindex").write_text("2\n")
    found = Told(hardware(2, "wlan0")).table(str(tmp_path)).table()
    other = Told(hardware(3, "wlan0")).table(str(tmp_path)).table()
    assert (found[2].wireless, other[3].wireless) == (True, False)


def test_hardware_counts_once() -> None:
    told = Told(
        *(LOOPBACK, hardware(2, "eth0", master=4), hardware(3, "eth1", master=4), made("bond", 4, "bond0")),
        *(made("vlan", 5, "bond0.7", link=4), made("bridge", 6, "br0"), made("veth", 7, "veth0", link=1)),
        *(made("wireguard", 8, "wg0"), made("tun", 9, "tap0"), made("ipoib", 10, "ib0")),
        *(made("ipoib", 11, "ib0.8001", link=10), hardware(12, "down0", flags=0)),
    )
    assert names(counting_once(told.table().table())) == ["down0", "eth0", "eth1", "ib0"]


def test_a_virtual_function_below_hardware_is_counted_by_that() -> None:
    told = Told(hardware(2, "eth0"), hardware(3, "vf0", master=2))
    assert names(counting_once(told.table().table())) == ["eth0"]


def test_in_a_container_the_way_out_counts() -> None:
    told = Told(
        *(LOOPBACK, made("veth", 2, "eth0", link=9, elsewhere=True), made("bridge", 3, "br0")),
        *(made("veth", 4, "veth0", link=5), made("veth", 5, "veth1", link=4)),
        *(made("macvlan", 6, "mac0", link=2, elsewhere=True), made("vlan", 7, "eth0.1", link=2)),
    )
    assert names(counting_once(told.table().table())) == ["eth0", "mac0"]


def test_adapters_have_addresses_of_their_own() -> None:
    told = Told(
        *(LOOPBACK, hardware(5), hardware(3, "off0", flags=0), hardware(4, "zero0", mac=bytes(6))),
        made("bridge", 2, "br0"),
        *(made("veth", 7, "veth0", link=1), made("tun", 8, "tap0", master=2), made("tun", 9, "vpn0")),
        *(hardware(10, "none0", mac=None), hardware(11, "ib0", arphrd=32)),
    )
    assert [one.name for one in adapters(told.table().table(), 32)] == ["br0", "eth0", "vpn0"]
    assert [one.name for one in adapters(told.table().table(), 2)] == ["br0", "eth0"]


def test_in_a_container_the_end_of_a_pair_is_the_adapter() -> None:
    told = Told(LOOPBACK, made("veth", 2, "eth0", link=9, elsewhere=True))
    assert [one.name for one in adapters(told.table().table(), 32)] == ["eth0"]


def test_those_that_are_up_and_wanted() -> None:
    told = Told(LOOPBACK, hardware(), hardware(3, "eth1", flags=0))
    table = told.table().table()
    assert names([*selected(table, not_loopback)]) == ["eth0"]
    assert names([*selected(table, lambda one: one.name == "lo")]) == ["lo"]


def test_a_namespace_is_followed(namespace: None) -> None:
    def ip(words: str) -> None:
        subprocess.run(["sh", "-c", f"ip {words}"], check=True)

    ip("link add veth0 type veth peer name veth1")
    watched = Devices()
    before = {one.name: one for one in watched.table().values()}
    assert (before["veth0"].up, before["veth0"].speed) == (False, None)
    assert before["veth0"].peer == before["veth1"].ifindex
    ip("link set veth0 up")
    ip("link set veth1 up")
    assert {one.name: one.speed for one in watched.table().values() if one.up} == {"veth0": 10**10, "veth1": 10**10}
    ip("link set veth0 down")
    ip("link set veth0 name renamed")
    assert {one.name for one in watched.table().values()} == {"lo", "renamed", "veth1"}
    ip("link delete renamed")
    assert {one.name for one in watched.table().values()} == {"lo"} == {one.name for one in devices()}
    assert watched.notes() == []
    assert watched.stats([]) == {}
