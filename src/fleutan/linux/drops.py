# SPDX-License-Identifier: Apache-2.0
"""Packets dropped, TCP's retransmissions and resets: counting them, and the counts into Records.

The layout is that of bpf/drops.bpf.c, and stands here a second time.  Reading imports no numpy.
What a reason is called is read in ``reasons``, the name of a place in the kernel here; whose
flow it is, is decided in ``sources``.
"""

from __future__ import annotations

import os
import sys
import time
from bisect import bisect_right
from collections.abc import Collection
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import BpfObject, Runs
from fleutan.linux.maps import Map

if TYPE_CHECKING:
    from fleutan.records import Known, Records, Values

    Buffer = bytes | bytearray | memoryview

_OBJECT = os.path.join(os.path.dirname(__file__), "bpf", "drops.bpf.o")
PROGRAMS = (
    "kfree_skb",
    "tcp_retransmit_skb",
    "tcp_retransmit_synack",
    "tcp_send_reset",
    "tcp_receive_reset",
)

#: Rows by flow that one reading can hold; what comes after is counted by all but the flow.
FLOWS = 16_384
#: Rows without flow: reasons by device and place are few.
REST = 4_096

#: enum in bpf/drops.bpf.c: what was counted.
DROP, RETRANSMIT, RESET_SENT, RESET_RECEIVED = range(4)
DIRECTION_UNKNOWN, RECEIVED, SENT = range(3)
#: Why a segment was sent again, the ``reason`` of RETRANSMIT.
BY_SYN, BY_SYNACK, BY_TIMEOUT, BY_RECOVERY, BY_PROBE, BY_OTHER = range(6)

#: struct drop_key: numpy type, members in order.
_KEY = (
    ("i8", "idiag_cookie location"),
    ("4u4", "idiag_src idiag_dst"),
    ("u4", "reason netns_inode ifindex"),
    ("u2", "idiag_sport idiag_dport ethertype"),
    ("u1", "event direction idiag_family proto"),
    ("V2", "padding"),
)
#: struct drop_count.
_COUNT = (("i8", "packets segments bytes"), ("S16", "device"))
_COUNTED = ("packets", "segments", "bytes")
#: Addresses whose functions are kept in mind.
REMEMBERED = 4_096


class Lost(NamedTuple):
    """What found no room at all: ``packets`` events, and what was in them."""

    packets: int = 0
    segments: int = 0
    bytes: int = 0


class Counts(NamedTuple):
    """What was counted from ``began_ns`` to ``ended_ns`` (both CLOCK_MONOTONIC), for ``parse``.

    ``flows`` and ``rest`` are keys and values of what was counted by flow, and without; the
    latter has a value for each possible CPU.  ``wall_ns`` is how far UTC was ahead of that clock at the end;
    ``missed`` events came while another one was counted on the same CPU.
    """

    flows: tuple[Buffer, Buffer]
    rest: tuple[Buffer, Buffer]
    began_ns: int
    ended_ns: int
    wall_ns: int
    lost: Lost = Lost()
    missed: int = 0


class Counting:
    """The programs that count, in the kernel while the context lasts.

    ``flows`` is how many rows by flow a reading can hold.  What the kernel frees as used up is no
    drop to it: requests for connections that a full listener does not take are counted by that
    socket alone (``sk_drops``, ListenDrops).  Resets from ports without a socket are told since
    Linux 6.10.  Entering raises NotSupported with the reason; it takes root, or CAP_BPF and
    CAP_PERFMON, and Linux 5.17 (where drops have reasons).
    """

    def __init__(self, flows: int = FLOWS, rest: int = REST, path: str = _OBJECT, library: str = LIBBPF) -> None:
        self._sizes = {"flows_0": flows, "flows_1": flows, "rest_0": rest, "rest_1": rest}
        self._path = path
        self._library = library
        self._lost = Lost()
        self._missed = 0

    def __enter__(self) -> Counting:
        with open(self._path, "rb") as file:
            elf = file.read()
        with ExitStack() as held:
            self._programs = held.enter_context(BpfObject("drops", elf, sizes=self._sizes, library=self._library))
            pairs = ("flows_0", "rest_0"), ("flows_1", "rest_1")
            self._used, self._spare = ([self._map(name) for name in pair] for pair in pairs)
            self._current = [self._map("current_flows"), self._map("current_rest")]
            self._sums = self._map(".bss")
            self._programs.attach(*PROGRAMS)
            self._began = time.monotonic_ns()
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wait(self, seconds: float) -> None:
        """Passes the time."""
        time.sleep(seconds)

    def read(self) -> Counts:
        """What was counted since the last call; an event is in exactly one reading.  Raises FleutanError."""
        self._used, self._spare = self._spare, self._used
        for current, used in zip(self._current, self._used, strict=True):
            current.put(_native(0), _native(used.descriptor))
        began, self._began = self._began, time.monotonic_ns()
        before, self._lost = self._lost, Lost(*memoryview(self._sums.get(_native(0)) or b"").cast("Q")[:3])
        missed, self._missed = self._missed, sum(self.runs(program).recursion_misses for program in PROGRAMS)
        lost = Lost(*(now - then for now, then in zip(self._lost, before, strict=True)))
        flows, rest = (spare.drain() for spare in self._spare)
        wall_ns = time.time_ns() - time.monotonic_ns()
        pairs = (flows.keys, flows.values), (rest.keys, rest.values)
        return Counts(*pairs, began, self._began, wall_ns, lost, self._missed - missed)

    def runs(self, program: str) -> Runs:
        """What one of PROGRAMS cost so far, where the kernel counts it (``libbpf.counting_runs``)."""
        return self._programs.runs(program)

    def _map(self, name: str) -> Map:
        return Map(self._programs.map(name), self._library)


