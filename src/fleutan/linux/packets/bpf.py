# SPDX-License-Identifier: Apache-2.0
"""Packets of a network namespace's devices, taken by lot in the kernel by bpf/samples.bpf.c, with their sockets.

What lives here loads and attaches the programs, sets rates and reads counts where they lie, in mapped memory.
What a record says is read in ``records``.
"""

from __future__ import annotations

import math
import os
from collections import deque
from contextlib import ExitStack
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE, mmap
from struct import pack
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import FleutanError, UsageError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.iterators import read_to_end
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import possible_cpus
from fleutan.linux.packets.attaching import Attached, Attaching
from fleutan.linux.packets.records import ROOMS, room_for
from fleutan.linux.ringbuffer import RingBuffer

_OBJECT = os.path.join(os.path.dirname(__file__), "..", "bpf", "samples.bpf.o")
#: By direction: what a device receives, what it sends.
PROGRAMS = {False: "fleutan_in", True: "fleutan_out"}
_NUMBERING = ("number_tcp", "number_udp")

#: Bytes of the ring: room for 13,000 samples of 128 octets.
RING = 4 << 20
#: Devices that can be sampled side by side.
DEVICES = 512
#: One in so many at the most (as hsflowd has it).
RAREST = 10_000_000
#: As in bpf/samples.bpf.c.
_PLACES, _TRIES = 4096, 4
_ETHERNET = 1
_DEVICE = np.dtype([(name, "u4") for name in ("ifindex", "number", "flags", "padding")])
_CELL = np.dtype(
    [
        *((name, "u8") for name in ("packets", "samples", "lost", "skip", "scale")),
        *((name, "u4") for name in ("one_in", "drawn_for")),
        ("padding", "V16"),
    ]
)


class Counted(NamedTuple):
    """Of one device and direction so far: packets as on the wire, samples of them, samples that found no room."""

    packets: int
    samples: int
    lost: int


