# SPDX-License-Identifier: Apache-2.0
"""Packets, bytes and segments per flow, device, queue and CPU: counting, and bytes into Records.

Counting is done by bpf/traffic.bpf.c, whose layout stands here a second time; it reaches every
device of every network namespace, and ends with the process.  Reading imports no numpy; parsing
needs neither kernel nor privileges.  Which end of a packet is ours is not decided here.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from mmap import mmap
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from fleutan.errors import FleutanError, UsageError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.iterators import ticks_per_second
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import Map, possible_cpus

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from fleutan.records import Records

    Buffer = bytes | bytearray | memoryview

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "traffic.bpf.o")

#: Rows that one reading can hold; what comes after is added up per device.  Each takes some 350
#: bytes of kernel memory.
ENTRIES = 65_536
#: More are refused: the kernel would take all memory for them before it says no.
MOST_ENTRIES = 1 << 20
#: Rows for what is added up per device, direction and CPU.
OTHERS = 4_096

PROGRAMS = ("sent", "received")
RX, TX = 0, 1
IP, NOT_IP, UNREADABLE, OVERFLOW = range(4)
NO_QUEUE = 0xFFFF
#: As in bpf/traffic.bpf.c.
_FLOWS_SLOT, _OTHERS_SLOT = 0, 1
_CELLS, _TURN = 128, 16
_CELL_SIZE, _KEY_SIZE, _COUNTS_SIZE = 128, 64, 48
#: Where ``moved`` stands in a cell.
_MOVED = _KEY_SIZE + _COUNTS_SIZE

#: struct flow_key, bpf/traffic.bpf.c: type, members in order.
KEY = (
    ("4u4", "src dst"),
    ("i8", "cookie"),
    ("u4", "netns ifindex"),
    ("u2", "cpu queue sport dport ethertype"),
    ("u1", "kind direction proto icmp_type icmp_code padding"),
)
#: struct counts.
COUNTS = (("i8", "packets bytes wire_bytes segments first_ns"), ("u4", "first_tick last_tick"))


class Counts(NamedTuple):
    """What was counted from ``began_ns`` to ``ended_ns`` (both CLOCK_MONOTONIC).

    ``keys`` and ``values`` are whole records in the same order and ``cells`` whole pairs of them,
    for ``parse``.  ``wall_ns`` is how far UTC was ahead of that clock at the end; ``missed`` is
    how many packets came while another one was counted on the same CPU.
    """

    keys: Buffer
    values: Buffer
    cells: Buffer
    began_ns: int
    ended_ns: int
    wall_ns: int = 0
    missed: int = 0

    @property
    def rows(self) -> int:
        """How many records, those of the cells left out."""
        return memoryview(self.keys).nbytes // _KEY_SIZE


def together(parts: Sequence[Counts]) -> Counts:
    """Readings that follow each other as one; what was counted in several has a row in each."""
    if len(parts) == 1:
        return parts[0]
    import numpy as np

    cells = np.concatenate([np.frombuffer(part.cells, np.uint8) for part in parts]).reshape(-1, _CELL_SIZE)
    keys = b"".join([*(part.keys for part in parts), cells[:, :_KEY_SIZE].tobytes()])
    values = b"".join([*(part.values for part in parts), cells[:, _KEY_SIZE:_MOVED].tobytes()])
    missed = sum(part.missed for part in parts)
    return Counts(keys, values, b"", parts[0].began_ns, parts[-1].ended_ns, parts[-1].wall_ns, missed)


class _Cells:
    """The cells of both readings, which take turns in one map; the first ones say which are in use."""

    def __init__(self, cells: Map) -> None:
        self._area = mmap(cells.descriptor, cells.max_entries * _CELL_SIZE)

    def clear(self, generation: int) -> None:
        """Empties those that are not in use."""
        empty = (bytes(_MOVED) + _native(1) + bytes(_CELL_SIZE - _MOVED - 4)) * _TURN
        for turn in self._turns(generation):
            self._area[turn] = empty

    def use(self, generation: int) -> None:
        """The programs that begin from here on write to these."""
        for turn in self._turns(0):
            self._area[turn.start + _MOVED : turn.stop : _CELL_SIZE] = bytes([generation]) * _TURN

    def take(self, generation: int) -> bytes:
        """All of them as they stand."""
        return b"".join(self._area[turn] for turn in self._turns(generation))

    def close(self) -> None:
        """Lets go of the memory."""
        self._area.close()

    def _turns(self, generation: int) -> list[slice]:
        size = _TURN * _CELL_SIZE
        return [slice(at, at + size) for at in range(generation * size, len(self._area), 2 * size)]


class _Tables:
    """The tables of one reading.  While they are in use, only the programs write to them."""

    def __init__(self, programs: BpfObject, generation: int, library: str) -> None:
        names = (f"{name}_{generation}" for name in ("flows", "others"))
        self.flows, self.others = (Map(programs.map(name), library) for name in names)
        self.generation = generation

    def put(self, rest: bytes) -> None:
        """Puts the row per direction and CPU there that takes what finds no other row."""
        self.others.put_all(rest, bytes(len(rest) // _KEY_SIZE * _COUNTS_SIZE))

    def take(self, cells: _Cells, began_ns: int, ended_ns: int, missed: int) -> Counts:
        """All that they and their cells hold."""
        flows, others = self.flows.drain(), self.others.drain()
        keys, values = b"".join((flows.keys, others.keys)), b"".join((flows.values, others.values))
        wall_ns = time.time_ns() - time.monotonic_ns()
        return Counts(keys, values, cells.take(self.generation), began_ns, ended_ns, wall_ns, missed)


class Counting:
    """The kernel counts while the context lasts; every reading takes away what was counted.

    ``entries`` bounds the rows of one reading; making one raises UsageError where they are less
    than 1 or above MOST_ENTRIES.  Entering raises NotSupported with the reason; it takes root, or
    CAP_BPF and CAP_PERFMON.
    """

    def __init__(self, entries: int = ENTRIES, path: str = _OBJECT, library: str = LIBBPF) -> None:
        if not 1 <= entries <= MOST_ENTRIES:
            raise UsageError(f"traffic: {entries} rows cannot be kept; at least 1 and at most {MOST_ENTRIES} can")
        self._entries = entries
        self._path = path
        self._library = library
        self._held = ExitStack()
        self._began = self._missed = 0
        self._used: _Tables
        self._spare: _Tables

    def __enter__(self) -> Counting:
        with open(self._path, "rb") as file:
            elf = file.read()
        cpus = possible_cpus()
        self._rest = _keys_of_the_rest(cpus)
        sizes = dict.fromkeys(("flows_0", "flows_1"), self._entries)
        sizes |= dict.fromkeys(("others_0", "others_1"), OTHERS + 2 * cpus)
        sizes["cells"] = 4 * cpus * _CELLS
        with ExitStack() as held:
            self._programs = held.enter_context(BpfObject("traffic", elf, sizes=sizes, library=self._library))
            self._begin(held)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the counting; what was not read is gone.  May be called any number of times."""
        self._held.close()

    def read(self) -> Counts:
        """What was counted since the reading before, or since the beginning.

        Every packet is in exactly one reading.  Raises FleutanError.
        """
        before, self._used = self._used, self._spare
        self._spare = before
        self._cells.clear(self._used.generation)
        self._used.put(self._rest)
        self._use(self._used)
        began, self._began = self._began, time.monotonic_ns()
        missed, self._missed = self._missed, sum(self.runs(program).recursion_misses for program in PROGRAMS)
        return before.take(self._cells, began, self._began, self._missed - missed)

    def runs(self, program: str) -> Runs:
        """How often one of PROGRAMS ran and how long it took; see ``libbpf.counting_runs``."""
        return self._programs.runs(program)

    def _begin(self, held: ExitStack) -> None:
        self._used, self._spare = (_Tables(self._programs, generation, self._library) for generation in (0, 1))
        self._tables, cells = (Map(self._programs.map(name), self._library) for name in ("tables", "cells"))
        self._cells = _Cells(cells)
        held.callback(self._cells.close)
        self._used.put(self._rest)
        self._programs.attach(*PROGRAMS)
        self._began = time.monotonic_ns()

    def _use(self, tables: _Tables) -> None:
        """From here on the programs write to these.

        A map in a map is replaced when no program uses the one before any more, nor then the
        generation before: the cells go first, for they are emptied into flows.
        """
        self._cells.use(tables.generation)
        self._tables.put(_native(_FLOWS_SLOT), _native(tables.flows.descriptor))
        self._tables.put(_native(_OTHERS_SLOT), _native(tables.others.descriptor))


