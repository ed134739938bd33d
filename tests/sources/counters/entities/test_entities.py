# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

import numpy as np
import pytest
from tests import cgroups

from fleutan.exports.sflow.counters import sample
from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies
from fleutan.linux.unittraffic import Moved
from fleutan.observed import Counters, Source
from fleutan.sources.counters import CounterSource
from fleutan.sources.counters.entities import SAVE_S, Entities, Host, Settings
from fleutan.sources.counters.entities.finding import REFRESH_S
from fleutan.sources.counters.entities.indexes import COUNT, FIRST, FORGET_S
from fleutan.sources.counters.entities.kinds import Choice
from fleutan.sources.counters.entities.names import Places

HOST = uuid.UUID("11111111-2222-3333-4444-555555555555").bytes
ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"
A, B = "/system.slice/a.service", "/system.slice/b.service"
#: As Host sFlow sends them, with the network that it does not.
ORDER = ["virt_net_io", "virt_disk_io", "virt_memory", "virt_cpu", "host_parent", "host_descr"]


class World:
    """A host of folders, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, 1000.0
        self.groups = cgroups.tree(root / "cgroup", {"cgroup.controllers": ""})
        cgroups.tree(root, {"proc/meminfo": "MemTotal: 1024 kB\n"})
        self.state = root / "state"
        self.moved: dict[int, Moved] | None = None

    def start(self, path: str, cpu_us: int = 1000) -> None:
        cgroups.group(self.groups, path, cpu_stat=f"usage_usec {cpu_us}\n", memory_current="4096\n", io_stat="")

    def stop(self, path: str) -> None:
        shutil.rmtree(self.groups / path[1:])

    def entities(self, *, choice: Choice = Choice(), state: bool = False, uuid: bytes | None = HOST) -> Entities:  # noqa: B008
        settings = Settings(choice, state=str(self.state) if state else None)
        places = Places((), str(self.root), str(self.root / "proc"))
        where = hierarchies(str(self.groups))
        host = Host(
            where, str(self.root / "proc"), str(self.root / "sys"), str(self.root / "etc"), places, lambda: self.now
        )
        return Entities(uuid, settings, lambda: self.moved, host)

    def later(self, seconds: float = REFRESH_S) -> None:
        self.now += seconds


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def by_name(entities: Entities) -> dict[str, Counters]:
    return {one.structures["host_descr"]["hostname"]: one for one in entities.read(entities.sources())}


def test_it_is_a_source_of_counters(world: World) -> None:
    world.start(A)
    source: CounterSource = world.entities()
    (found,) = source.sources()
    assert found.ds_class == 3
    assert FIRST <= found.ds_index < FIRST + COUNT
    (counters,) = source.read([found])
    assert counters.source == found
    assert list(counters.structures) == ORDER
    assert counters.labels == {"unit": "a.service"}
    assert counters.structures["host_parent"] == {"container_type": 2, "container_index": 1}
    descr = counters.structures["host_descr"]
    assert descr["hostname"] == "a.service"
    assert uuid.UUID(bytes=descr["uuid"]).version == 5
    assert descr["os_name"] == 2
    assert descr["os_release"] == os.uname().release[:32]
    assert source.notes() == []
    assert len(sample(counters, 1)) > 200, "it can be told as sFlow"


def test_only_what_is_wanted_is_read(world: World) -> None:
    world.start(A)
    world.start(B)
    entities = world.entities()
    first, second = sorted(entities.sources())
    assert [one.source for one in entities.read([second])] == [second]
    assert [*entities.read([Source(3, 1), Source(0, 1)])] == []
    assert [*entities.read([])] == []
    assert first != second


def test_units_come_and_go(world: World) -> None:
    world.start(A)
    entities = world.entities()
    (a,) = entities.sources()
    world.start(B)
    assert entities.sources() == [a], "what there is is looked at once in a while"
    world.later()
    assert len(entities.sources()) == 2
    world.stop(A)
    assert [*entities.read([a])] == [], "gone between two looks"
    world.later()
    assert a not in entities.sources()
    world.later()
    world.start(A, 500)
    assert a in entities.sources(), "its number was kept"
    (found,) = entities.read([a])
    assert found.structures["virt_cpu"]["cpuTime"] == 0, "never read before it was stopped"


def test_what_is_forgotten_leaves_nothing_behind(world: World) -> None:
    entities = world.entities()
    for number in range(60):
        world.start(f"/system.slice/run-{number}.service")
        [*entities.read(entities.sources())]
        world.stop(f"/system.slice/run-{number}.service")
        world.later()
    held = FORGET_S / REFRESH_S + 2
    assert 0 < len(entities._accounts) <= held
    assert len(entities._indexes.numbers()) <= held
    assert len(entities._identities) <= 1
    world.later(FORGET_S)
    entities.sources()
    world.later()
    entities.sources()
    assert len(entities._indexes.numbers()) == 0
    assert entities._accounts == {}


def test_numbers_outlive_a_restart(world: World) -> None:
    world.start(A)
    world.start(B)
    first = world.entities(state=True)
    before = {name: one.source for name, one in by_name(first).items()}
    first.close()
    assert {name: one.source for name, one in by_name(world.entities(state=True)).items()} == before
    world.state.write_text("{")
    again = world.entities(state=True)
    assert {name: one.source for name, one in by_name(again).items()} == before, "by the hash alone"
    assert again.notes() == [f"{world.state}: is broken: numbers of data sources begin anew"]
    again.close()
    assert json.loads(world.state.read_text())["numbers"]


def test_numbers_are_written_now_and_then(world: World) -> None:
    world.start(A)
    entities = world.entities(state=True)
    entities.sources()
    assert len(json.loads(world.state.read_text())["numbers"]) == 1
    stamp = world.state.stat().st_ino
    world.later(SAVE_S)
    entities.sources()
    entities.close()
    assert world.state.stat().st_ino == stamp, "nothing changed"


def test_sockets_of_groups(world: World) -> None:
    world.start(A)
    world.start(f"{A}/inner")
    world.start(f"/docker/{ID}")
    inodes = [os.stat(world.groups / path[1:]).st_ino for path in (A, f"{A}/inner")]
    entities = world.entities()
    assert by_name(entities)["a.service"].structures["virt_net_io"]["rx_bytes"] is None
    world.moved = {inodes[0]: Moved(1, 1, 1, 1), inodes[1]: Moved(10, 1, 1, 1), 1: Moved(1000, 1, 1, 1)}
    found = by_name(entities)
    assert found["a.service"].structures["virt_net_io"]["rx_bytes"] == 11
    assert found[ID[:12]].structures["virt_net_io"]["rx_bytes"] == 0


def test_groups_belong_to_data_sources(world: World) -> None:
    world.start(A)
    inside = f"{A}/docker-{ID}.scope"
    world.start(inside)
    world.start("/user.slice")
    entities = world.entities()
    groups = [os.stat(world.groups / path[1:]).st_ino for path in (A, inside, "/user.slice")]
    assert entities.of_groups(np.array([*groups, 0, 1 << 62])).tolist() == [0] * 5, "before the first look"
    by_unit = {one.labels.get("unit", "container"): one.source.ds_index for one in entities.read(entities.sources())}
    ids = np.array([*groups, 0, -1, 1 << 62])
    assert entities.of_groups(ids).tolist() == [by_unit["a.service"], by_unit["container"], 0, 0, 0, 0]
    assert entities.of_groups(ids[:0]).tolist() == []


def test_units_of_another_host_are_others(world: World) -> None:
    world.start(A)

    def identity(uuid: bytes | None) -> bytes:
        (found,) = by_name(world.entities(uuid=uuid)).values()
        return bytes(found.structures["host_descr"]["uuid"])

    by_hostname = identity(None)
    cgroups.tree(world.root, {"sys/class/dmi/id/product_uuid": "00000000-0000-0000-0000-000000000001\n"})
    by_firmware = identity(None)
    cgroups.tree(world.root, {"etc/machine-id": f"{HOST.hex()}\n"})
    assert identity(None) == identity(HOST)
    assert len({by_hostname, by_firmware, identity(None), identity(bytes(range(16)))}) == 4


def test_containers_are_identified_by_their_ids(world: World) -> None:
    world.start(f"/docker/{ID}")
    (found,) = by_name(world.entities()).values()
    assert found.structures["host_descr"]["uuid"].hex() == ID[:32]
    assert by_name(world.entities(choice=Choice(containers=False))) == {}


def test_without_control_groups_it_says_so(world: World) -> None:
    entities = Entities(None, host=Host(Hierarchies(), clock=lambda: world.now))
    assert entities.sources() == []
    assert entities.notes() == ["units and containers: there are no control groups"]


def test_what_is_wrong_is_noted(world: World) -> None:
    entities = world.entities()
    world.start(A)
    entities.sources()
    entities._indexes._count = 1
    world.start(B)
    world.later()
    assert len(entities.sources()) == 1
    entities._networks.trouble = "entering network namespace: operation not permitted"
    assert entities.notes() == [
        "units and containers: 1 more than there are numbers for are not told",
        "containers: entering network namespace: operation not permitted",
    ]
