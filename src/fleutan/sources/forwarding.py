# SPDX-License-Identifier: Apache-2.0
"""Batches of datagrams sent on, unchanged, to other collectors; what could not be is counted by reason.

What lives here joins the ways out (``linux.forwarding``) and, where the senders' addresses are to be
kept, the packets that are made for that (``protocols.enclosing``).  Nothing waits for a collector.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.address import is_ipv4
from fleutan.errors import FleutanError, UsageError
from fleutan.linux.forwarding import RawWay, Way, why
from fleutan.protocols import enclosing
from fleutan.protocols.datagrams import Datagrams

Ints = NDArray[np.int64]

TRUNCATED = "it was received in part only"
OTHER_VERSION = "its source is of the other version of IP"
_PORTS = range(1, 1 << 16)
#: Identifications of fragments are taken from here on, round and round.
_IDS = 1 << 32


class Target(NamedTuple):
    """Where datagrams go: as it was written, and its address (4 or 16 octets), port and device's index."""

    title: str
    address: bytes
    port: int
    scope: int = 0


class Forwarded(NamedTuple):
    """What went to a target: datagrams and their octets, and what did not, by reason."""

    title: str
    sent: int
    octets: int
    unsent: dict[str, int]


def target(text: str) -> Target:
    """A target written as ``HOST/PORT``, a name or an address, ``[…]`` around it or not.

    A name is looked up, and its first address taken.  Raises UsageError for another form,
    FleutanError for a name without address.
    """
    host, slash, port = text.rpartition("/")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (slash and bare and port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) in _PORTS):
        raise UsageError(f"forwarding to {text!r}: a target is HOST/PORT, as 192.0.2.1/6343")
    try:
        family, *_, name = socket.getaddrinfo(bare, int(port), type=socket.SOCK_DGRAM)[0]
    except (socket.gaierror, UnicodeError):
        raise FleutanError(f"forwarding to {text}: there is no host of that name") from None
    address = socket.inet_pton(family, str(name[0]).partition("%")[0])
    return Target(text, address, int(port), int(name[3]) if len(name) == 4 else 0)


class Forwarding:
    """Sends batches on to each target, from this host or as if from their senders; opened by ``with``.

    Entering raises FleutanError where there is no socket to be had: to keep the sources takes
    CAP_NET_RAW.
    """

    def __init__(self, targets: Sequence[Target], *, keep_source: bool = False) -> None:
        make = _FromSource if keep_source else _FromHere
        self._outlets = [make(one) for one in dict.fromkeys(targets)]

    def __enter__(self) -> Self:
        with ExitStack() as held:
            for outlet in self._outlets:
                held.enter_context(outlet.way)
            self._held = held.pop_all()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._held.close()

    def send(self, datagrams: Datagrams) -> None:
        """Sends the datagrams of a batch that are whole; does not wait, and keeps nothing."""
        whole = datagrams.spans.sizes == datagrams.sizes
        missing = int(np.count_nonzero(~whole))
        batch = datagrams.take(whole) if missing else datagrams
        for outlet in self._outlets:
            outlet.refuse(TRUNCATED, missing)
            outlet.send(batch)

    def accounts(self) -> list[Forwarded]:
        """What went to each target so far."""
        return [outlet.forwarded() for outlet in self._outlets]


class _Outlet:
    """A target, and the account of it."""

    def __init__(self, to: Target) -> None:
        self._target = to
        self._sent = self._octets = 0
        self._unsent: Counter[str] = Counter()

    def refuse(self, reason: str, many: int) -> None:
        """Counts datagrams that are not sent."""
        if many:
            self._unsent[reason] += many

    def told(self, errnos: NDArray[np.int32], sizes: Ints) -> None:
        """Counts what became of datagrams."""
        left = errnos == 0
        self._sent += int(np.count_nonzero(left))
        self._octets += int(sizes[left].sum())
        for number, many in zip(*map(np.ndarray.tolist, np.unique(errnos[~left], return_counts=True)), strict=True):
            self.refuse(why(number), many)

    def forwarded(self) -> Forwarded:
        """The account."""
        return Forwarded(self._target.title, self._sent, self._octets, dict(self._unsent))


class _FromHere(_Outlet):
    """Datagrams have this host as their source."""

    def __init__(self, to: Target) -> None:
        super().__init__(to)
        self.way = Way(to.address, to.port, to.scope)

    def send(self, batch: Datagrams) -> None:
        """Sends whole datagrams."""
        octets, starts, sizes = batch.spans
        self.told(self.way.send(octets, starts, sizes), sizes)


class _FromSource(_Outlet):
    """Datagrams keep their source, address and port, and this host writes their headers."""

    def __init__(self, to: Target) -> None:
        super().__init__(to)
        self.way = RawWay(to.address, to.port, to.scope)
        self._four = len(to.address) == 4
        self._enclosed = enclosing.enclosed4 if self._four else enclosing.enclosed6
        padded = to.address if not self._four else bytes(10) + b"\xff\xff" + to.address
        self._end = np.frombuffer(padded, ">i8").astype(np.int64)[None]
        self._ids = 0

    def send(self, batch: Datagrams) -> None:
        """Sends whole datagrams whose source is of the target's version of IP."""
        fits = is_ipv4(batch.source) == self._four
        self.refuse(OTHER_VERSION, int(np.count_nonzero(~fits)))
        if not fits.all():
            batch = batch.take(fits)
        rows = batch.spans.rows
        ends = batch.source, batch.sport, np.repeat(self._end, rows, axis=0), np.full(rows, self._target.port)
        packets = self._enclosed(batch.spans, ends, self.way.mtu, self._ids)
        self._ids = (self._ids + rows) % _IDS
        errnos = self.way.send_packets(
            packets.headers, packets.header_sizes, batch.spans.octets, packets.starts, packets.sizes
        )
        if (errnos == errno.EMSGSIZE).any():  # the way has become narrower: known from the next batch on
            self.way.measure()
        worst = np.zeros(rows, np.int32)
        np.maximum.at(worst, packets.rows, errnos)
        self.told(worst, batch.spans.sizes)


def targets(texts: Iterable[str]) -> list[Target]:
    """Each as ``target`` has it."""
    return [target(text) for text in texts]