def _native(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def _keys_of_the_rest(cpus: int) -> bytes:
    """A struct flow_key of OVERFLOW without device for each CPU and direction."""
    return b"".join(
        pack("=32xq2I5H6B", 0, 0, 0, cpu, NO_QUEUE, 0, 0, 0, OVERFLOW, direction, 0, 0, 0, 0)
        for cpu in range(cpus)
        for direction in (RX, TX)
    )


def parse(counts: Counts, inside: Collection[int] | None = None) -> Records:
    """The rows of a reading, one per flow, direction, device, queue and CPU.

    ``src`` and ``dst`` are the packet's own, as ``(n, 4)`` uint32 in network order (IPv4 as
    IPv4-mapped).  ``queue`` is unknown where the kernel recorded none, ``cookie`` where no socket
    of this host sent the packet, ``icmp_type`` and ``icmp_code`` for other protocols.  ``kind``
    is IP, NOT_IP (``ethertype`` says what), UNREADABLE (headers not in one piece or not what the
    ethertype says) or OVERFLOW: the sum of what found no row of its own, with the device where it
    is known.  ``bytes`` are as the kernel counts a packet, with link-layer header; ``wire_bytes``
    have the headers of each of its ``segments`` and its VLAN tag.  ``first_ns`` and ``last_ns``
    are CLOCK_MONOTONIC to the tick.  With ``inside`` there are only rows of these network
    namespaces (by inode), and of none.  Raises FleutanError where the bytes are not whole records.
    """
    import numpy as np

    from fleutan.records import Records

    key, value = (
        np.dtype([(name, kind) for kind, part in layout for name in part.split()]) for layout in (KEY, COUNTS)
    )
    keys, values = _rows(counts, np.dtype([("key", key), ("counts", value), ("padding", "V16")]), inside)
    columns = {name: np.ascontiguousarray(keys[name]) for name in ("src", "dst")}
    for table in (keys, values):
        names = [name for name in table.dtype.names or () if name not in ("src", "dst", "padding")]
        columns |= {name: table[name].astype(np.int64) for name in names}
    icmp = (columns["kind"] == IP) & np.isin(columns["proto"], _ICMP)
    first, last = columns.pop("first_tick"), columns.pop("last_tick")
    columns["last_ns"] = columns["first_ns"] + ((last - first) & 0xFFFF_FFFF) * 1_000_000_000 // ticks_per_second()
    known = {
        "queue": columns["queue"] != NO_QUEUE,
        "cookie": columns["cookie"] != 0,
        "icmp_type": icmp,
        "icmp_code": icmp,
    }
    return Records(len(keys), columns, known)


#: IPPROTO_ICMP, IPPROTO_ICMPV6.
_ICMP = (1, 58)


def _rows(
    counts: Counts, cell: np.dtype[np.void], inside: Collection[int] | None
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Keys and counts of all that counted something, each key once."""
    import numpy as np

    for data, size in ((counts.keys, _KEY_SIZE), (counts.values, _COUNTS_SIZE), (counts.cells, _CELL_SIZE)):
        if memoryview(data).nbytes % size:
            raise FleutanError(f"traffic: {memoryview(data).nbytes} bytes are no whole records of {size}")
    keys, values = np.frombuffer(counts.keys, cell["key"]), np.frombuffer(counts.values, cell["counts"])
    if len(keys) != len(values):
        raise FleutanError(f"traffic: {len(keys)} keys, but {len(values)} counts")
    cells = np.frombuffer(counts.cells, cell)
    cells = cells[_seen(cells["key"], cells["counts"], inside)]
    seen = _seen(keys, values, inside)
    keys, values = keys[seen], values[seen]
    where = _places(cells["key"].tobytes(), keys)
    inside = where >= 0
    _add(values, where[inside], cells["counts"][inside])
    rest = cells[~inside]
    return np.concatenate([keys, rest["key"]]), np.concatenate([values, rest["counts"]])


def _seen(keys: NDArray[np.void], values: NDArray[np.void], inside: Collection[int] | None) -> NDArray[np.bool_]:
    """Which counted something, of these namespaces or of none."""
    import numpy as np

    counted: NDArray[np.bool_] = values["packets"] > 0
    return counted if inside is None else counted & np.isin(keys["netns"], [0, *inside])


def _places(cells: bytes, keys: NDArray[np.void]) -> NDArray[np.int64]:
    """For each key of ``cells`` its place among ``keys``, −1 where it is not there.

    They are looked for by a number that is made of all of a key, and then compared.
    """
    import numpy as np

    number_of = 0x9E37_79B9_7F4A_7C15 ** np.arange(1, 9, dtype=np.uint64)
    ours, theirs = (np.frombuffer(data, np.uint64).reshape(-1, 8) for data in (cells, keys.tobytes()))
    if not len(theirs):
        return np.full(len(ours), -1, np.int64)
    wanted, numbers = ours @ number_of, theirs @ number_of
    order = np.argsort(numbers)
    found = order[np.searchsorted(numbers[order], wanted).clip(max=len(order) - 1)]
    same = (theirs[found] == ours).all(axis=1)
    for cell in np.flatnonzero(~same & (numbers[found] == wanted)).tolist():  # another key has its number
        rows = np.flatnonzero((theirs == ours[cell]).all(axis=1))
        same[cell], found[cell] = len(rows) > 0, rows.max(initial=0)
    return np.where(same, found, -1)


def _add(values: NDArray[np.void], rows: NDArray[np.int64], later: NDArray[np.void]) -> None:
    """What a flow counted in its cell, which is always later than what stands in the table."""
    for name in ("packets", "bytes", "wire_bytes", "segments"):
        values[name][rows] += later[name]
    values["last_tick"][rows] = later["last_tick"]
