# SPDX-License-Identifier: Apache-2.0
"""One look at the kernel's sockets and at who holds them: raw bytes, taken in one go.

Chooses between the two ways of reading, enters the namespaces, and says what was missing.  It
imports no numpy, so that the kernel is read in a thread while the interpreter still imports
what the answer needs.  What the bytes mean is read in ``flows`` and ``owners``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Thread
from typing import Literal

from fleutan.errors import FleutanError, Gone, NotSupported
from fleutan.linux import namespaces, proc, sockdiag
from fleutan.linux.iterators import SocketIterators
from fleutan.linux.namespaces import Namespace

Choice = Literal["auto", "netlink", "bpf"]

TCP, UDP = 6, 17
#: Protocols that only sock_diag can list: IPPROTO number by the names in /proc/net/protocols.
BY_NETLINK_ONLY = {
    132: ("SCTP", "SCTPv6"),
    33: ("DCCP", "DCCPv6"),
    136: ("UDP-Lite", "UDPLITEv6"),
    255: ("RAW", "RAWv6"),
    262: ("MPTCP", "MPTCPv6"),
}
#: From this many sockets or open files on, loading the BPF programs costs less than it saves:
#: loading takes some 80 ms, the walk over /proc/*/fd 4.5 us a file.
WORTH_BPF = 10_000


@dataclass(frozen=True)
class Dump:
    """The sockets of one protocol: ``data`` as the reader gave it."""

    protocol: int
    reader: Literal["netlink", "bpf"]
    data: bytes | bytearray | memoryview


@dataclass
class NamespaceDump:
    """What one network namespace held."""

    namespace: Namespace
    interfaces: dict[int, str]
    dumps: list[Dump] = field(default_factory=list)


@dataclass
class Capture:
    """All that was read; ``holders`` is bytes of iter/task_file, or what /proc gave.

    ``unreadable`` says whose descriptors could not be read, where some could not.
    """

    at_ns: int
    namespaces: list[NamespaceDump]
    holders: bytes | bytearray | memoryview | proc.Holders | None
    source: str
    notes: list[str]
    unreadable: str = ""


def choose(source: Choice) -> Choice:
    """The cheaper way for a host of this size, unless one is forced."""
    if source != "auto":
        return source
    crowded = proc.open_files() >= WORTH_BPF or sum(proc.socket_counts().values()) >= WORTH_BPF
    return "bpf" if crowded else "netlink"


class Pending:
    """A capture under way in a thread."""

    def __init__(self, take: Callable[[], Capture]) -> None:
        self._take = take
        self._outcome: Capture | BaseException | None = None
        self._thread = Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._take()
        except BaseException as error:  # raised again where result() is called
            self._outcome = error

    def result(self) -> Capture:
        """The capture; raises here what went wrong in the thread."""
        self._thread.join()
        if not isinstance(self._outcome, Capture):
            raise self._outcome or RuntimeError("the capture gave nothing")
        return self._outcome


class Reader:
    """Reads the host's sockets, once or again and again; BPF programs are loaded once.

    ``netns`` is a name, a process id, ``all`` or None for the current namespace; ``source``
    forces a way of reading, and ``answer_by`` names the one that can answer in full.  Making one
    raises UsageError for an unknown namespace; reading raises NotSupported when the forced way
    is not to be had, FleutanError when none of the namespaces could be read.
    """

    def __init__(
        self, netns: str | None = None, source: Choice = "auto", answer_by: Choice = "auto", owners: bool = True
    ) -> None:
        self._netns = netns
        self._spaces = chosen_namespaces(netns)
        self._source = source
        self._owners = owners
        self.way = choose(source)
        self.answer_by(answer_by)
        self._why: list[str] = []
        self._iterators: SocketIterators | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self) -> Pending:
        """Starts to read in a thread, and returns at once."""
        return Pending(self.take)

    def take(self) -> Capture:
        """Reads the sockets of every namespace and who holds them."""
        if self._netns == "all":
            self._spaces = chosen_namespaces("all")
        which, unreadable = self._spaces
        notes = [*unreadable, *self._loaded()]
        holding = _Holding(self._iterators, notes) if self._owners else None
        at_ns = time.time_ns()
        failures: list[str] = []
        dumps = [dump for one in which for dump in _read_namespace(one, self._iterators, notes, failures)]
        holders = holding.result() if holding else None
        if not dumps:
            raise FleutanError("; ".join(failures) or "no network namespace could be read")
        notes += failures
        source = "iter/tcp, iter/udp" if self._iterators else "sock_diag"
        if holding is None:
            return Capture(at_ns, dumps, None, source, notes)
        return Capture(at_ns, dumps, holders, f"{source}; owners: {holding.source}", notes, holding.unreadable)

    def take_after(self, before: Capture, seconds: float) -> Capture:
        """Reads again, so many seconds after an earlier capture began."""
        time.sleep(max(0.0, before.at_ns / 1e9 + seconds - time.time()))
        return self.take()

    def answer_by(self, way: Choice) -> bool:
        """Reads this way from now on unless one is forced; whether that is a change."""
        if self._source != "auto" or way in ("auto", self.way):
            return False
        self.way = way
        return True

    def _loaded(self) -> list[str]:
        """Loads the programs where they are wanted; notes why that failed."""
        if self.way == "netlink":
            self._iterators = None
        elif self._iterators is None:
            try:
                self._iterators = self._stack.enter_context(SocketIterators())
            except NotSupported as error:
                if self._source == "bpf":
                    raise
                self.way = "netlink"
                self._why = [f"read through sock_diag, without CPUs and queues: {error}"]
        return self._why


def chosen_namespaces(netns: str | None) -> tuple[list[Namespace], list[str]]:
    """The namespaces that a spelling means, and notes on those that cannot be read."""
    if netns is None:
        return [namespaces.current()], []
    if netns == "all":
        return namespaces.every()
    return [namespaces.find(netns)], []


class _Holding:
    """Reads who holds which socket: beside the sockets where BPF does it."""

    def __init__(self, iterators: SocketIterators | None, notes: list[str]) -> None:
        self.source = "iter/task_file" if iterators else "/proc/*/fd"
        self.unreadable = ""
        self._notes = notes
        self._found: bytes | bytearray | memoryview | proc.Holders | None = None
        self._thread = Thread(target=self._read, args=(iterators,), daemon=True) if iterators else None
        if self._thread:
            self._thread.start()

    def _read(self, iterators: SocketIterators) -> None:
        try:
            self._found = iterators.read_holders()
        except (OSError, FleutanError) as error:
            self.source = "/proc/*/fd"
            self._notes.append(f"iter/task_file failed: {error}")

    def _walk(self) -> proc.Holders:
        found = proc.holders()
        if found.unreadable or found.hidden:
            self.source += ", own processes only" if os.geteuid() else f", without {found.unreadable} processes"
            self.unreadable = "other users' processes" if found.hidden else f"{found.unreadable} processes"
        return found

    def result(self) -> bytes | bytearray | memoryview | proc.Holders:
        """What was found; walks /proc where the iterator is not there or failed."""
        if self._thread:
            self._thread.join()
        return self._walk() if self._found is None else self._found


def _read_namespace(
    namespace: Namespace, iterators: SocketIterators | None, notes: list[str], failures: list[str]
) -> Iterator[NamespaceDump]:
    try:
        with namespaces.entered(namespace):
            found = NamespaceDump(namespace, namespaces.interface_names())
            found.dumps.extend(_dumps(iterators, notes))
            yield found
    except (Gone, NotSupported) as error:
        failures.append(str(error))


def _dumps(iterators: SocketIterators | None, notes: list[str]) -> Iterator[Dump]:
    if iterators is not None:
        yield Dump(TCP, "bpf", iterators.read_tcp())
        yield Dump(UDP, "bpf", iterators.read_udp())
    else:
        yield from _by_netlink((TCP, UDP), notes)
    counts = proc.protocols()
    others = [protocol for protocol, names in BY_NETLINK_ONLY.items() if any(counts.get(name) for name in names)]
    yield from _by_netlink(others, notes)


def _by_netlink(protocols: Iterable[int], notes: list[str]) -> Iterator[Dump]:
    for protocol in protocols:
        try:
            answer = sockdiag.dump(protocol)
        except NotSupported as error:
            if protocol == TCP:
                raise
            notes.append(str(error))
            continue
        if answer.interrupted:
            notes.append(
                "the socket table changed while it was read, again and again: some rows may be missing or double"
            )
        yield Dump(protocol, "netlink", answer.data)
