# SPDX-License-Identifier: Apache-2.0
"""Names of collectors are looked up beside, in threads that nobody waits for, not even at the end.

The system's resolver may take half a minute where no name server answers.  A name that is asked for
has one thread, however often somebody else asks for it meanwhile.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

#: An address of 4 or 16 octets, and the index of the device of a link-local one.
Place = tuple[bytes, int]
Lookup = Callable[[str, int], list[Place]]


def lookup(host: str, port: int) -> list[Place]:
    """The addresses of a name.  Raises OSError."""
    return [_place(one) for one in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)]


def numeric(host: str, port: int) -> Place | None:
    """The address that is written there; None for a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return _place(found[0])


def _place(said: Sequence[Any]) -> Place:
    family, *_, name = said
    bare = str(name[0]).partition("%")[0]
    return socket.inet_pton(family, bare), int(name[3]) if len(name) == 4 else 0


class Question(Thread):
    """One look-up; ``places`` and ``trouble`` are there when the thread has ended."""

    def __init__(self, look: Lookup, host: str, port: int) -> None:
        super().__init__(name="names", daemon=True)
        self._look, self._asked = look, (host, port)
        self.places: list[Place] = []
        self.trouble = ""

    def run(self) -> None:
        """Asks."""
        try:
            self.places = self._look(*self._asked)
        except (OSError, UnicodeError) as error:
            self.trouble = f"{self._asked[0]}: {getattr(error, 'strerror', None) or error}".lower()


class Lookups:
    """What is being asked now."""

    def __init__(self, look: Lookup = lookup) -> None:
        self._look = look
        self._asking: dict[tuple[str, int], Question] = {}

    def ask(self, host: str, port: int) -> Question:
        """A question that has begun."""
        self._asking = {name: one for name, one in self._asking.items() if one.is_alive()}
        question = self._asking.get((host, port))
        if question is None:
            question = self._asking[host, port] = Question(self._look, host, port)
            question.start()
        return question


#: Those of this process: whoever begins anew while nobody answers does not ask a second time.
OURS = Lookups()
