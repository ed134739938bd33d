# SPDX-License-Identifier: Apache-2.0
"""Sampled packets of a real unit say which data source it is, and its counters are sent by that number."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests import cgroups
from tests.namespaces.conftest import PLAIN, Actor, World, until

from fleutan.protocols.sflow.messages import parse

pytestmark = pytest.mark.usefixtures("needs_bpf")
NAME = f"fln{os.getpid()}.service"
PATH = f"/fln{os.getpid()}.slice/{NAME}"
WORDS = (
    *("--polling", "1", "--sampling", "1", "--device", "veth*", "--no-drops", "--address", "192.0.2.1"),
    *("--collector", "127.0.0.1:6399"),
)
Structures = dict[str, dict[str, object]]


class Unit:
    def __init__(self, heard: Actor, sends: Actor) -> None:
        self._heard, self._sends = heard, sends
        self.samples: list[tuple[tuple[int, int], Structures]] = []

    def hear(self, kind: str) -> None:
        """What the agent sent; a packet of this kind is sent meanwhile."""
        self._sends.do(f"{kind}.send(b'from a unit')")
        for datagram in self._heard.ask("[r.recv(1 << 16).hex() for _ in select.select([r], [], [], 0.2)[0]]"):
            for one in parse(bytes.fromhex(datagram)).samples:
                said = one.named()
                elements = {part.layout.name: part.named() for part in one.elements if part.layout}
                self.samples.append(((said["ds_class"], said["ds_index"]), elements))

    def number(self) -> int | None:
        """Of the data source whose counters are those of the unit."""
        for (_, index), structures in self.samples:
            if structures.get("host_descr", {}).get("hostname") == NAME.encode():
                return index
        return None

    def entities(self) -> list[Structures]:
        return [structures for _, structures in self.samples if "extended_entities" in structures]


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    where = cgroups.real()
    if where.v2 is None:
        pytest.skip("needs cgroup2")
    with World() as world, ExitStack() as held:
        near, far = world.pair()
        folders = held.enter_context(cgroups.made(PATH, where))
        hears, sends, other = near.actor(), near.actor(), far.actor()
        hears.do("import select; r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); r.bind(('127.0.0.1', 6399))")
        other.do("s = socket.create_server(('192.0.2.2', 9001))")
        other.do("u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('192.0.2.2', 9000))")
        cgroups.enter(folders, sends.pid)
        held.callback(sends.end)
        sends.do("udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.connect(('192.0.2.2', 9000))")
        sends.do("tcp = socket.create_connection(('192.0.2.2', 9001))")
        own = {**PLAIN, "RUNTIME_DIRECTORY": str(tmp_path)}
        # ip netns exec would take the control groups away with /sys
        inside = ["nsenter", f"--net=/run/netns/{near.name}"]
        command = [*inside, *near.command("agent", *WORDS)[4:]]
        process = subprocess.Popen(command, env=own, stderr=subprocess.DEVNULL)
        held.callback(process.wait, 20)
        held.callback(process.terminate)
        yield Unit(hears, sends)


def test_a_packet_of_a_unit_names_its_data_source(unit: Unit) -> None:
    def told() -> bool:
        unit.hear("udp")
        return unit.number() is not None and bool(unit.entities())

    until(told, "both the unit's counters and its packets")
    for structures in unit.entities():
        ends = structures["extended_entities"]
        assert ends == {"src_ds_class": 3, "src_ds_index": unit.number(), "dst_ds_class": 0, "dst_ds_index": 0}
        assert structures["socket_owner"]["unit"] == NAME.encode()
        assert "extended_timestamp" not in structures

    def connected() -> list[Structures]:
        unit.hear("tcp")
        return [structures for _, structures in unit.samples if "extended_tcp_info" in structures]

    for structures in until(connected, "packets of its connection"):
        assert "extended_entities" not in structures
