# SPDX-License-Identifier: Apache-2.0
"""One look at the kernel's sockets and at who holds them: raw bytes, taken in one go.

Chooses between the two ways of reading, enters the namespaces, and says what was missing.  It
imports no numpy, so that the kernel is read in a thread while the interpreter still imports
what the answer needs.  What the bytes mean is read in ``flows`` and ``owners``.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock, Thread
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar, get_args

from fleutan.errors import FleutanError, NotSupported, UsageError
from fleutan.linux import capabilities, namespaces, proc, sockdiag
from fleutan.linux.iterators import SocketIterators
from fleutan.linux.namespaces import Namespace

Choice = Literal["auto", "netlink", "bpf"]
Buffer = bytes | bytearray | memoryview
T = TypeVar("T")

TCP, UDP, MPTCP = 6, 17, 262
#: Protocols that only sock_diag can list: IPPROTO number by the names in /proc/net/protocols.
BY_NETLINK_ONLY = {
    132: ("SCTP", "SCTPv6"),
    33: ("DCCP", "DCCPv6"),
    136: ("UDP-Lite", "UDPLITEv6"),
    255: ("RAW", "RAWv6"),
    MPTCP: ("MPTCP", "MPTCPv6"),
}
#: /proc/net/protocols counts MPTCP sockets since Linux 6.3 (commit c558246ee73e) and says 0 before.
_MPTCP_COUNTED_SINCE = (6, 3)
#: From this many sockets or open files on, all readings taken together, loading the BPF programs
#: costs less than it saves: loading takes some 50 ms of CPU time, the walk over /proc/*/fd 4.5 us a file.
WORTH_BPF = 10_000
#: What a reading calls its source: by reader and protocol, else sock_diag.
_SOURCES = {("bpf", TCP): "iter/tcp", ("bpf", UDP): "iter/udp"}
#: Of many namespaces that cannot be read, so many are named.
_FAILURES_TOLD = 3
_INTERRUPTED = "the socket table changed while it was read, again and again: some rows may be missing or double"


@dataclass(frozen=True)
class Dump:
    """The sockets of one protocol: ``data`` as the reader gave it."""

    protocol: int
    reader: Literal["netlink", "bpf"]
    data: Buffer


@dataclass
class NamespaceDump:
    """What one network namespace held."""

    namespace: Namespace
    interfaces: dict[int, str]
    dumps: list[Dump] = field(default_factory=list)


@dataclass
class Capture:
    """All that was read; ``holders`` is bytes of iter/task_file, or what /proc gave.

    ``at_ns`` is when it began by the wall clock, ``steady_ns`` by one that nobody sets: how far
    apart two captures are is a difference of the latter.  ``unreadable`` says whose descriptors
    could not be read, where some could not; ``every``: all namespaces were meant.
    """

    at_ns: int
    steady_ns: int
    namespaces: list[NamespaceDump]
    holders: Buffer | proc.Holders | None
    source: str
    notes: list[str]
    unreadable: str = ""
    every: bool = False

    def meant(self) -> list[Namespace] | None:
        """The namespaces that were meant; None for all."""
        return None if self.every else [dump.namespace for dump in self.namespaces]


class Iterators(Protocol):
    """The BPF programs while they are loaded."""

    def read_tcp(self) -> Buffer:
        """The records of every TCP socket in the thread's network namespace."""

    def read_udp(self) -> Buffer:
        """The records of every UDP socket there."""

    def read_holders(self) -> Buffer:
        """The records of who holds which socket, of the whole host."""


class Kernel(NamedTuple):
    """What is asked of Linux; whoever has bytes of another origin puts them in its place."""

    load: Callable[[], AbstractContextManager[Iterators]] = SocketIterators
    dump: Callable[[int], sockdiag.Dump] = sockdiag.dump
    holders: Callable[[], proc.Holders] = proc.holders
    protocols: Callable[[], dict[str, int]] = proc.protocols
    release: Callable[[], str] = capabilities.kernel_release
    open_files: Callable[[], int] = proc.open_files
    socket_counts: Callable[[], dict[str, int]] = proc.socket_counts
    current: Callable[[], Namespace] = namespaces.current
    find: Callable[[str], Namespace] = namespaces.find
    every: Callable[[], tuple[list[Namespace], list[str]]] = namespaces.every
    entered: Callable[[Namespace], AbstractContextManager[None]] = namespaces.entered
    interfaces: Callable[[], dict[int, str]] = namespaces.interface_names
    steady_ns: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep
    user: Callable[[], int] = os.geteuid