class Taps:
    """The programs of one network namespace, that of the thread that enters; they end with the process.

    ``header`` octets of a packet are kept, 256 at most; ``ring`` is in bytes, a power of 2 and of whole pages.
    Making one raises UsageError for a number that cannot be; entering raises NotSupported with the reason.
    All that attaches has to be called in that namespace.
    """

    def __init__(
        self,
        header: int = 128,
        ring: int = RING,
        devices: int = DEVICES,
        path: str = _OBJECT,
        library: str = LIBBPF,
        *,
        tcx: bool = True,
    ) -> None:
        if not 1 <= header <= ROOMS[-1]:
            raise UsageError(f"{header} octets of a packet cannot be kept; at least 1 and at most {ROOMS[-1]} can")
        self.room = room_for(header)
        self._header, self._ring_size, self._most = header, ring, devices
        self._path, self._library, self._tcx = path, library, tcx
        self._attached: dict[tuple[int, bool], Attached] = {}
        self._numbers: dict[int, int] = {}

    def __enter__(self) -> Self:
        with open(self._path, "rb") as file:
            elf = file.read()
        cpus = possible_cpus()
        sizes = {"cells": self._most * 2 * cpus, "records": self._ring_size}
        constants = pack("=II", cpus, self._header)
        with ExitStack() as held:
            self._programs = held.enter_context(
                BpfObject("samples", elf, constants, sizes=sizes, library=self._library)
            )
            self.ring = held.enter_context(RingBuffer(self._programs.map("records"), self._library))
            self._devices = self._mapped("devices", _DEVICE, _PLACES + _TRIES)
            self._cells = self._mapped("cells", _CELL, sizes["cells"]).reshape(self._most, 2, cpus)
            self._attaching = Attaching(self._library, tcx=self._tcx)
            held.callback(self._attaching.close)
            self._programs.attach("number_new")
            self._held = held.pop_all()
        self._free = deque(range(self._most))
        return self

    def __exit__(self, *_: object) -> None:
        for attached in self._attached.values():
            attached.close()
        self._attached.clear()
        self._numbers.clear()
        del self._devices, self._cells
        self._held.close()

    @property
    def way(self) -> str:
        """How the programs are attached."""
        return "tcx" if self._attaching.tcx else "clsact"

    def number_sockets(self) -> None:
        """Gives each socket of TCP and UDP of the namespace its cookie, if it has none yet."""
        for program in _NUMBERING:
            read_to_end(self._programs.iterate(program), 1 << 12)

    def tap(self, ifindex: int, *, egress: bool, ethernet: bool) -> None:
        """Samples a device in one direction, none yet until ``set_rate``; its counts begin anew.

        ``ethernet`` is whether its packets begin with an Ethernet header.  Raises Gone where there is no such
        device, NotSupported, FleutanError.
        """
        number = self._numbered(ifindex, ethernet)
        self._cells[number, int(egress)] = np.zeros((), _CELL)
        try:
            program = self._programs.descriptor(PROGRAMS[egress])
            self._attached[ifindex, egress] = self._attaching.attach(program, ifindex, egress=egress)
        except FleutanError:
            self._forget(ifindex)
            raise

    def set_rate(self, ifindex: int, *, egress: bool, one_in: int) -> None:
        """One in so many of a tapped device's packets is a sample from now on, none where it is 0."""
        cells = self._cells[self._numbers[ifindex], int(egress)]
        cells["scale"] = scale(one_in)
        cells["one_in"] = one_in

    def untap(self, ifindex: int, *, egress: bool) -> None:
        """Samples it no more."""
        self._attached.pop((ifindex, egress)).close()
        self._forget(ifindex)

    def is_tapped(self, ifindex: int, *, egress: bool) -> bool:
        """Whether it is sampled: not where the device is gone meanwhile, or was away."""
        attached = self._attached.get((ifindex, egress))
        return attached is not None and attached.is_there()

    def counted(self, ifindex: int, *, egress: bool) -> Counted:
        """What the programs counted of a tapped device."""
        cells = self._cells[self._numbers[ifindex], int(egress)]
        return Counted(*(int(cells[name].sum()) for name in Counted._fields))

    def read(self) -> NDArray[np.uint8]:
        """The entries that came since the last call, for ``records.parse``."""
        return self.ring.read().octets

    def runs(self, *, egress: bool) -> Runs:
        """How often a program ran and how long it took; see ``libbpf.counting_runs``."""
        return self._programs.runs(PROGRAMS[egress])

    def _mapped(self, name: str, kind: np.dtype[np.void], entries: int) -> NDArray[np.void]:
        area = mmap(self._programs.map(name), entries * kind.itemsize, MAP_SHARED, PROT_READ | PROT_WRITE)
        return np.frombuffer(area, kind)

    def _numbered(self, ifindex: int, ethernet: bool) -> int:
        """The number of a device's cells; the programs know it from now on."""
        if ifindex in self._numbers:
            return self._numbers[ifindex]
        first = ifindex % _PLACES
        [free] = np.nonzero(self._devices["ifindex"][first : first + _TRIES] == 0)
        if not len(free) or not self._free:
            raise FleutanError(f"device {ifindex}: there is no room to sample more than {len(self._numbers)} devices")
        number = self._numbers[ifindex] = self._free.popleft()
        device = self._devices[first + int(free[0])]
        self._cells[number] = np.zeros((), _CELL)
        device["number"], device["flags"] = number, _ETHERNET * ethernet
        device["ifindex"] = ifindex
        return number

    def _forget(self, ifindex: int) -> None:
        """Frees the number of a device that is not sampled in either direction any more."""
        if any((ifindex, egress) in self._attached for egress in PROGRAMS):
            return
        first = ifindex % _PLACES
        places = self._devices["ifindex"][first : first + _TRIES]
        places[places == ifindex] = 0
        self._free.append(self._numbers.pop(ifindex))


def scale(one_in: int) -> int:
    """-1 / log2(1 - 1/N) in units of 2^-16, by which the programs draw.  Raises UsageError."""
    if not 0 <= one_in <= RAREST:
        raise UsageError(f"one in {one_in:,} packets is no rate; say 0 (none) to {RAREST:,}")
    return 0 if one_in < 2 else round(-(1 << 16) * math.log(2) / math.log1p(-1 / one_in))
