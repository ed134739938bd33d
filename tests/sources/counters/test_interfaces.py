# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.linux.test_bonding import LACP, mac
from tests.linux.test_optics import sfp
from tests.sources.counters.asked import Told, counted, hardware, made

from fleutan.linux.linkstats import Lacp
from fleutan.observed import HOST, INTERFACE, Source
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.interfaces import InterfaceCounters


def interfaces(told: Told, proc: Path = Path("/none")) -> InterfaceCounters:
    return InterfaceCounters(told.table(), proc=str(proc), clock=told.clock)


def test_each_interface_that_is_up_is_a_source() -> None:
    told = Told(hardware(), hardware(3, "eth1", flags=0), made("veth", 4, "veth0", alias="pod"))
    found = interfaces(told)
    assert found.sources() == [Source(INTERFACE, 2), Source(INTERFACE, 4)]
    first, second = found.read([*found.sources(), Source(HOST, 1), Source(INTERFACE, 99)])
    assert first.source == (INTERFACE, 2)
    assert first.labels == {"dev": "eth0", "mac": "02:00:00:00:00:07", "netns": "blue"}
    assert second.labels["alias"] == "pod"
    assert [*first.structures] == ["if_counters", "port_name"]
    assert first.structures["port_name"] == {"name": "eth0"}
    assert first.structures["if_counters"]["ifInOctets"] == 102
    assert found.notes() == []


def test_what_the_driver_counts_is_learned_once() -> None:
    told = Told(hardware(), made("veth", 4, "veth0"))
    told.names, told.values = ["x", "rx_broadcast", "rx_prio3_pause", "tx_prio3_pause"], [0, 5, 6, 7]
    found = interfaces(told)
    for _ in range(2):
        first, second = found.read(found.sources())
        assert first.structures["if_counters"]["ifInBroadcastPkts"] == 5
        assert first.structures["pfc"]["requests"] == 7
        assert second.structures.keys() == {"if_counters", "port_name"}
    assert [command for name, command in told.asked if name == "eth0" and command in (0x1B, 0x1D)] == [0x1B, 0x1D, 0x1D]
    assert {command for name, command in told.asked if name == "veth0"} == {0x4C}


def test_counters_that_are_others_by_now_are_learned_anew() -> None:
    told = Told(hardware())
    told.names, told.values = ["rx_broadcast"], [5]
    found = interfaces(told)
    [*found.read(found.sources())]
    told.names, told.values = ["new", "rx_broadcast"], [1, 6]
    broadcast = [next(iter(found.read(found.sources()))).structures["if_counters"]["ifInBroadcastPkts"] for _ in "ab"]
    assert broadcast == [None, 6]


def test_another_device_of_the_index_has_another_driver() -> None:
    told = Told(hardware())
    told.names, told.values = ["rx_broadcast"], [5]
    found = interfaces(told)
    [*found.read(found.sources())]
    told.add(hardware(name="eth7"))
    told.names, told.values = [], []
    found.sources()
    [renamed] = found.read(found.sources())
    assert renamed.structures["if_counters"]["ifInBroadcastPkts"] is None
    told.devices.clear()
    assert found.sources() == []


def test_ports_of_a_bond(tmp_path: Path) -> None:
    (tmp_path / "thread-self/net/bonding").mkdir(parents=True)
    (tmp_path / "thread-self/net/bonding/bond0").write_bytes(LACP)
    port: dict[str, Any] = {"master": 5, "slave_kind": "bond", "lacp": (61, 63)}
    told = Told(
        *(hardware(2, "eth1", **port), hardware(3, "eth3", **port), made("bond", 5, "bond0")),
        *(hardware(7, "eth7", master=8, slave_kind="bond"), made("bond", 8, "bond1")),
        hardware(9, "eth9", master=99, slave_kind="bond"),
    )
    told.stats[2] = counted(lacp=Lacp(1, 2))
    found = interfaces(told, tmp_path)
    lag = {
        one.source.ds_index: one.structures["lag_port_stats"]
        for one in found.read(found.sources())
        if "lag_port_stats" in one.structures
    }
    assert lag.keys() == {2, 3, 7, 9}
    assert lag[2]["dot3adAggPortActorSystemID"] == mac(0xAA)
    assert lag[2]["dot3adAggPortActorOperState"] == 61
    assert lag[2]["dot3adAggPortStatsLACPDUsTx"] == 2
    assert [lag[index]["dot3adAggPortActorSystemID"] for index in (3, 7, 9)] == [None, None, None]
    assert [lag[index]["dot3adAggPortAttachedAggID"] for index in (3, 7, 9)] == [5, 8, 99]


def test_an_optical_module_is_told_of() -> None:
    told = Told(hardware(), made("bridge", 4, "br0"))
    told.memory = bytes(sfp())
    found = interfaces(told)
    first, second = found.read(found.sources())
    assert first.structures["sfp"]["module_supply_voltage"] == 3300
    assert "sfp" not in second.structures


def test_an_interface_that_goes_meanwhile_is_left_out() -> None:
    told = Told(hardware(), hardware(3, "eth1"))
    found = interfaces(told)
    wanted = found.sources()
    told.gone.add(3)
    assert [one.source.ds_index for one in found.read(wanted)] == [2]


def test_where_the_kernel_does_not_tell_there_are_no_counters() -> None:
    told = Told(hardware())
    found = interfaces(told)
    wanted = found.sources()
    told.silent.add("stats")
    assert [*found.read(wanted)] == []
    assert found.notes() == ["interfaces: stats: not told"]
    told.silent.clear()
    assert len([*found.read(wanted)]) == 1
    assert found.notes() == []


def test_without_a_socket_for_drivers_the_rest_is_told() -> None:
    told = Told(hardware())
    found = interfaces(told)
    wanted = found.sources()
    told.silent.add("asking")
    [one] = found.read(wanted)
    assert one.structures.keys() == {"if_counters", "port_name"}
    assert found.notes() == ["drivers of interfaces: no socket"]


def test_a_real_pair_counts_what_is_sent_over_it(namespace: None) -> None:
    for words in ("link add veth0 type veth peer name veth1", "link set veth0 up", "link set veth1 up"):
        subprocess.run(["ip", *words.split()], check=True)
    found = InterfaceCounters(Devices())
    index = {name: number for number, name in socket.if_nameindex()}

    def counters() -> dict[str, dict[str, int]]:
        return {one.labels["dev"]: dict(one.structures["if_counters"]) for one in found.read(found.sources())}

    before = counters()
    assert before.keys() == {"veth0", "veth1"}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sending:
        sending.bind(("veth0", 0))
        for _ in range(10):
            sending.send(b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5" + bytes(86))
    after = counters()
    assert after["veth1"]["ifInOctets"] - before["veth1"]["ifInOctets"] >= 1000
    assert after["veth0"]["ifOutUcastPkts"] - before["veth0"]["ifOutUcastPkts"] >= 10
    assert [after["veth0"][name] for name in ("ifIndex", "ifType", "ifSpeed", "ifDirection", "ifStatus")] == [
        *(index["veth0"], 6, 10**10, 1, 3)
    ]