LINUX = Kernel()
#: TCP_TIME_WAIT, TCP_SYN_RECV and TCP_NEW_SYN_RECV (include/net/tcp_states.h) as bits.
_REMNANTS = 1 << 6 | 1 << 3 | 1 << 12


def without_remnants(kernel: Kernel = LINUX) -> Kernel:
    """Reads full sockets only: what is left of connections, or requested, has neither owner nor figures."""
    load, dump = (
        partial(SocketIterators, remnants=False),
        partial(sockdiag.dump, states=sockdiag.ALL_STATES & ~_REMNANTS),
    )
    return kernel._replace(load=load, dump=dump)


def choose(source: Choice, kernel: Kernel = LINUX) -> Choice:
    """The cheaper way for a host of this size, unless one is forced.  Raises UsageError for none."""
    if source not in get_args(Choice):
        raise UsageError(f"no way of reading is called {source!r}; there are {', '.join(get_args(Choice))}")
    if source != "auto":
        return source
    crowded = kernel.open_files() >= WORTH_BPF or sum(kernel.socket_counts().values()) >= WORTH_BPF
    return "bpf" if crowded else "netlink"


class Beside(Generic[T]):
    """A call under way in a thread, from when it is made."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._given: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._given.append(self._call())
        except BaseException as error:  # raised again where result() is called
            self._error = error

    def result(self) -> T:
        """What the call gave; raises here what went wrong in the thread.  An interrupt ends the wait."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._given[0]


#: A capture under way.
Pending = Beside[Capture]


