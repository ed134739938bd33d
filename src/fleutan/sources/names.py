# SPDX-License-Identifier: Apache-2.0
"""Names for numbers: users, services, and hosts by reverse DNS.

Only the host's own databases and its resolver are asked.  A look-up in the DNS can take
seconds, so ``Names`` answers at once with what it knows and looks up the rest beside.
"""

from __future__ import annotations

import pwd
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import cache, lru_cache
from threading import Condition, Thread

Lookup = Callable[[str], str | None]

SERVICES = "/etc/services"
#: Look-ups at the same time: the resolver of a host answers some tens in parallel well.
THREADS = 8
#: Addresses whose name is remembered; the one asked for longest ago is forgotten first.
REMEMBERED = 65_536


#: Protocols whose ports are those of another (RFC 8684: MPTCP's are TCP's).
_CARRIERS = {"mptcp": "tcp"}


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str | None:
    """The user's name in the password database (getpwuid(3)); None for one that has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


def service_name(port: int, proto: str, path: str = SERVICES) -> str | None:
    """The service's name at a port of a protocol (``tcp``, ``udp`` ...), as services(5) has it."""
    return services(path).get((port, _CARRIERS.get(proto, proto)))


@cache
def services(path: str = SERVICES) -> dict[tuple[int, str], str]:
    """Names by port and protocol, all at once: getservbyport(3) reads it from the start for each port, 20 us."""
    found: dict[tuple[int, str], str] = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, where, *_ = [*line.partition("#")[0].split(), "", ""]
                port, _, proto = where.partition("/")
                if port.isdecimal():
                    found.setdefault((int(port), proto), name)
    except OSError:
        return {}
    return found


def host_of(address: str) -> str | None:
    """The name that reverse DNS or /etc/hosts has for an address (getnameinfo(3)); may take seconds."""
    try:
        return socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except (OSError, UnicodeError):
        return None


class Names:
    """Names of addresses, looked up beside: ``get`` never waits, ``wait`` does for so long.

    ``lookup`` gives the name of an address, or None for one that has none.  It runs in at most
    ``threads`` threads, which end when nothing is left to look up; the end of the program does
    not wait for them.
    """

    def __init__(self, lookup: Lookup = host_of, threads: int = THREADS, remembered: int = REMEMBERED) -> None:
        self._lookup = lookup
        self._threads = threads
        self._remembered = remembered
        self._known: OrderedDict[str, str | None] = OrderedDict()
        self._unknown: set[str] = set()
        self._queue: deque[str] = deque()
        self._running = 0
        self._found = Condition()

    def get(self, address: str) -> str | None:
        """The name, if it is known by now; otherwise None, and it is being looked up."""
        with self._found:
            if address in self._known:
                self._known.move_to_end(address)
                return self._known[address]
            if address not in self._unknown and len(self._unknown) < self._remembered:
                self._unknown.add(address)
                self._queue.append(address)
                if self._running < self._threads:
                    self._running += 1
                    Thread(target=self._work, name="names", daemon=True).start()
        return None

    def wait(self, deadline_s: float) -> bool:
        """Waits until every name asked for is known, so many seconds at most; whether they are."""
        with self._found:
            return self._found.wait_for(lambda: not self._unknown, deadline_s)

    def _work(self) -> None:
        while (address := self._next()) is not None:
            try:
                name = self._lookup(address)
            except Exception:  # of a resolver that we do not know: the address stays without a name
                name = None
            self._remember(address, name)

    def _next(self) -> str | None:
        with self._found:
            if self._queue:
                return self._queue.popleft()
            self._running -= 1
            return None

    def _remember(self, address: str, name: str | None) -> None:
        with self._found:
            self._unknown.discard(address)
            self._known[address] = name
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
            self._found.notify_all()
