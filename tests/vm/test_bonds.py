# SPDX-License-Identifier: Apache-2.0
"""Two bonds that speak LACP with each other over two cables: what we tell of a port is what the kernel does."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from tests.linux.conftest import namespace
from tests.namespaces.conftest import until

from fleutan.sources.counters.devices import Devices, counting_once
from fleutan.sources.counters.interfaces import InterfaceCounters

__all__ = ["namespace"]
#: IEEE 802.1AX: aggregation, synchronization, collecting, distributing.
WORKING = 0x3C
BONDS = {"bond0": bytes([2, 0, 0, 0, 0, 0xA]), "bond1": bytes([2, 0, 0, 0, 0, 0xB])}


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


@pytest.fixture
def bonds(namespace: None) -> None:
    made = "link add bond0 type bond mode 802.3ad lacp_rate fast miimon 50"
    tried = subprocess.run(["ip", *made.split()], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip("needs the device bond of this kernel (CONFIG_BONDING)")
    ip(made.replace("bond0", "bond1"))
    for bond, address in BONDS.items():
        ip(f"link set {bond} address {address.hex(':')}")
    for cable in "ab":
        ip(f"link add {cable}0 type veth peer name {cable}1")
        for end in "01":
            ip(f"link set {cable}{end} master bond{end}")
            ip(f"link set {cable}{end} up")
    for bond in BONDS:
        ip(f"link set {bond} up")


def ports(counters: InterfaceCounters) -> dict[str, dict[str, Any]]:
    found = counters.read(counters.sources())
    return {one.labels["dev"]: dict(one.structures.get("lag_port_stats", {})) for one in found}


def test_a_port_tells_whom_it_speaks_with(bonds: None) -> None:
    devices = Devices()
    counters = InterfaceCounters(devices)

    def working() -> dict[str, dict[str, Any]] | None:
        found = ports(counters)
        told = [port for port in found.values() if port]
        states = [port[f"dot3adAggPort{side}OperState"] for port in told for side in ("Actor", "Partner")]
        return found if len(told) == 4 and all((state or 0) & WORKING == WORKING for state in states) else None

    found = until(working, "both bonds distribute over both cables", 40)
    index = {one.name: one.ifindex for one in devices.table().values()}
    for name in ("a0", "b0", "a1", "b1"):
        own, other = (f"bond{end}" for end in (name[1], {"0": "1", "1": "0"}[name[1]]))
        port = found[name]
        assert port["dot3adAggPortAttachedAggID"] == index[own]
        assert port["dot3adAggPortActorSystemID"] == BONDS[own]
        assert port["dot3adAggPortPartnerOperSystemID"] == BONDS[other]
        assert port["dot3adAggPortStatsLACPDUsRx"] > 0
        assert port["dot3adAggPortStatsLACPDUsTx"] > 0
        assert port["dot3adAggPortStatsIllegalRx"] == 0
    assert found["bond0"] == {}
    assert devices.table()[index["bond0"]].kind == "bond"
    assert counting_once(devices.table()) == []
