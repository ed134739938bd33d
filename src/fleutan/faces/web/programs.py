# SPDX-License-Identifier: Apache-2.0
"""What else runs in the server's process: begun before it listens, ended after it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fleutan.errors import FleutanError
from fleutan.programs.signals import Orders

LOG = logging.getLogger("fleutan.web")
#: So long a program may take to write what it has.
DRAIN = 30.0


@dataclass(frozen=True)
class Program:
    """``run`` works until it is ordered to stop, in a thread of its own; what it raises ends the process."""

    name: str
    run: Callable[[Orders], None]
    orders: Orders = field(default_factory=Orders)


@dataclass
class Running:
    """The programs that run; ``failed`` is the first that ended by itself, and why."""

    programs: Sequence[Program]
    failed: tuple[str, Exception | None] | None = None

    def reload(self) -> None:
        """Has each of them read its configuration again."""
        for program in self.programs:
            program.orders.reload()

    def check(self) -> None:
        """Raises FleutanError where a program ended that should not have."""
        if self.failed is not None:
            name, error = self.failed
            raise FleutanError(f"{name} ended: {error if error is not None else 'it had nothing more to do'}")


@contextmanager
def running(programs: Sequence[Program], ended: Callable[[], None], drain: float = DRAIN) -> Iterator[Running]:
    """Runs the programs meanwhile; calls ``ended`` when one of them ends by itself."""
    found = Running(programs)
    threads = [
        threading.Thread(target=_run, args=(program, found, ended), name=program.name, daemon=True)
        for program in programs
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for program in programs:
            program.orders.stop()
        for thread in threads:
            thread.join(drain)
            if thread.is_alive():
                LOG.error("%s did not end within %g s", thread.name, drain)


def _run(program: Program, found: Running, ended: Callable[[], None]) -> None:
    error: Exception | None = None
    try:
        program.run(program.orders)
    except Exception as raised:  # whatever it is, the server ends in order and says it
        error = raised
        if not isinstance(raised, FleutanError):
            LOG.exception("%s failed", program.name)
    if error is not None or not program.orders.stopped:
        found.failed = found.failed or (program.name, error)
        ended()
