# SPDX-License-Identifier: Apache-2.0
"""What the sockets of each control group receive and send, counted at the root of cgroup2.

Counted by bpf/units.bpf.c, whose layout stands here a second time.  Octets are those of IP packets,
headers included; what is forwarded, and what no socket takes, is in no group's counts.  Whose group
it is is decided in ``sources``.
"""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack
from typing import NamedTuple

from fleutan.errors import NotSupported
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import Entries, Map

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "units.bpf.o")
PROGRAMS = ("received", "sent")
#: Groups that are counted at a time; each takes some 100 bytes of kernel memory.
ENTRIES = 32_768

#: The key and struct moved.
_ID, _MOVED = struct.Struct("=Q"), struct.Struct("=4Q")


class Moved(NamedTuple):
    """What a group's sockets received and sent since it was first seen: octets and packets of IP."""

    rx_bytes: int
    rx_packets: int
    tx_bytes: int
    tx_packets: int


class UnitTraffic:
    """The programs that count, in the kernel while the context lasts.

    ``mount`` is the root of cgroup2, None where there is none.  Entering raises NotSupported with the
    reason; it takes root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN.
    """

    def __init__(self, mount: str | None, entries: int = ENTRIES, path: str = _OBJECT, library: str = LIBBPF) -> None:
        self._mount, self._entries, self._path, self._library = mount, entries, path, library

    def __enter__(self) -> UnitTraffic:
        if self._mount is None:
            raise NotSupported("traffic of control groups", "there is no hierarchy of cgroup2")
        with open(self._path, "rb") as file:
            elf = file.read()
        loaded = BpfObject("units", elf, sizes={"units": self._entries}, library=self._library)
        with ExitStack() as held:
            self._programs = held.enter_context(loaded)
            self._units = Map(loaded.map("units"), self._library)
            root = _opened(self._mount)
            try:
                loaded.attach_cgroup(root, *PROGRAMS)
            finally:
                os.close(root)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self) -> dict[int, Moved]:
        """By the groups' ids.  One among too many that was silent for long begins at 0 again.  Raises FleutanError."""
        return parse(self._units.read())

    def runs(self, program: str) -> Runs:
        """What one of PROGRAMS cost so far, where the kernel counts it (``libbpf.counting_runs``)."""
        return self._programs.runs(program)


def _opened(mount: str) -> int:
    try:
        return os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotSupported("traffic of control groups", f"{mount}: {(error.strerror or str(error)).lower()}") from None


def parse(entries: Entries) -> dict[int, Moved]:
    """The rows of the map; those that are not whole are left out."""
    pairs = zip(
        _ID.iter_unpack(_whole(entries.keys, _ID)), _MOVED.iter_unpack(_whole(entries.values, _MOVED)), strict=False
    )
    return {number: Moved(*counts) for (number,), counts in pairs}


def _whole(octets: memoryview, record: struct.Struct) -> memoryview:
    return octets[: len(octets) // record.size * record.size]
