# SPDX-License-Identifier: Apache-2.0
"""Who used which socket of IP first, TCP's aside: noticing it, and what was noticed into Records.

Noticing is done by bpf/users.bpf.c, whose layout stands here a second time.  It imports no numpy.
Whose packets it explains is decided in ``sources``.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import Map
from fleutan.linux.proc import PROC

if TYPE_CHECKING:
    from fleutan.records import Records, Values

    Buffer = bytes | bytearray | memoryview

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "users.bpf.o")
PROGRAMS = ("sock_send_length", "sock_recv_length")
#: Sockets that one reading can hold; each takes some 100 bytes of kernel memory.
ENTRIES = 16_384

#: The key and struct user: numpy type, members in order.
_KEY = (("i8", "idiag_cookie"),)
_USER = (("i8", "cgroup_id"), ("u4", "netns_inode pid"), ("S16", "comm"))


class Noticed(NamedTuple):
    """Which sockets were used from ``began_ns`` to ``ended_ns`` (both CLOCK_MONOTONIC), for ``parse``.

    ``keys`` and ``values`` are whole records in the same order.  ``wall_ns`` is how far UTC was
    ahead of that clock at the end; ``pushed_out`` is how many sockets found no room beside those
    that came later, as near as can be told.
    """

    keys: Buffer
    values: Buffer
    began_ns: int
    ended_ns: int
    wall_ns: int = 0
    pushed_out: int = 0


class Noticing:
    """The programs that see sockets used, in the kernel while the context lasts.

    ``entries`` bounds the sockets of one reading.  Entering raises NotSupported with the reason;
    it takes root, or CAP_BPF and CAP_PERFMON, and Linux 6.3 (where the tracepoints began).
    """

    def __init__(self, entries: int = ENTRIES, path: str = _OBJECT, library: str = LIBBPF) -> None:
        self._entries = entries
        self._path = path
        self._library = library
        self._taken = self._pushed_out = 0

    def __enter__(self) -> Noticing:
        with open(self._path, "rb") as file:
            elf = file.read()
        constants = os.stat(f"{PROC}/self/ns/pid").st_ino.to_bytes(4, sys.byteorder)
        loaded = BpfObject("users", elf, constants, sizes={"users": self._entries}, library=self._library)
        with ExitStack() as held:
            self._programs = held.enter_context(loaded)
            self._users, self._sums = (Map(loaded.map(name), self._library) for name in ("users", ".bss"))
            loaded.attach(*PROGRAMS)
            self._began = time.monotonic_ns()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self) -> Noticed:
        """What was seen since the last call; who uses a socket after that is seen anew.  Raises FleutanError."""
        put = int.from_bytes(self._sums.get(bytes(4)) or b"", sys.byteorder)
        began, self._began = self._began, time.monotonic_ns()
        entries = self._users.drain()
        # What came while it was emptied may be among the entries, but not among those that were put.
        self._taken += entries.rows
        before, self._pushed_out = self._pushed_out, max(self._pushed_out, put - self._taken)
        wall_ns = time.time_ns() - time.monotonic_ns()
        pushed_out = self._pushed_out - before
        return Noticed(entries.keys, entries.values, began, self._began, wall_ns, pushed_out)

    def runs(self, program: str) -> Runs:
        """What one of PROGRAMS cost so far, where the kernel counts it (``libbpf.counting_runs``)."""
        return self._programs.runs(program)


def parse(noticed: Noticed) -> Records:
    """What Noticing.read gave, as Records: a row for each socket that was used, in no order.

    ``idiag_cookie`` and ``netns_inode`` are the socket's; ``pid``, ``comm`` and ``cgroup_id``
    (of cgroup2) those of the process that used it first, as it was then; ``pid`` is unknown where
    the reader's PID namespace does not have it.  Raises FleutanError where the bytes are not
    whole records.
    """
    import numpy as np

    from fleutan.records import Records

    key, user = (
        np.dtype([(name, kind) for kind, names in layout for name in names.split()]) for layout in (_KEY, _USER)
    )
    rows, rest = divmod(memoryview(noticed.keys).nbytes, key.itemsize)
    if rest or memoryview(noticed.values).nbytes != rows * user.itemsize:
        raise FleutanError(f"users: {len(noticed.keys)} bytes of keys do not go with {len(noticed.values)} of users")
    keys, users = np.frombuffer(noticed.keys, key), np.frombuffer(noticed.values, user)
    values = {name: _column(table[name]) for table in (keys, users) for name in table.dtype.names or ()}
    return Records(rows, values, {"pid": values["pid"] != 0})


def _column(values: Values) -> Values:
    """Contiguous; integers as int64."""
    import numpy as np

    return values.astype(np.int64) if values.dtype.kind in "iu" else np.ascontiguousarray(values)
