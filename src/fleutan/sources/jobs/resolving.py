# SPDX-License-Identifier: Apache-2.0
"""The addresses of nodes by their names: many side by side, within a time."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from threading import Condition, Thread

from fleutan.errors import FleutanError

#: All addresses of a name, as text.  Raises OSError or UnicodeError where it has none.
Resolve = Callable[[str], Iterable[str]]
#: Look-ups at the same time.
THREADS = 16


def addresses_of(name: str) -> list[str]:
    """What the host's resolver says (getaddrinfo(3)); may take long."""
    return [str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


def resolved(names: Iterable[str], seconds: float, resolve: Resolve = addresses_of) -> dict[str, tuple[str, ...]]:
    """The addresses of each name.  Raises FleutanError if one has none, or if it takes longer than ``seconds``."""
    looking = _Looking(names, resolve)
    found = looking.found(seconds)
    for name, addresses in found.items():
        if not addresses:
            raise FleutanError(f"node {name} has no address")
    return found


class _Looking:
    """Names that are looked up in threads that nobody waits for when the time is over."""

    def __init__(self, names: Iterable[str], resolve: Resolve) -> None:
        self._resolve = resolve
        self._found: dict[str, tuple[str, ...] | None] = dict.fromkeys(names)
        self._queue = deque(self._found)
        self._left = len(self._found)
        self._done = Condition()
        for _ in range(min(THREADS, self._left)):
            Thread(target=self._work, name="nodes", daemon=True).start()

    def found(self, seconds: float) -> dict[str, tuple[str, ...]]:
        until = time.monotonic() + seconds
        with self._done:
            if not self._done.wait_for(lambda: not self._left, until - time.monotonic()):
                self._queue.clear()
                raise FleutanError(f"the addresses of its nodes are not found within {seconds:g} s")
            return {name: addresses or () for name, addresses in self._found.items()}

    def _work(self) -> None:
        while True:
            with self._done:
                if not self._queue:
                    return
                name = self._queue.popleft()
            try:
                addresses = tuple(dict.fromkeys(self._resolve(name)))
            except (OSError, UnicodeError):
                addresses = ()
            with self._done:
                self._found[name] = addresses
                self._left -= 1
                self._done.notify_all()
