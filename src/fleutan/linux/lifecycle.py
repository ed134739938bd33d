# SPDX-License-Identifier: Apache-2.0
"""TCP connections and listeners that begin or end: watching them, and their records into Records.

The records are those of bpf/lifecycle.bpf.c, whose layout stands here a second time.  Watching
imports no numpy.  Which records are of one connection, who owned it and what its end means is
decided in ``sources``.
"""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import ExitStack
from mmap import MAP_SHARED, PAGESIZE, PROT_READ, PROT_WRITE, mmap
from typing import TYPE_CHECKING, NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import Map
from fleutan.linux.proc import PROC

if TYPE_CHECKING:
    from fleutan.records import Records, Values

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "lifecycle.bpf.o")
PROGRAM = "inet_sock_set_state"

#: Bytes of the ring: room for 80,000 records, two for each connection that begins and ends.
ROOM = 16 << 20
#: Records that are held for the reader at most; the rest waits in the ring.
MOST = 400_000

#: enum in bpf/lifecycle.bpf.c: how the connection came about.
ROLE_UNKNOWN, ROLE_CONNECT, ROLE_ACCEPT, ROLE_LISTEN = range(4)
#: The call by which a process was seen with the socket.
BY_NOTHING, BY_CONNECT, BY_LISTEN, BY_CLOSE = range(4)

#: struct life_record: numpy type, members in order.
_LAYOUT = (
    ("V8", "head"),
    ("i8", "idiag_cookie cgroup_id begun_ns established_ns at_ns"),
    ("i8", "tcpi_bytes_sent tcpi_bytes_acked tcpi_bytes_received tcpi_bytes_retrans"),
    ("4u4", "idiag_src idiag_dst"),
    ("u4", "netns_inode idiag_uid pid sk_err"),
    ("u4", "tcpi_rtt tcpi_min_rtt tcpi_segs_out tcpi_segs_in tcpi_data_segs_out tcpi_data_segs_in tcpi_total_retrans"),
    ("u2", "idiag_sport idiag_dport"),
    ("u1", "idiag_family old_state new_state role by"),
    ("V3", "padding"),
    ("S16", "comm device"),
)
_HIDDEN = ("head", "padding")
RECORD = 192
#: Before each record in the ring: its length with a bit for "still being written" (BPF_RINGBUF_HDR_SZ).
_HEAD = 8
_BUSY = 1 << 31


class Lost(NamedTuple):
    """What found no room in the ring, added up: how many beginnings and ends, and the ends' counters."""

    begun: int
    ended: int
    bytes_sent: int
    bytes_acked: int
    bytes_received: int
    bytes_retrans: int
    segs_out: int
    segs_in: int
    total_retrans: int


class Lives(NamedTuple):
    """What began and ended from ``began_ns`` to ``ended_ns`` (both CLOCK_MONOTONIC), for ``parse``.

    ``wall_ns`` is how far UTC was ahead of that clock at the end.  ``missed`` changes of state
    came while another one was looked at on the same CPU, and nothing is known of them.
    """

    data: bytes
    began_ns: int
    ended_ns: int
    wall_ns: int
    lost: Lost = Lost(*bytes(9))
    missed: int = 0


