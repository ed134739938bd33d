# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from tests.sources.counters.asked import counted

from fleutan.linux.bonding import Port
from fleutan.linux.linkstats import Lacp
from fleutan.linux.optics import Lane, Optics
from fleutan.protocols.sflow.layouts import COUNTERS
from fleutan.protocols.sflow.layouts.xdr import Array
from fleutan.sources.counters.devices import Interface
from fleutan.sources.counters.ifstructures import if_counters, lag_port_stats, pfc, sfp

ETH = Interface(7, "eth0", speed=25_000_000_000, full_duplex=True)


def in_layouts_order(name: str, values: dict[str, Any]) -> None:
    """The structure has the fields of its layout, in their order."""
    [layout] = [layout for layout in COUNTERS if layout.name == name]
    assert tuple(values) == layout.names


def test_an_interface_of_which_little_is_known() -> None:
    values = if_counters(Interface(7, "eth0"), counted(), {})
    in_layouts_order("if_counters", values)
    assert values == {
        "ifIndex": 7,
        "ifType": 6,
        "ifSpeed": 0,
        "ifDirection": 0,
        "ifStatus": 3,
        "ifInOctets": 102,
        "ifInUcastPkts": 100,
        "ifInMulticastPkts": None,
        "ifInBroadcastPkts": None,
        "ifInDiscards": 106 + 109,
        "ifInErrors": 104,
        "ifInUnknownProtos": None,
        "ifOutOctets": 103,
        "ifOutUcastPkts": 101,
        "ifOutMulticastPkts": None,
        "ifOutBroadcastPkts": None,
        "ifOutDiscards": 107,
        "ifOutErrors": 105,
        "ifPromiscuousMode": 0,
    }


def test_kinds_of_packets_are_taken_from_all() -> None:
    of_driver = {"rx_broadcast": 5, "tx_multicast": 7, "tx_broadcast": 11}
    values = if_counters(ETH, counted(multicast=3), of_driver)
    assert [values[f"ifIn{kind}Pkts"] for kind in ("Ucast", "Multicast", "Broadcast")] == [92, 3, 5]
    assert [values[f"ifOut{kind}Pkts"] for kind in ("Ucast", "Multicast", "Broadcast")] == [83, 7, 11]
    assert if_counters(ETH, counted(multicast=3), {"rx_multicast": 2})["ifInMulticastPkts"] == 2
    assert if_counters(ETH, counted(multicast=300), {})["ifInUcastPkts"] == 0


def test_speed_duplex_and_states() -> None:
    values = if_counters(ETH._replace(running=False, promiscuous=True), counted(), {})
    assert [values[name] for name in ("ifSpeed", "ifDirection", "ifStatus", "ifPromiscuousMode")] == [
        25 * 10**9,
        1,
        1,
        1,
    ]
    assert if_counters(ETH._replace(full_duplex=False, up=False, running=False), counted(), {})["ifDirection"] == 2


@pytest.mark.parametrize(
    ("arphrd", "expected"), [(1, 6), (772, 24), (768, 131), (776, 131), (803, 71), (65534, 131), (32, 199), (4711, 1)]
)
def test_the_type_is_that_of_the_hardware(arphrd: int, expected: int) -> None:
    assert if_counters(Interface(7, "x", arphrd=arphrd), counted(), {})["ifType"] == expected


def test_a_wireless_interface_calls_itself_ethernet() -> None:
    assert if_counters(Interface(7, "wlan0", wireless=True), counted(), {})["ifType"] == 71


def test_a_port_of_a_bond() -> None:
    one = ETH._replace(master=9, lacp=(61, 5))
    values = lag_port_stats(one, Port(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"), Lacp(1, 2, 3, 4, 5, 6, 7, 8))
    in_layouts_order("lag_port_stats", values)
    assert [*values.values()] == [b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", 9, None, 61, None, 5, 1, 5, 7, 3, 4, 2, 6, 8]
    assert [*lag_port_stats(one._replace(lacp=(None, None)), Port(), None).values()] == [None, None, 9, *[None] * 12]


def test_an_optical_module() -> None:
    values = sfp(ETH, Optics(3300, -2500, (Lane(1, 6000, 568, 100, 1000, 850, 432, 20, 1100),)))
    in_layouts_order("sfp", values)
    [lane] = values.pop("lanes")
    assert [*values.values()] == [7, 1, 3300, -2500]
    assert lane == (1, 6000, 568, 100, 1000, 850, 432, 20, 1100, None)
    [layout] = [layout for layout in COUNTERS if layout.name == "sfp"]
    array = layout.fields[-1].type
    assert isinstance(array, Array)
    assert isinstance(array.item, tuple)
    [*names, received] = [field.name for field in array.item]
    assert [name.removesuffix("_current") for name in names] == ["index", *Lane._fields[1:]]
    assert received == "rx_wavelength"


def test_priority_flow_control() -> None:
    values = pfc({"pfc_tx": 1, "pfc_rx": 2, "pfc_duration": 3, "storms": 4})
    in_layouts_order("pfc", values)
    assert [*values.values()] == [1, 2, 3, 4, None]
    assert [*pfc({"pfc_rx": 2}).values()] == [None, 2, None, None, None]
