# SPDX-License-Identifier: Apache-2.0
"""Datagrams that come to ports of this host, in batches, and the account of them.

What lives here decides where is listened; ``recorded`` has those of capture files, with the same
ways to iterate, to end and to account.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Protocol, Self

import numpy as np

from fleutan.linux import listening
from fleutan.linux.allocation import keep_freed
from fleutan.linux.receiving import Received, Receiver
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.spans import Spans

#: sFlow's port (IANA).
PORT = 6343
#: Where is listened if nothing is said: nowhere beyond this host.
LOOPBACK = ("127.0.0.1", "::1")
#: How long datagrams are awaited that may share a batch with a first one, in seconds: a batch costs as much
#: as some hundred datagrams in it, and nobody sees so short a delay.
LINGER = 0.05
_ABSENT = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_ENDING = (signal.SIGINT, signal.SIGTERM)
#: How long one wait lasts at the most, in seconds.  ``stop`` ends it, but for a signal that comes right before
#: it begins: Python calls its handler only when the wait is over.
SLICE = 0.5


class Account(NamedTuple):
    """What came from a socket or a file: datagrams, their octets as sent, and what of them is missing.

    ``truncated`` are there in part only.  ``dropped`` are not: the kernel had no room for them; None
    where nobody counts them.  ``rejected`` says by reason what of a file could not be read.
    """

    title: str
    received: int
    octets: int
    truncated: int
    dropped: int | None
    rejected: dict[str, int]


class Source(Protocol):
    """Where batches come from."""

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        """Batches as they come; an empty one whenever none came for so long; ends after ``stop``."""
        ...

    def stop(self) -> None:
        """Ends ``batches`` after the batch that is worked on; may be called by a signal's handler."""
        ...

    def accounts(self) -> list[Account]:
        """What came so far."""
        ...


class Sockets:
    """Datagrams that come to these ports: by loopback only, unless addresses are given.

    ``::`` takes IPv4 too.  ``sockets`` share each port, if it is more than one; ``room`` is the
    kernel's memory for each in bytes, as far as it grants it.  Opened by ``with``, in the network
    namespace of the calling thread; entering raises UsageError for what is no address or port, and
    FleutanError where it cannot be listened.

    A batch's octets stay until the next but one is asked for.
    """

    def __init__(
        self,
        ports: Sequence[int] = (PORT,),
        addresses: Sequence[str] = (),
        sockets: int = 1,
        room: int = listening.ROOM,
        rows: int = 1024,
    ) -> None:
        self._ports = tuple(dict.fromkeys(ports))
        self._addresses = tuple(dict.fromkeys(addresses))
        self._sockets, self._room, self._rows = sockets, room, rows
        self.ears: list[listening.Ear] = []

    def __enter__(self) -> Self:
        keep_freed()
        with ExitStack() as held:
            for port in self._ports:
                for address in self._addresses or LOOPBACK:
                    self.ears += self._heard(address, port, held)
            self._receiver = held.enter_context(Receiver(self.ears, self._rows, linger=LINGER))
            self._held = held.pop_all()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._held.close()

    def _heard(self, address: str, port: int, held: ExitStack) -> list[listening.Ear]:
        try:
            found = listening.listen(address, port, self._sockets, self._room)
        except listening.Unbound as error:
            if self._addresses or address == LOOPBACK[0] or error.errno not in _ABSENT:
                raise
            return []  # a host without IPv6
        for ear in found:
            held.enter_context(ear.socket)
        return found

    def __iter__(self) -> Iterator[Datagrams]:
        return self.batches()

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        """Batches as they come; an empty one whenever none came for so long; ends after ``stop``."""
        waits = quiet(seconds)
        while not self._receiver.stopped:
            wait, is_last = next(waits)
            received = self._receiver.receive(wait)
            if received is not None:
                yield _datagrams(received)
                waits = quiet(seconds)
            elif is_last and not self._receiver.stopped:
                yield NONE

    def stop(self) -> None:
        """Ends ``batches`` after the batch that is worked on; may be called by a signal's handler."""
        self._receiver.stop()

    def accounts(self) -> list[Account]:
        """What came to each socket, and what the kernel dropped until now."""
        counted = zip(self.ears, self._receiver.counts(), strict=True)
        return [Account(ear.title, *count, {}) for ear, count in counted]


@contextmanager
def ended_by_signals(source: Source) -> Iterator[None]:
    """Has Ctrl-C and SIGTERM end the batches of a source in order; a second one acts as it did before.

    For the main thread only, where Python handles signals.
    """

    def end(number: int, _: object) -> None:
        signal.signal(number, before[number])
        source.stop()

    before = {int(number): signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet(seconds: float | None) -> Iterator[tuple[float, bool]]:
    """How long to wait, again and again; and whether so many seconds are over then, without end."""
    while seconds is None:
        yield SLICE, False
    while True:
        whole, rest = divmod(seconds, SLICE)
        yield from [(SLICE, False)] * int(whole)
        yield rest, True


def _none() -> Datagrams:
    empty, ends = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    return Datagrams(Spans(np.zeros(0, np.uint8), empty, empty), empty, ends, empty, ends, empty, empty)


#: No datagrams.
NONE = _none()


def _datagrams(received: Received) -> Datagrams:
    octets, starts, kept, *columns = received
    return Datagrams(Spans(octets, starts, kept), *columns)
