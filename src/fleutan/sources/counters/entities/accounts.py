# SPDX-License-Identifier: Apache-2.0
"""What one entity used so far, from reading to reading, in the words of sFlow's structures.

Counters do not go back: not when processes or devices go, and not when a unit is started again within
the time in which its number is kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import ceil
from typing import Any, NamedTuple

from fleutan.linux.cgroupstats import files, parse
from fleutan.linux.cgroupstats.groups import Groups, Usage
from fleutan.linux.cgroupstats.parse import Io
from fleutan.linux.cgroupstats.processes import CPU, DISKS, MEMORY, Processes
from fleutan.linux.cgroupstats.sums import Kept
from fleutan.linux.outward import Sides
from fleutan.linux.proc import PROC
from fleutan.linux.unittraffic import Moved
from fleutan.sources.counters.entities.kinds import UNIT, Entity
from fleutan.sources.counters.entities.network import Networks

#: virDomainState, which structure 2101 takes its states from.
RUNNING, PAUSED = 1, 3

Fields = Mapping[str, Any]


class Machine(NamedTuple):
    """What bounds everything that runs here: processors, and octets of memory (None where nobody knows)."""

    cpus: int | None = None
    memory: int | None = None


def machine(root: str = PROC) -> Machine:
    """This host's."""
    kilobytes = parse.keyed(files.text(f"{root}/meminfo")).get("MemTotal")
    return Machine(os.cpu_count(), None if kilobytes is None else kilobytes * 1024)


class Around(NamedTuple):
    """What is asked when an account is read."""

    groups: Groups
    networks: Networks
    machine: Machine
    proc: str = PROC


class Account:
    """The counters of one entity."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._used, self._devices, self._moved = Kept(5), Kept(len(Sides._fields)), Kept(len(Moved._fields))
        self._pid: int | None = None
        self._space: int | None = None
        self._begin(None)

    def _begin(self, inode: int | None) -> None:
        """A group of that path begins: what the kernel does not account for is decided when it is first read."""
        self._inode = inode
        self._lacking: tuple[str, ...] | None = None
        self._processes = Processes(self._around.proc)

    def read(self, entity: Entity, moved: Mapping[int, Moved] | None) -> dict[str, Fields] | None:
        """Structures 2104 to 2101; None where the entity is gone.

        ``moved`` is what the sockets of its groups moved, by the groups' ids; None where nobody knows.
        """
        inode = self._around.groups.inode(entity.path)
        if inode is None:
            return None
        if inode != self._inode:
            self._begin(inode)
        usage = self._usage(entity.path)
        limits = self._around.groups.limits(entity.path)
        io = usage.io or _UNKNOWN
        cpu_us, *disks = self._used.total({inode: (usage.cpu_us, io.rios, io.rbytes, io.wios, io.wbytes)})
        return {
            "virt_net_io": self._net_io(entity, moved),
            "virt_disk_io": dict(zip(_DISKS, disks, strict=True)),
            "virt_memory": {
                "memory": usage.memory,
                "maxMemory": _least(limits.memory, self._around.machine.memory),
            },
            "virt_cpu": {
                "state": PAUSED if usage.is_frozen else RUNNING,
                "cpuTime": None if cpu_us is None else cpu_us // 1000,
                "nrVirtCpu": None if (cpus := _least(limits.cpus, self._around.machine.cpus)) is None else ceil(cpus),
            },
        }

    def _usage(self, path: str) -> Usage:
        """What the kernel accounts for, and what it does not from the processes."""
        usage = self._around.groups.usage(path)
        if self._lacking is None:
            told = {CPU: usage.cpu_us, MEMORY: usage.memory, DISKS: usage.io}
            self._lacking = tuple(what for what, value in told.items() if value is None)
        if not self._lacking:
            return usage
        used = self._processes.read(self._around.groups.pids(path), self._lacking)
        if CPU in self._lacking:
            usage = usage._replace(cpu_us=used.cpu_us)
        if MEMORY in self._lacking:
            usage = usage._replace(memory=used.memory)
        if DISKS in self._lacking:
            usage = usage._replace(io=Io(used.rbytes, used.wbytes, None, None))
        return usage

    def _net_io(self, entity: Entity, moved: Mapping[int, Moved] | None) -> Fields:
        unknown: dict[str, int | None] = dict.fromkeys(Sides._fields)
        if entity.kind != UNIT and self._own_space(entity.path):
            devices = self._around.networks.read(self._pid or 0, self._space or 0)
            sums = self._devices.total(devices) if devices is not None else (None,) * len(Sides._fields)
            return dict(zip(Sides._fields, sums, strict=True))
        if moved is None:
            return unknown
        sums = self._moved.total(moved)
        return unknown | {name: count or 0 for name, count in zip(Moved._fields, sums, strict=True)}

    def _own_space(self, path: str) -> bool:
        """Whether it has a network namespace of its own; one of its processes is looked up where the last one ended."""
        networks = self._around.networks
        if self._pid is None or self._space is None or networks.inode(self._pid) != self._space:
            self._pid = self._around.groups.first_pid(path)
            self._space = networks.inode(self._pid) if self._pid else None
        return self._space is not None and not networks.is_hosts(self._space)


_DISKS = ("rd_req", "rd_bytes", "wr_req", "wr_bytes")
_UNKNOWN = Io(None, None, None, None)


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)