class Reader:
    """Reads the host's sockets, once or again and again; BPF programs are loaded once.

    ``netns`` is a name, a process id, ``all`` or None for the current namespace; ``source``
    forces a way of reading, and ``answer_by`` names the one that can answer in full.  Making one
    raises UsageError for an unknown namespace or source; reading raises NotSupported when the
    forced way is not to be had, Gone when the namespace vanished, FleutanError when none of
    several could be read.
    """

    def __init__(
        self,
        netns: str | None = None,
        source: Choice = "auto",
        answer_by: Choice = "auto",
        owners: bool = True,
        kernel: Kernel = LINUX,
    ) -> None:
        self.way = choose(source, kernel)
        self._source = source
        self._kernel = kernel
        self._owners = owners
        self._space = None if netns == "all" else kernel.current() if netns is None else kernel.find(netns)
        self._why: list[str] = []
        self._iterators: Iterators | None = None
        self._stack = ExitStack()
        self._lock = Lock()
        self._readers = 0
        self._left = False
        self.answer_by(answer_by)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        with self._reading():
            self._left = True

    def begin(self) -> Pending:
        """Starts to read in a thread, and returns at once."""
        return Pending(self.take)

    def take(self) -> Capture:
        """Reads the sockets of every namespace and who holds them."""
        with self._reading():
            spaces, notes = ([self._space], []) if self._space else self._kernel.every()
            notes = [*notes]
            iterators = self._loaded()
            holding = Beside(partial(self._read_holders, iterators)) if iterators and self._owners else None
            at_ns, steady_ns = time.time_ns(), self._kernel.steady_ns()
            dumps = self._sockets(spaces, notes)
            held = self._held(holding, notes) if self._owners else _Held(None)
        used = (_SOURCES.get((dump.reader, dump.protocol), "sock_diag") for space in dumps for dump in space.dumps)
        source = ", ".join(dict.fromkeys(used)) + (f"; owners: {held.source}" if held.source else "")
        notes = list(dict.fromkeys([*self._why, *notes]))
        every = self._space is None
        return Capture(at_ns, steady_ns, dumps, held.found, source, notes, held.unreadable, every)

    def take_after(self, before: Capture, seconds: float, wait: Callable[[float], None] | None = None) -> Capture:
        """Reads again, so many seconds after an earlier capture began; ``wait`` passes the time."""
        past = (self._kernel.steady_ns() - before.steady_ns) / 1e9
        (wait or self.wait)(max(0.0, seconds - past))
        return self.take()

    def wait(self, seconds: float) -> None:
        """Passes the time."""
        self._kernel.sleep(seconds)

    def answer_by(self, way: Choice) -> bool:
        """Reads this way from now on unless one is forced; whether that is a change."""
        if self._source != "auto" or way in ("auto", self.way):
            return False
        self.way = way
        return True

    def expect(self, readings: float) -> bool:
        """So many readings are to come: takes the way that is cheaper for all; whether that is a change.

        For a process that may load BPF programs: where they cannot be had, a note says so.
        """
        worth = self._kernel.open_files() * readings >= WORTH_BPF
        return worth and self.answer_by("bpf")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Programs through which a thread still reads stay loaded until it is done, also when the Reader is left."""
        with self._lock:
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if self._left and not self._readers:
                    self._stack.close()

    def _loaded(self) -> Iterators | None:
        """The programs, loaded where they are wanted."""
        with self._lock:
            if self.way == "netlink":
                self._iterators = None
            elif self._iterators is None:
                try:
                    self._iterators = self._stack.enter_context(self._kernel.load())
                except NotSupported as error:
                    self._do_without(error)
            return self._iterators

    def _do_without(self, error: FleutanError) -> None:
        """Reads through sock_diag from now on, and says why, unless BPF is forced."""
        if self._source == "bpf":
            raise error
        self.way = "netlink"
        self._iterators = None
        self._why = [f"read through sock_diag, without CPUs and queues: {error}"]

    def _sockets(self, spaces: Sequence[Namespace], notes: list[str]) -> list[NamespaceDump]:
        found: list[NamespaceDump] = []
        failures: list[FleutanError] = []
        for space in spaces:
            try:
                with self._kernel.entered(space):
                    found.append(NamespaceDump(space, self._kernel.interfaces(), self._dumps(notes)))
            except FleutanError as error:
                failures.append(error)
        if failures and not found:
            raise failures[0] if len(spaces) == 1 else FleutanError("; ".join(_folded(failures)))
        notes += _folded(failures)
        return found

    def _dumps(self, notes: list[str]) -> list[Dump]:
        """The sockets of the calling thread's network namespace."""
        dumps = self._by_bpf()
        for protocol in (*(() if dumps else (TCP, UDP)), *self._others()):
            try:
                answer = self._kernel.dump(protocol)
            except NotSupported as error:
                if protocol == TCP:
                    raise
                notes.append(str(error))
                continue
            if answer.interrupted:
                notes.append(_INTERRUPTED)
            dumps.append(Dump(protocol, "netlink", answer.data))
        return dumps

    def _others(self) -> list[int]:
        """The protocols of BY_NETLINK_ONLY that have sockets here, or of which nobody knows without a dump."""
        counts = self._kernel.protocols()
        found = [protocol for protocol, names in BY_NETLINK_ONLY.items() if any(counts.get(name) for name in names)]
        # Asking in vain takes less than a millisecond; a kernel without MPTCP has no line for it.
        unknown = "MPTCP" in counts and _version(self._kernel.release()) < _MPTCP_COUNTED_SINCE
        return [*found, MPTCP] if unknown and MPTCP not in found else found

    def _by_bpf(self) -> list[Dump]:
        if self._iterators is None:
            return []
        try:
            return [Dump(TCP, "bpf", self._iterators.read_tcp()), Dump(UDP, "bpf", self._iterators.read_udp())]
        except FleutanError as error:
            self._do_without(error)
            return []

    def _read_holders(self, iterators: Iterators) -> Buffer:
        with self._reading():
            return iterators.read_holders()

    def _held(self, holding: Beside[Buffer] | None, notes: list[str]) -> _Held:
        """Who holds which socket; from /proc where the iterator is not there or failed."""
        if holding is not None:
            try:
                return _Held(holding.result(), "iter/task_file")
            except FleutanError as error:
                notes.append(f"owners read from /proc: {error}")
        found = self._kernel.holders()
        if not (found.unreadable or found.hidden):
            return _Held(found, "/proc/*/fd")
        lacking = "own processes only" if self._kernel.user() else f"without {_processes(found.unreadable)}"
        unreadable = "other users' processes" if found.hidden else _processes(found.unreadable)
        return _Held(found, f"/proc/*/fd, {lacking}", unreadable)


class _Held(NamedTuple):
    """Who holds which socket: what was found, where, and whose descriptors stayed hidden."""

    found: Buffer | proc.Holders | None
    source: str = ""
    unreadable: str = ""


def _version(release: str) -> tuple[int, ...]:
    """The first two numbers of a kernel's release, as far as there are any."""
    numbers = re.findall(r"\d+", release)
    return tuple(map(int, numbers[:2]))


def _folded(failures: Sequence[FleutanError]) -> list[str]:
    """A line for each of a few failures, and one for the rest."""
    rest = len(failures) - _FAILURES_TOLD
    more = [f"{rest} more network namespaces could not be read"] if rest > 0 else []
    return [*map(str, failures[:_FAILURES_TOLD]), *more]


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"
