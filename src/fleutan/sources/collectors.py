# SPDX-License-Identifier: Apache-2.0
"""An agent's datagrams go to its collectors; what did not is counted by reason, and nothing waits for a collector.

A collector's name is looked up beside (``lookups``), again and again; a way that could not be opened, or
broke, or whose device or namespace is another by now, is opened anew after some seconds: they come and go.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import FleutanError
from fleutan.linux import namespaces
from fleutan.linux.forwarding import Way, why
from fleutan.linux.namespaces import Namespace
from fleutan.protocols.spans import joined
from fleutan.sources.lookups import OURS, Lookups, Place, Question, numeric

#: After so long a way is opened again, and a name looked up again once it is known; in seconds.
RETRY, KNOWN = 7.0, 60.0
#: Datagrams that leave at once: the usual room of a collector's socket (212 kB) holds some ninety of them.
PIECE = 64
#: The least time between two of such, in seconds.
GAP = 0.0005
#: Reasons of what was not sent that have a count of their own, for each collector.
REASONS = 64
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


class Collectors:
    """Sends each datagram to all of them; opened by ``with``, which raises nothing of a collector's."""

    def __init__(self, collectors: Sequence[Collector], lookups: Lookups = OURS) -> None:
        self._outlets = [_Outlet(one, lookups) for one in dict.fromkeys(collectors)]
        self._later: deque[Sequence[bytes]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        for outlet in self._outlets:
            outlet.close()

    def tick(self, now: float) -> None:
        """Opens what is not open, at a time of the monotonic clock in seconds; to be called about once a second."""
        for outlet in self._outlets:
            outlet.tick(now)

    def send(self, datagrams: Sequence[bytes], now: float) -> None:
        """Sends these; waits for nothing."""
        for outlet in self._outlets:
            outlet.send(datagrams, now)

    def spread(self, datagrams: Sequence[bytes], now: float) -> None:
        """Sends the first of them, and each of the others when ``more`` is called so often: many at once are lost."""
        is_first = not self._later
        self._later.extend(datagrams[at : at + PIECE] for at in range(0, len(datagrams), PIECE))
        if is_first:
            self.more(now)

    @property
    def pieces(self) -> int:
        """How often ``more`` is to be called."""
        return len(self._later)

    def more(self, now: float) -> None:
        """Sends some of those that wait."""
        if self._later:
            self.send(self._later.popleft(), now)

    def drain(self, now: float) -> None:
        """Sends all that wait, with pauses that are as short as may be."""
        while self._later:
            time.sleep(GAP)
            self.more(now)

    def accounts(self) -> list[Account]:
        """What went to each so far."""
        return [outlet.account() for outlet in self._outlets]


class _Outlet:
    """A collector, the way to it if there is one, and the account of it."""

    def __init__(self, collector: Collector, lookups: Lookups) -> None:
        self._collector, self._lookups = collector, lookups
        self._way: Way | None = None
        self._space: Namespace | None = None
        self._held = ExitStack()
        self._asked: Question | None = None
        self._look_at = self._open_at = self._check_at = 0.0
        self._sent = self._octets = 0
        self._unsent: Counter[str] = Counter()
        self._trouble = UNKNOWN
        self._place: Place | None = numeric(collector.host, collector.port)
        if self._place is not None:
            self._look_at = float("inf")  # an address is known at once, and for ever

    def tick(self, now: float) -> None:
        if self._asked is None and now >= self._look_at:
            self._asked = self._lookups.ask(self._collector.host, self._collector.port)
        if self._asked is not None and not self._asked.is_alive():
            self._found(self._asked, now)
            self._asked = None
        if self._way is not None and now >= self._check_at:
            self._check(self._way, now)
        if self._way is None and self._place is not None and now >= self._open_at:
            self._open(now)

    def _found(self, asked: Question, now: float) -> None:
        if asked.trouble:
            self._look_at = now + RETRY
            if self._place is None:
                self._trouble = asked.trouble
            return
        self._look_at = now + KNOWN
        if asked.places and self._place not in asked.places:
            self._drop(now)
            self._place = asked.places[0]

    def _check(self, way: Way, now: float) -> None:
        """A socket stays in a namespace that is deleted, and at a device that has another name: the name counts."""
        self._check_at = now + RETRY
        try:
            space = self._found_space()
            is_right = _inode(space) == _inode(self._space) and way.device() == self._collector.device
        except (FleutanError, OSError):
            is_right = False
        if not is_right:
            self._drop(now)

    def _found_space(self) -> Namespace | None:
        return namespaces.find(self._collector.netns) if self._collector.netns else None

    def _open(self, now: float) -> None:
        assert self._place is not None  # noqa: S101  # who calls has looked
        address, scope = self._place
        way = Way(address, self._collector.port, scope, self._collector.device)
        try:
            self._space = self._found_space()
            with namespaces.entered(self._space) if self._space else nullcontext():
                self._held.enter_context(way)
        except (FleutanError, OSError) as error:
            self._trouble, self._open_at = str(error), now + RETRY
        else:
            self._way, self._trouble, self._check_at = way, "", now + RETRY

    def _drop(self, again_at: float) -> None:
        self._held.close()
        self._way, self._open_at = None, again_at

    def send(self, datagrams: Sequence[bytes], now: float) -> None:
        if self._way is None:
            self._miss(self._trouble, len(datagrams))
            return
        spans = joined(datagrams)
        errnos = self._way.send(*spans)
        left = errnos == 0
        self._sent += int(np.count_nonzero(left))
        self._octets += int(spans.sizes[left].sum())
        for number in errnos[~left].tolist():
            self._trouble = why(number)
            self._miss(self._trouble)
        if left.all():
            self._trouble = ""
        elif _BROKEN.intersection(errnos.tolist()):
            self._drop(now + RETRY)

    def _miss(self, reason: str, many: int = 1) -> None:
        self._unsent[reason if reason in self._unsent or len(self._unsent) < REASONS else "others"] += many

    def account(self) -> Account:
        return Account(self._collector.title, self._sent, self._octets, dict(self._unsent), self._trouble)

    def close(self) -> None:
        self._held.close()


def _inode(space: Namespace | None) -> int:
    return space.inode if space else 0
