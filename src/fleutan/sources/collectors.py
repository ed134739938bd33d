# SPDX-License-Identifier: Apache-2.0
"""An agent's datagrams go to its collectors; what did not is counted by reason, and nothing waits for a collector.

A collector's name is looked up in a thread, again and again; a way that could not be opened, or
broke, is opened anew after some seconds: networks, devices and namespaces come and go.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import FleutanError
from fleutan.linux import namespaces
from fleutan.linux.forwarding import Way, why
from fleutan.protocols.spans import joined

#: After so long a way is opened again, and a name looked up again once it is known; in seconds.
RETRY, KNOWN = 7.0, 300.0
UNKNOWN = "its name is not known (yet)"
#: What is an end of the way itself: ENODEV, ENETDOWN, EBADF, EINVAL.
_BROKEN = frozenset({19, 100, 9, 22})


class Collector(NamedTuple):
    """Where samples go: a name or an address, a UDP port; by which device and from which namespace, if that is said."""

    host: str
    port: int = 6343
    device: str = ""
    netns: str = ""

    @property
    def title(self) -> str:
        """As people write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        more = [f"device {self.device}"] * bool(self.device) + [f"namespace {self.netns}"] * bool(self.netns)
        return f"{host}:{self.port}" + (f" ({', '.join(more)})" if more else "")


class Account(NamedTuple):
    """What went to a collector: datagrams and octets, what did not by reason, and what is wrong with the way now."""

    title: str
    sent: int
    octets: int
    unsent: dict[str, int]
    trouble: str = ""


Lookup = Callable[[str, int], list[tuple[bytes, int]]]


def lookup(host: str, port: int) -> list[tuple[bytes, int]]:
    """The addresses of a name, with the index of the device of link-local ones.  Raises OSError."""
    found = []
    for family, *_, name in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        bare = str(name[0]).partition("%")[0]
        found.append((socket.inet_pton(family, bare), int(name[3]) if len(name) == 4 else 0))
    return found


def numeric(host: str, port: int) -> tuple[bytes, int] | None:
    """The address that is written there; None for a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    family, *_, name = found[0]
    bare = str(name[0]).partition("%")[0]
    return socket.inet_pton(family, bare), int(name[3]) if len(name) == 4 else 0


class Collectors:
    """Sends each datagram to all of them; opened by ``with``, which raises nothing of a collector's."""

    def __init__(self, collectors: Sequence[Collector], look: Lookup = lookup) -> None:
        self._threads = ThreadPoolExecutor(1, "names")
        self._outlets = [_Outlet(one, look, self._threads) for one in dict.fromkeys(collectors)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        for outlet in self._outlets:
            outlet.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def tick(self, now: float) -> None:
        """Opens what is not open, at a time of the monotonic clock in seconds; to be called about once a second."""
        for outlet in self._outlets:
            outlet.tick(now)

    def send(self, datagrams: Sequence[bytes], now: float) -> None:
        """Sends these; waits for nothing."""
        for outlet in self._outlets:
            outlet.send(datagrams, now)

    def accounts(self) -> list[Account]:
        """What went to each so far."""
        return [outlet.account() for outlet in self._outlets]


class _Outlet:
    """A collector, the way to it if there is one, and the account of it."""

    def __init__(self, collector: Collector, look: Lookup, threads: ThreadPoolExecutor) -> None:
        self._collector, self._look, self._threads = collector, look, threads
        self._way: Way | None = None
        self._held = ExitStack()
        self._place: tuple[bytes, int] | None = None
        self._asked: Future[list[tuple[bytes, int]]] | None = None
        self._look_at = self._open_at = 0.0
        self._sent = self._octets = 0
        self._unsent: Counter[str] = Counter()
        self._trouble = UNKNOWN
        if look is lookup and (found := numeric(collector.host, collector.port)):
            self._place, self._look_at = found, float("inf")  # an address is known at once, and for ever

    def tick(self, now: float) -> None:
        if self._asked is None and now >= self._look_at:
            self._asked = self._threads.submit(self._look, self._collector.host, self._collector.port)
        if self._asked is not None and self._asked.done():
            self._found(self._asked, now)
            self._asked = None
        if self._way is None and self._place is not None and now >= self._open_at:
            self._open(now)

    def _found(self, asked: Future[list[tuple[bytes, int]]], now: float) -> None:
        try:
            found = asked.result()
        except (OSError, UnicodeError) as error:
            self._look_at = now + RETRY
            if self._place is None:
                self._trouble = f"{self._collector.host}: {getattr(error, 'strerror', None) or error}".lower()
            return
        self._look_at = now + KNOWN
        if found and self._place not in found:
            self._drop(now)
            self._place = found[0]

    def _open(self, now: float) -> None:
        assert self._place is not None  # noqa: S101  # who calls has looked
        address, scope = self._place
        try:
            with ExitStack() as held:
                if self._collector.netns:
                    held.enter_context(namespaces.entered(namespaces.find(self._collector.netns)))
                way = Way(address, self._collector.port, scope, self._collector.device)
                self._held.enter_context(way)
        except FleutanError as error:
            self._trouble, self._open_at = str(error), now + RETRY
        else:
            self._way, self._trouble = way, ""

    def _drop(self, again_at: float) -> None:
        self._held.close()
        self._way, self._open_at = None, again_at

    def send(self, datagrams: Sequence[bytes], now: float) -> None:
        if self._way is None:
            self._unsent[self._trouble] += len(datagrams)
            return
        spans = joined(datagrams)
        errnos = self._way.send(*spans)
        left = errnos == 0
        self._sent += int(np.count_nonzero(left))
        self._octets += int(spans.sizes[left].sum())
        for number in errnos[~left].tolist():
            self._unsent[why(number)] += 1
            self._trouble = why(number)
        if left.all():
            self._trouble = ""
        elif _BROKEN.intersection(errnos.tolist()):
            self._drop(now + RETRY)

    def account(self) -> Account:
        return Account(self._collector.title, self._sent, self._octets, dict(self._unsent), self._trouble)

    def close(self) -> None:
        self._held.close()
