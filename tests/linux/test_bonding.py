# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fleutan.linux.bonding import Port, ports

#: As Linux 6.1 shows it to root; shortened.
LACP = b"""Ethernet Channel Bonding Driver: v6.1.0-50-amd64

Bonding Mode: IEEE 802.3ad Dynamic link aggregation
Transmit Hash Policy: layer2 (0)
MII Status: up

802.3ad info
LACP active: on
System priority: 65535
System MAC address: 02:00:00:00:00:0a
Active Aggregator Info:
\tAggregator ID: 1
\tPartner Mac Address: 02:00:00:00:00:0b

Slave Interface: eth1
MII Status: up
Permanent HW addr: 02:00:00:00:00:01
Aggregator ID: 1
Actor Churn State: none
details actor lacp pdu:
    system priority: 65535
    system mac address: 02:00:00:00:00:aa
    port state: 61
details partner lacp pdu:
    system priority: 65535
    system mac address: 02:00:00:00:00:bb
    port state: 61

Slave Interface: eth2
MII Status: down
Aggregator ID: 2
details actor lacp pdu:
    system mac address: 02:00:00:00:00:aa
details partner lacp pdu:
    system mac address: 00:00:00:00:00:00
"""


def mac(last: int) -> bytes:
    return bytes([2, 0, 0, 0, 0, last])


def test_each_port_has_its_systems_and_no_partner_is_the_bonds() -> None:
    assert ports(LACP) == {"eth1": Port(mac(0xAA), mac(0xBB)), "eth2": Port(mac(0xAA), mac(0x0B))}


def test_without_details_they_are_the_bonds() -> None:
    text = LACP.replace(b"details", b"  ").replace(b"    system mac", b"    other")
    assert ports(text) == {"eth1": Port(mac(0x0A), mac(0x0B)), "eth2": Port(mac(0x0A), mac(0x0B))}


def test_other_bonds_have_none() -> None:
    text = b"Bonding Mode: fault-tolerance (active-backup)\n\nSlave Interface: eth1\nMII Status: up\n"
    assert ports(text) == {"eth1": Port(None, None)}
    assert ports(b"") == {}


def test_broken_addresses_are_none() -> None:
    assert ports(b"System MAC address: xx:00\nSlave Interface: a\n") == {"a": Port()}
    assert ports(b"System MAC address: 02:00\ndetails :\nSlave Interface: a\n") == {"a": Port()}
