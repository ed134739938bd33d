# SPDX-License-Identifier: Apache-2.0
"""Metrics to StatsD (UDP) and to Graphite (TCP)."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Self

from fleutan.exports.statsd import Deltas, datagrams, graphite
from fleutan.observed import Counters
from fleutan.programs.agent.outputs.posting import STEP
from fleutan.programs.agent.outputs.queue import ROOM, SOONEST, Queued, UnsentError
from fleutan.sources import collectors
from fleutan.sources.collectors import Collector, Collectors


class StatsD:
    """An outlet that sends datagrams, which never wait: nothing is held for a server that is not there."""

    def __init__(self, collector: Collector, host: str) -> None:
        self._collectors = Collectors([collector])
        self._deltas = Deltas(host)
        self._now = float("-inf")
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(self._collectors)
        return self

    def __exit__(self, *trouble: object) -> None:
        self._held.close()

    def counters(self, found: Iterable[Counters], at_ns: int) -> None:  # noqa: ARG002  # StatsD has its own clock
        """Takes the counters of data sources."""
        self._collectors.send(datagrams(self._deltas.lines(found)), self._now)

    def tick(self, now: float) -> None:
        """Opens what is not open."""
        self._now = now
        self._collectors.tick(now)

    def account(self) -> collectors.Account:
        """What became of the datagrams."""
        return self._collectors.accounts()[0]


class Graphite(Queued):
    """An outlet that sends lines over a connection, which is made anew when it breaks.

    A peer that does not read is given up after ``step`` seconds.  What was under way then is sent
    again: the same value of the same second does no harm.
    """

    def __init__(
        self, address: str, port: int, host: str, room: int = ROOM, soonest: float = SOONEST, step: float = STEP
    ) -> None:
        self._place, self._host, self._step = (address, port), host, step
        self._connection: socket.socket | None = None
        title = f"[{address}]" if ":" in address else address
        super().__init__(f"Graphite at {title}:{port}", self._send, self._close, room, soonest)

    def counters(self, found: Iterable[Counters], at_ns: int) -> None:
        """Takes the counters of data sources, read at a time (UTC)."""
        self._queue.put(graphite(found, at_ns, self._host))

    def _send(self, pieces: Sequence[bytes]) -> None:
        try:
            if self._connection is not None and _is_over(self._connection):
                self._close()
            if self._connection is None:
                self._connection = socket.create_connection(self._place, self._step)
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._connection.settimeout(self._step)
            self._connection.sendall(b"".join(pieces))
        except TimeoutError:
            self._close()
            raise UnsentError("it does not take it in time", again=True) from None
        except OSError as error:
            self._close()
            raise UnsentError((error.strerror or str(error)).lower(), again=True) from None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_over(connection: socket.socket) -> bool:
    """Whether the peer, which has nothing to say, closed or broke the connection."""
    connection.setblocking(False)
    try:
        return not connection.recv(1 << 12)
    except BlockingIOError:
        return False
    except OSError:
        return True