class Watching:
    """The program that sees connections begin and end, in the kernel while the context lasts.

    ``room`` is the size of its ring in bytes, a power of 2 and of whole pages.  Entering raises
    NotSupported with the reason; it takes root, or CAP_BPF and CAP_PERFMON.
    """

    def __init__(self, room: int = ROOM, most: int = MOST, path: str = _OBJECT, library: str = LIBBPF) -> None:
        self._room = room
        self._most = most
        self._path = path
        self._library = library
        self._taken: list[bytes] = []
        self._lost = Lost(*bytes(9))
        self._missed = 0

    def __enter__(self) -> Watching:
        with open(self._path, "rb") as file:
            elf = file.read()
        constants = os.stat(f"{PROC}/self/ns/pid").st_ino.to_bytes(4, sys.byteorder)
        loaded = BpfObject("lifecycle", elf, constants, sizes={"records": self._room}, library=self._library)
        with ExitStack() as held:
            self._programs = held.enter_context(loaded)
            self._ring = held.enter_context(Ring(self._programs.map("records"), self._room, RECORD))
            self._sums = Map(self._programs.map(".bss"), self._library)
            self._programs.attach(PROGRAM)
            self._began = time.monotonic_ns()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wait(self, seconds: float) -> None:
        """Waits so long, and meanwhile takes records out of the ring when it is half full."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._ring.wait(left)
            self._take()

    def read(self) -> Lives:
        """What began and ended since the last call.  Raises FleutanError."""
        self._take()
        data, self._taken = b"".join(self._taken), []
        began, self._began = self._began, time.monotonic_ns()
        before, self._lost = self._lost, self._read_lost()
        missed, self._missed = self._missed, self.runs().recursion_misses
        lost = Lost(*(now - then for now, then in zip(self._lost, before, strict=True)))
        return Lives(data, began, self._began, time.time_ns() - self._began, lost, self._missed - missed)

    def runs(self) -> Runs:
        """What the program cost so far, where the kernel counts it (``libbpf.counting_runs``)."""
        return self._programs.runs(PROGRAM)

    def _take(self) -> None:
        """What is held is bounded: beyond that it stays in the ring, and what that cannot hold is added up."""
        if sum(map(len, self._taken)) < self._most * (_HEAD + RECORD):
            self._taken.append(self._ring.take())

    def _read_lost(self) -> Lost:
        values = memoryview(self._sums.get(bytes(4)) or b"").cast("Q")
        return Lost(*values[: len(Lost._fields)])


class Ring:
    """A BPF ring buffer of records of one size, each a multiple of 8 bytes (kernel/bpf/ringbuf.c).

    Its pages are read where they lie: one for our position, one for the kernel's, then the
    records, mapped twice in a row, so that what waits is always one piece.
    """

    def __init__(self, descriptor: int, room: int, record: int) -> None:
        self._descriptor = descriptor
        self._room = room
        self._step = _HEAD + record

    def __enter__(self) -> Ring:
        with ExitStack() as held:
            ours = held.enter_context(mmap(self._descriptor, PAGESIZE, MAP_SHARED, PROT_READ | PROT_WRITE))
            both = PAGESIZE + 2 * self._room
            theirs = held.enter_context(mmap(self._descriptor, both, MAP_SHARED, PROT_READ, offset=PAGESIZE))
            self._consumed = held.enter_context(held.enter_context(memoryview(ours)).cast("Q"))
            self._pages = held.enter_context(memoryview(theirs))
            # Edge-triggered: it is woken when the program says so, not whenever something waits.
            self._woken = held.enter_context(select.epoll())
            self._woken.register(self._descriptor, select.EPOLLIN | select.EPOLLET)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wait(self, seconds: float) -> None:
        """Waits so long at most, or until the program wakes the reader."""
        self._woken.poll(seconds)

    def take(self) -> bytes:
        """The entries that wait, each behind its head of 8 bytes, up to the first that is still being written."""
        begin = self._consumed[0]
        with self._pages[:8].cast("Q") as produced:
            size = produced[0] - begin
        start = PAGESIZE + begin % self._room
        waiting = self._pages[start : start + size]
        whole = finished(waiting, self._step)
        taken = bytes(waiting[:whole])
        self._consumed[0] = begin + whole
        return taken


def finished(entries: memoryview, step: int) -> int:
    """How many bytes of the entries, ``step`` bytes each, come before the first that is still being written."""
    heads = entries.cast("I")[:: step // 4]
    return step * next((entry for entry, head in enumerate(heads) if head & _BUSY), len(heads))


def parse(lives: Lives) -> Records:
    """What Watching.read gave, as Records: a row each time something began or ended, in order.

    Under the names of inet_diag_msg, tcp_info and struct sock, beside them: ``begun_ns``
    (connect(), listen(), or the end of the handshake of what was accepted), ``established_ns`` and
    ``at_ns``, UTC in nanoseconds, the first two unknown where that was before the programs or
    never; ``old_state`` and ``new_state`` (a beginning has ESTABLISHED or LISTEN, an end CLOSE);
    ``role`` and ``by`` (ROLE_*, BY_*), ``pid`` and ``comm`` of the process, unknown where none was
    seen; ``device`` that it left by.  Raises FleutanError where the bytes are not whole records.
    """
    import numpy as np

    from fleutan.records import Records

    record = np.dtype([(name, kind) for kind, members in _LAYOUT for name in members.split()])
    rows, rest = divmod(len(lives.data), record.itemsize)
    if rest:
        raise FleutanError(f"lifecycle: {rest} bytes are left over after {rows} records of {record.itemsize}")
    if not rows:
        return Records(0, {}, {})
    table = np.frombuffer(lives.data, record)
    values = {name: _column(table[name]) for name in record.names or () if name not in _HIDDEN}
    known = {"pid": values["pid"] != 0, "comm": values["comm"] != b""}
    known |= {name: values[name] != 0 for name in ("begun_ns", "established_ns")}
    for name in ("begun_ns", "established_ns", "at_ns"):
        values[name] += lives.wall_ns
    return Records(rows, values, known)


def _column(values: Values) -> Values:
    """Contiguous; integers as int64."""
    import numpy as np

    return values.astype(np.int64) if values.dtype.kind in "iu" and values.ndim == 1 else np.ascontiguousarray(values)
