# SPDX-License-Identifier: Apache-2.0
"""Whose sampled packets are: the process that holds a packet's socket, what it is called and where it belongs.

The kernel cannot tell while it handles a packet.  So who holds which socket is read again when a socket comes that
nobody is known for, once a second at most, and remembered after the socket is closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from threading import Thread
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import proc
from fleutan.linux.cgroups import Membership, membership
from fleutan.linux.iterators import SocketIterators
from fleutan.linux.proc import Process
from fleutan.protocols.spans import Ints
from fleutan.records import Records
from fleutan.sources.owners import pairs, read_processes
from fleutan.sources.packets.columns import Packets

#: Who holds which socket is read again after so many seconds at the earliest, and so many times what it takes.
AGAIN, SHARE = 1.0, 100.0
#: A socket that so many readings found nobody for is the kernel's own.
VAIN = 3
#: A reading that takes longer goes on beside the batches, in seconds.
SLOW = 0.05
#: Sockets whose owners are remembered.
MOST = 1 << 16
_DETAILS = ("comm", "cgroup")

Pairs = tuple[Ints, Ints]
Processes = Callable[[Iterable[int], Collection[str]], Sequence[Process]]


class Owner(NamedTuple):
    """A process; text is as bytes, empty where it is unknown."""

    pid: int
    comm: bytes = b""
    unit: bytes = b""
    container: bytes = b""


_NOBODY = Owner(0)


class Holding:
    """Reads who holds which socket, from ``with`` on: by BPF where that may be, else in /proc."""

    def __init__(self, load: Callable[[], AbstractContextManager[SocketIterators]] = SocketIterators) -> None:
        self._load = load

    def __enter__(self) -> Self:
        self._held = ExitStack()
        self._iterators: SocketIterators | None = None
        try:
            self._iterators = self._held.enter_context(self._load())
        except NotSupported as error:
            self.reason = f"owners: /proc/*/fd ({error})"
        else:
            self.reason = ""
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def __call__(self) -> Pairs:
        """Process ids and inodes of sockets, a pair a descriptor.  Raises FleutanError."""
        return pairs(self._iterators.read_holders() if self._iterators else proc.holders())


class Owners:
    """The owners of sockets; ``read`` says who holds which (``Holding``).

    A batch waits for one reading at most, and not for one that is known to be slow.
    """

    def __init__(
        self,
        read: Callable[[], Pairs],
        processes: Processes = read_processes,
        steady: Callable[[], float] = time.monotonic,
        slow: float = SLOW,
        most: int = MOST,
    ) -> None:
        self._read, self._processes, self._steady, self._slow, self._most = read, processes, steady, slow, most
        self._inodes, self._pids = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._looked, self._took = float("-inf"), 0.0
        self._beside: Thread | None = None
        self._owners: dict[int, Owner] = {}
        self._remembered: dict[int, Owner] = {}
        self._vain: dict[int, int] = {}
        self.failures = 0

    def of(self, cookies: Ints, inodes: Ints) -> Records:
        """Who owns sockets, known by these cookies and inodes (``(n,)``, 0 where unknown): a row each.

        ``pid`` as int64, ``comm``, ``unit`` and ``container`` as bytes.  Of several owners it is the lowest id.
        """
        keys = np.where(cookies != 0, cookies, -inodes)
        each, first, place = np.unique(keys, return_index=True, return_inverse=True)
        told = inodes[first]
        pids = self._holders(told)
        missing = each[(pids == 0) & (told != 0)].tolist()
        if any(self._may_be_found(key) for key in missing) and self._look_again():
            pids = self._holders(told)
            self._note(each[(pids == 0) & (told != 0)].tolist())
        self._learn(set(pids.tolist()) - {0})
        found = [self._owner(key, pid) for key, pid in zip(each.tolist(), pids.tolist(), strict=True)]
        return _columns(found, place)

    def join(self) -> None:
        """Waits for a reading that goes on beside the batches."""
        if self._beside is not None:
            self._beside.join()

    def _may_be_found(self, key: int) -> bool:
        return key not in self._remembered and self._vain.get(key, 0) < VAIN

    def _note(self, missing: Iterable[int]) -> None:
        """That nobody was found for these."""
        if len(self._vain) > self._most:
            self._vain.clear()
        for key in missing:
            self._vain[key] = self._vain.get(key, 0) + 1

    def _holders(self, inodes: Ints) -> Ints:
        """The process of each inode, 0 for none."""
        if not len(self._inodes):
            return np.zeros(len(inodes), np.int64)
        at = np.minimum(np.searchsorted(self._inodes, inodes), len(self._inodes) - 1)
        return np.where(self._inodes[at] == inodes, self._pids[at], 0)

    def _look_again(self) -> bool:
        """Reads anew; whether that is done already."""
        now = self._steady()
        if now - self._looked < max(AGAIN, SHARE * self._took) or (
            self._beside is not None and self._beside.is_alive()
        ):
            return False
        self._looked = now
        if self._took <= self._slow:
            self._look()
            return True
        self._beside = Thread(target=self._look, name="owners", daemon=True)
        self._beside.start()
        return False

    def _look(self) -> None:
        began = self._steady()
        try:
            pids, inodes = self._read()
        except FleutanError:  # sockets stay without owners until the next time
            self.failures += 1
            return
        order = np.lexsort((pids, inodes))
        inodes, pids = inodes[order], pids[order]
        lowest = np.flatnonzero(np.diff(inodes, prepend=-1))
        self._owners = {}  # what a process is called may have changed, and whose a number is
        self._pids = np.zeros(0, np.int64)
        self._inodes, self._pids = inodes[lowest], pids[lowest]
        self._took = self._steady() - began

    def _learn(self, pids: Collection[int]) -> None:
        """What processes are, where that is not known yet."""
        fresh = [pid for pid in pids if pid not in self._owners]
        if fresh:
            self._owners.update({one.pid: _owner(one) for one in self._processes(fresh, _DETAILS)})

    def _owner(self, key: int, pid: int) -> Owner:
        """The owner of a socket; who owned it last where nobody does now."""
        owner = self._owners.get(pid)
        if owner is None:
            return self._remembered.get(key, Owner(pid) if pid else _NOBODY)
        if key:
            self._remembered.pop(key, None)
            self._remembered[key] = owner
            if len(self._remembered) > self._most:
                del self._remembered[next(iter(self._remembered))]
        return owner


def with_owners(packets: Packets, owners: Owners) -> Packets:
    """The packets with ``pid``, ``comm``, ``unit`` and ``container`` of who holds their sockets."""
    values = packets.columns.values
    if "cookie" not in values:
        return packets
    cookies, inodes = (np.where(packets.known(name), values[name], 0) for name in ("cookie", "inode"))
    found = owners.of(cookies, inodes)
    columns = packets.columns
    return Packets(
        Records(columns.rows, {**columns.values, **found.values}, {**columns.known, **found.known}), packets.header
    )


def _owner(process: Process) -> Owner:
    group = membership(process.cgroup) if process.cgroup else Membership("")
    return Owner(process.pid, *(_octets(text) for text in (process.comm, group.unit, group.container)))


def _octets(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")


def _columns(owners: Sequence[Owner], place: Ints) -> Records:
    """A column for each member, a row for each place."""
    pid, *texts = zip(*owners, strict=True) if owners else ((),) * len(Owner._fields)
    columns = {"pid": np.array(pid, np.int64)}
    columns |= {name: np.array(text, bytes) for name, text in zip(Owner._fields[1:], texts, strict=True)}
    values = {name: column[place] for name, column in columns.items()}
    known = {name: column != (0 if name == "pid" else b"") for name, column in values.items()}
    return Records(len(place), values, known)
