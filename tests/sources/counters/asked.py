# SPDX-License-Identifier: Apache-2.0
"""A kernel to be asked for devices, in the place of Linux."""

from __future__ import annotations

import array
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fleutan.errors import FleutanError
from fleutan.linux.devices import IFF_RUNNING, IFF_UP, Device
from fleutan.linux.ethtool import Ask
from fleutan.linux.linkstats import Stats
from fleutan.sources.counters.devices import Devices, Kernel

UP = IFF_UP | IFF_RUNNING
MAC = b"\2\0\0\0\0\7"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Told:
    """What the kernel answers, and how often it was asked for what."""

    def __init__(self, *devices: Device) -> None:
        self.devices = {one.ifindex: one for one in devices}
        self.stats: dict[int, Stats] = {}
        self.speed = 1000
        self.names: list[str] = []
        self.values: list[int] = []
        self.memory = b""
        self.asked: list[tuple[str, int]] = []
        self.listed = 0
        self.silent: set[str] = set()
        self.gone: set[int] = set()
        self.clock = Clock()

    def table(self, sys: str = "/none") -> Devices:
        kernel = Kernel(self._listing, self._stats, self._asking, self._namespace)
        return Devices(kernel, sys, self.clock)

    def add(self, device: Device) -> None:
        self.devices[device.ifindex] = device

    def _listing(self) -> Mapping[int, Device]:
        self._may("listing")
        self.listed += 1
        return dict(self.devices)

    def _stats(self, wanted: Collection[int], present: int, _: Collection[int]) -> Mapping[int, Stats]:
        self._may("stats")
        assert present == len(self.devices) or self.silent
        return {index: self.stats.get(index, counted()) for index in set(wanted) & self.devices.keys() - self.gone}

    def _namespace(self) -> str:
        self._may("namespace")
        return "blue"

    def _may(self, what: str) -> None:
        if what in self.silent:
            raise FleutanError(f"{what}: not told")

    @contextmanager
    def _asking(self) -> Iterator[Ask]:
        if "asking" in self.silent:
            raise OSError("no socket")
        yield self.ask

    def ask(self, name: str, request: array.array[int]) -> None:
        """As ``ioctl`` does (struct ethtool_*): link settings, strings, counters, modules."""
        command = struct.unpack_from("=I", request)[0]
        self.asked.append((name, command))
        texts = b"".join(name.encode().ljust(32, b"\0") for name in self.names)
        answers = {
            0x4C: (4, struct.pack("=IB", self.speed, 1)),
            0x37: (16, struct.pack("=I", len(self.names))),
            0x1B: (8, struct.pack("=I", len(self.names)) + texts),
            0x1D: (4, struct.pack(f"=I{len(self.values)}Q", len(self.values), *self.values)),
            0x42: (4, struct.pack("=II", 2, len(self.memory))),
            0x43: (16, self.memory),
        }
        at, part = answers[command]
        request[at : at + len(part)] = array.array("B", part)


def counted(first: int = 100, **more: Any) -> Stats:
    """Counters of which each is another number."""
    return Stats._make((*range(first, first + 8), 0, first + 9, None))._replace(**more)


def hardware(index: int = 2, name: str = "eth0", flags: int = UP, **more: Any) -> Device:
    return Device(index, name, 1, flags, MAC)._replace(**more)


def made(kind: str, index: int, name: str, flags: int = UP, **more: Any) -> Device:
    """A device that is made by software."""
    return Device(index, name, 1, flags, MAC, kind=kind)._replace(**more)
