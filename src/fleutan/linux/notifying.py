# SPDX-License-Identifier: Apache-2.0
"""Tells the service manager how a service is doing: one datagram a message, in systemd's words.

sd_notify(3) has the messages, sd_watchdog_enabled(3) the watchdog.  When something is to be told is
known elsewhere, and that nobody listens is no error.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

#: Where the manager listens, and how often it wants to hear from which process.
SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
#: A manager that takes no datagram for so long is not waited for.
PATIENCE_S = 1.0
#: So many octets of a message are sent: the manager reads no more than a page.
LONGEST = 4000


def address(environ: Mapping[str, str]) -> str | None:
    """The manager's socket for ``sendto``: a path, or an abstract name ("@" is a NUL); None where there is none."""
    named = environ.get(SOCKET, "")
    if named.startswith("/") and len(named) > 1:
        return named
    return "\0" + named[1:] if named.startswith("@") and len(named) > 1 else None


def watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Within how many seconds the manager wants to hear ``WATCHDOG=1`` of process ``pid``; None: it does not."""
    usec, of = environ.get(WATCHDOG, ""), environ.get(WATCHDOG_PID, "")
    if not _is_number(usec) or not int(usec) or (of and of != str(pid)):
        return None
    return int(usec) / 1e6


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def message(**assignments: str | int) -> bytes:
    """A message of assignments, one a line; text becomes one line, cut where it is too long."""
    lines = (f"{name}={' '.join(str(value).split())}" for name, value in assignments.items())
    return "\n".join(lines).encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore").encode()


def notify(where: str, octets: bytes) -> bool:
    """Sends a message; whether the manager took it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(PATIENCE_S)
        try:
            sender.sendto(octets, where)
        except OSError:  # as the path being too long is: nobody can listen there
            return False
    return True
