# SPDX-License-Identifier: Apache-2.0
"""Who holds which socket: joins descriptors to sockets, and says what the processes are.

A socket has a set of owners: every process with a descriptor of it.  Sets are few where sockets
are many, so all text is kept once a set.  How descriptors are found (iter/task_file, /proc) is
the business of ``linux``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column, text_column
from fleutan.fields import FIELDS
from fleutan.linux import iterators, proc
from fleutan.linux.cgroups import Membership, membership
from fleutan.linux.proc import Holders, Process
from fleutan.table import Table

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Read = Callable[[Iterable[int], Collection[str]], Sequence[Process]]

#: The catalogue's fields of one process, in its order: ``pid`` and texts.
OWNER_FIELDS = tuple(field.name for field in FIELDS if field.of_owner)
#: All that this file gives for a socket.
SOCKET_FIELDS = ("owner", "pids", *OWNER_FIELDS)

_NOWHERE = Membership("")


class Sets(NamedTuple):
    """For each socket the code of its set of owners (int32, −1: none), and the sets by code.

    A set is a tuple of process ids, ascending.
    """

    codes: Codes
    members: tuple[tuple[int, ...], ...]


class Text(NamedTuple):
    """A text field of a process: the detail of Process that it needs, and how it is made."""

    detail: str
    of: Callable[[Process, Membership], str | None]


_TEXTS: dict[str, Text] = {
    "proc": Text("comm", lambda process, _: None if process.comm is None else f"{process.comm}({process.pid})"),
    "comm": Text("comm", lambda process, _: process.comm),
    "exe": Text("exe", lambda process, _: process.exe),
    "cmdline": Text("cmdline", lambda process, _: process.cmdline),
    "cgroup": Text("cgroup", lambda _, group: group.path or None),
    "unit": Text("cgroup", lambda _, group: group.unit),
    "container": Text("cgroup", lambda _, group: group.container),
    "runtime": Text("cgroup", lambda _, group: group.runtime),
    "pod": Text("cgroup", lambda _, group: group.pod),
}


def read_processes(pids: Iterable[int], details: Collection[str]) -> list[Process]:
    """What the processes of this host are, from /proc."""
    return proc.processes(pids, details=details)


def with_owners(
    columns: Mapping[str, Column],
    holders: Holders | bytes | bytearray | memoryview | None,
    wanted: Collection[str],
    read: Read = read_processes,
) -> tuple[dict[str, Column], Table]:
    """The columns of sockets with the wanted ones of SOCKET_FIELDS, and the table ``owners``.

    ``columns`` has the sockets' ``inode``; ``holders`` is what iter/task_file or /proc gave, None
    where owners were not asked for.  Of a socket with several owners ``pid`` and the texts are
    those of the lowest id.  The table has a row for every process of every set: ``owner`` (the
    set), ``pid`` and the wanted texts.  Only processes that hold one of the sockets are read,
    and of them only what the wanted fields need.
    """
    sets = join(columns["inode"].values, *pairs(holders))
    pids = sorted({pid for members in sets.members for pid in members})
    texts = _texts(pids, [name for name in _TEXTS if name in wanted], read)
    found = {name: column for name, column in _of_sockets(sets, pids, texts).items() if name in wanted}
    return {**columns, **found}, _table(sets, pids, texts)


def pairs(holders: Holders | bytes | bytearray | memoryview | None) -> tuple[Ints, Ints]:
    """Process ids and inodes (int64, of equal length) of what was read."""
    if isinstance(holders, Holders):
        return np.array(holders.pids, np.int64), np.array(holders.inodes, np.int64)
    if not holders:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    records = iterators.parse_holders(holders)
    return records.values["pid"], records.values["inode"]


def join(sockets: Ints, pids: Ints, inodes: Ints) -> Sets:
    """The sets of owners of the sockets with these inodes.

    ``sockets`` is ``(n,)`` int64, 0 where nothing holds one; ``pids`` and ``inodes`` are ``(m,)``,
    a pair for every descriptor, in any order.  Sockets with one owner cost no loop.
    """
    inode, pid = _distinct_pairs(pids, inodes)
    if not len(inode) or not len(sockets):
        return Sets(np.full(len(sockets), -1, np.int32), ())
    starts = np.flatnonzero(np.concatenate(([True], inode[1:] != inode[:-1])))
    ends = np.append(starts[1:], len(inode))
    group = _places(inode[starts], sockets)
    used = np.zeros(len(starts), np.bool_)
    used[group[group >= 0]] = True
    alone = used & (ends - starts == 1)
    shared = np.flatnonzero(used & ~alone)
    singles, code = np.unique(pid[starts[alone]], return_inverse=True)
    code_of = np.full(len(starts) + 1, -1, np.int32)  # the last is for sockets of no group
    code_of[:-1][alone] = code
    code_of[shared], several = _shared_sets(pid, starts[shared], ends[shared], len(singles))
    return Sets(code_of[group], (*((single,) for single in singles.tolist()), *several))


def _distinct_pairs(pids: Ints, inodes: Ints) -> tuple[Ints, Ints]:
    """Inodes and process ids, each pair once, in order of both.

    An inode of a socket has 32 bits (``get_next_ino``) and a process id at most 22 (PID_MAX_LIMIT):
    sorting both in one number is ten times as fast as sorting by two keys.
    """
    valid = (inodes > 0) & (pids > 0)
    pids, inodes = pids[valid], inodes[valid]
    bits = int(pids.max(initial=1)).bit_length()
    joined = np.sort((inodes << bits) | pids)
    fresh = np.ones(len(joined), np.bool_)
    fresh[1:] = joined[1:] != joined[:-1]
    joined = joined[fresh]
    return joined >> bits, joined & ((1 << bits) - 1)


def _places(ascending: Ints, wanted: Ints) -> Ints:
    """Where each wanted number stands among the ascending ones; −1 where it does not."""
    order = np.argsort(wanted)  # in order the search stays in the cache: a quarter of the time
    ordered = wanted[order]
    at = np.minimum(np.searchsorted(ascending, ordered), len(ascending) - 1)
    places = np.empty(len(wanted), np.int64)
    places[order] = np.where(ascending[at] == ordered, at, -1)
    return places


def _shared_sets(pid: Ints, starts: Ints, ends: Ints, first: int) -> tuple[Codes, list[tuple[int, ...]]]:
    """Codes from ``first`` on for slices of ``pid``, equal ones alike; and the sets."""
    raw, size = pid.tobytes(), pid.itemsize
    codes: dict[bytes, int] = {}
    rows = [
        codes.setdefault(raw[start:end], first + len(codes))
        for start, end in zip((starts * size).tolist(), (ends * size).tolist(), strict=True)
    ]
    return np.array(rows, np.int32), [tuple(np.frombuffer(key, np.int64).tolist()) for key in codes]


def _texts(pids: Sequence[int], names: Sequence[str], read: Read) -> dict[str, Column]:
    """Text columns with a row for each process; all unknown for one that is gone."""
    details = {_TEXTS[name].detail for name in names}
    found = {process.pid: process for process in read(pids, details)} if details else {}
    processes = [found.get(pid) or Process(pid) for pid in pids]
    groups = [_NOWHERE if process.cgroup is None else membership(process.cgroup) for process in processes]
    return {
        name: text_column([_TEXTS[name].of(*both) for both in zip(processes, groups, strict=True)]) for name in names
    }


def _of_sockets(sets: Sets, pids: Sequence[int], texts: Mapping[str, Column]) -> dict[str, Column]:
    """Columns with a row for each socket, of the first process of its set."""
    codes, owned = sets.codes, sets.codes >= 0
    first = np.array([members[0] for members in sets.members] or [0], np.int64)
    columns = {
        "owner": Column(codes.astype(np.int64), owned),
        "pids": Column(codes, None, sets.members),
        "pid": Column(first[codes], owned),
    }
    row_of_set = np.searchsorted(pids, first)
    for name, text in texts.items():
        words = np.append(text.values, np.int32(-1))  # also where there are no processes at all
        columns[name] = Column(np.where(owned, words[row_of_set][codes], np.int32(-1)), None, text.words)
    return columns


def _table(sets: Sets, pids: Sequence[int], texts: Mapping[str, Column]) -> Table:
    members = np.array([pid for members in sets.members for pid in members], np.int64)
    lengths = [len(members) for members in sets.members]
    rows = np.searchsorted(pids, members)
    columns = {"owner": Column(np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)), "pid": Column(members)}
    return Table("owners", {**columns, **{name: text.take(rows) for name, text in texts.items()}})
