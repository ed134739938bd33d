# SPDX-License-Identifier: Apache-2.0
"""Network counters of what has a network namespace of its own, read from the processes in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.linux import outward
from fleutan.linux.cgroupstats import files
from fleutan.linux.namespaces import Namespace, entered
from fleutan.linux.outward import Sides
from fleutan.linux.proc import PROC

#: Seconds for which it is believed which devices lead out, while there are the same.
LIFETIME_S = 300.0
#: Namespaces of which that is remembered.
MOST = 32_768

Devices = Mapping[tuple[int, str], Sides]


class _Known(NamedTuple):
    """Of a namespace: all its devices when it was looked at, and those that lead out; None where nobody knows."""

    names: frozenset[str]
    outward: frozenset[str] | None
    until: float


def _leading_out(space: Namespace) -> frozenset[str]:
    with entered(space):
        return outward.outward()


class Networks:
    """Devices that lead out of namespaces, with their counters.

    ``trouble`` says why it could not be told last time which those are, '' if it could.
    """

    def __init__(
        self,
        root: str = PROC,
        clock: Callable[[], float] = time.monotonic,
        look: Callable[[Namespace], frozenset[str]] = _leading_out,
    ) -> None:
        self.trouble = ""
        self._root, self._clock, self._look = root, clock, look
        self._known: dict[int, _Known] = {}
        self._hosts: set[int | None] = set()

    def inode(self, pid: int) -> int | None:
        """The network namespace of a process; None where it may not be looked at, or has none any more."""
        try:
            return os.stat(f"{self._root}/{pid}/ns/net").st_ino
        except OSError:
            return None

    def is_hosts(self, inode: int) -> bool:
        """Whether a namespace is that of process 1, or this process's own."""
        if not self._hosts:
            self._hosts = {self.inode(1), self._own()}
        return inode in self._hosts

    def _own(self) -> int | None:
        try:
            return os.stat(f"{self._root}/self/ns/net").st_ino
        except OSError:
            return None

    def read(self, pid: int, inode: int) -> Devices | None:
        """The devices that lead out of this namespace, in which the process is; None where nobody knows."""
        counted = outward.parse(files.text(f"{self._root}/{pid}/net/dev"))
        if not counted or self.inode(pid) != inode:  # the process ended, and its number may be another's
            return None
        names = self._outward(pid, inode, frozenset(counted))
        if names is None:
            return None
        return {(inode, name): sides for name, sides in counted.items() if name in names}

    def _outward(self, pid: int, inode: int, names: frozenset[str]) -> frozenset[str] | None:
        known = self._known.get(inode)
        if known is None or known.names != names or self._clock() >= known.until:
            if len(self._known) >= MOST:
                self._known.clear()
            known = _Known(names, self._looked_at(pid, inode, names), self._clock() + LIFETIME_S)
            self._known[inode] = known
        return known.outward

    def _looked_at(self, pid: int, inode: int, names: frozenset[str]) -> frozenset[str] | None:
        try:
            found = self._look(Namespace(inode, str(inode), f"{self._root}/{pid}/ns/net"))
            self.trouble = ""
        except FleutanError as error:
            self.trouble = str(error)
            found = names - {"lo"}
            return found if len(found) == 1 else None  # one alone can only be the way out
        return found