def _native(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def parse(counts: Counts) -> Records:
    """What Counting.read gave, as Records: a row per event, flow, reason, device, namespace and place.

    ``event`` is DROP, RETRANSMIT, RESET_SENT or RESET_RECEIVED; ``reason`` the kernel's number,
    of RETRANSMIT one of BY_*; ``location`` the address that dropped it (0 but for DROP);
    ``direction`` RECEIVED, SENT or DIRECTION_UNKNOWN.  ``idiag_src`` and ``idiag_sport`` are the
    end of this host: where a packet was received, what it was for.  They and the other end are
    unknown in rows of no flow (``of_flow`` 0) and of packets that could not be read.
    ``segments`` are those on the wire where one packet holds several.  Raises FleutanError where
    the bytes are not whole records.
    """
    from fleutan.records import concatenate

    parts = [_parse(*counts.flows, of_flow=1), _parse(*counts.rest, of_flow=0)]
    return concatenate(parts)


def _parse(keys: Buffer, values: Buffer, of_flow: int) -> Records:
    import numpy as np

    from fleutan.records import Records

    key, count = (
        np.dtype([(name, kind) for kind, names in layout for name in names.split()]) for layout in (_KEY, _COUNT)
    )
    rows, rest = divmod(memoryview(keys).nbytes, key.itemsize)
    cpus, left = divmod(memoryview(values).nbytes, rows * count.itemsize or 1)
    if rest or left or (rows and not cpus):
        raise FleutanError(f"drops: {rows} keys of {key.itemsize} bytes do not go with {len(values)} of counts")
    if not rows:
        return Records(0, {}, {})
    table, counted = np.frombuffer(keys, key), np.frombuffer(values, count).reshape(rows, cpus)
    columns = {name: _column(table[name]) for name in key.names or () if name != "padding"}
    columns |= {name: counted[name].sum(axis=1) for name in _COUNTED}
    devices = counted["device"]
    columns["device"] = devices[np.arange(rows), np.argmax(devices != b"", axis=1)]
    columns["of_flow"] = np.full(rows, of_flow, np.int64)
    return Records(rows, columns, _known(columns))


def _column(values: Values) -> Values:
    """Contiguous; integers as int64."""
    import numpy as np

    return values.astype(np.int64) if values.dtype.kind in "iu" and values.ndim == 1 else np.ascontiguousarray(values)


def _known(columns: dict[str, Values]) -> dict[str, Known]:
    known = {name: columns[name] != 0 for name in ("idiag_cookie", "netns_inode", "ifindex", "location")}
    ends = (columns["of_flow"] != 0) & (columns["idiag_family"] != 0)
    known |= dict.fromkeys(("idiag_src", "idiag_dst"), ends)
    ported = ends & ((columns["idiag_sport"] != 0) | (columns["idiag_dport"] != 0))
    known |= dict.fromkeys(("idiag_sport", "idiag_dport"), ported)
    return known | {"proto": columns["idiag_family"] != 0}


#: Octets of /proc/kallsyms that are looked at together.
_PIECE = 1 << 20


class Symbols:
    """Names of the kernel's functions by addresses inside them, from /proc/kallsyms.

    The file takes 60 ms; it is read when an address is asked for that is not known yet.
    """

    def __init__(self, path: str = "/proc/kallsyms") -> None:
        self._path = path
        self._known: dict[int, str | None] = {}

    def names(self, addresses: Collection[int]) -> dict[int, str]:
        """The function of each address; without those that the kernel does not tell (kptr_restrict)."""
        new = [address for address in addresses if address not in self._known]
        if len(self._known) + len(new) > REMEMBERED:
            self._known, new = {}, list(addresses)
        if new:
            self._known |= {address: _function(line) for address, line in self._before(new).items()}
        return {address: name for address in addresses if (name := self._known[address])}

    def _before(self, addresses: Collection[int]) -> dict[int, bytes]:
        """For each address the line of the symbol that begins last before it, piece by piece: all is 20 MB.

        Lines are ``address type name``; addresses of equal length are in the order of their text.
        """
        found = dict.fromkeys(addresses, b"")
        with suppress(OSError), open(self._path, "rb") as file:
            while lines := file.readlines(_PIECE):
                lines.sort()
                for address, line in found.items():
                    at = bisect_right(lines, b"%016x~" % (address & (1 << 64) - 1))
                    found[address] = max(line, lines[at - 1]) if at else line
        return found


def _function(line: bytes) -> str | None:
    """The function that a line names; the compiler's suffixes are left out."""
    words = line.decode("ascii", "replace").split()
    if len(words) < 3 or not words[0].strip("0"):
        return None
    return " ".join([words[2].partition(".")[0], *words[3:]])
