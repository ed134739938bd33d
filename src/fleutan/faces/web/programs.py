# SPDX-License-Identifier: Apache-2.0
"""What else runs in the server's process: begun before it listens, ended after it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fleutan.errors import FleutanError

LOG = logging.getLogger("fleutan.web")
#: So long a program may take to write what it has.
DRAIN = 30.0


@dataclass(frozen=True)
class Program:
    """``run`` works until the event is set, in a thread of its own; what it raises ends the process."""

    name: str
    run: Callable[[threading.Event], None]


@dataclass
class Running:
    """The programs that run; ``failed`` is the first that ended by itself, and why."""

    ending: threading.Event = field(default_factory=threading.Event)
    failed: tuple[str, Exception | None] | None = None

    def check(self) -> None:
        """Raises FleutanError where a program ended that should not have."""
        if self.failed is not None:
            name, error = self.failed
            raise FleutanError(f"{name} ended: {error if error is not None else 'it had nothing more to do'}")


@contextmanager
def running(programs: Sequence[Program], ended: Callable[[], None], drain: float = DRAIN) -> Iterator[Running]:
    """Runs the programs meanwhile; calls ``ended`` when one of them ends by itself."""
    found = Running()
    threads = [
        threading.Thread(target=_run, args=(program, found, ended), name=program.name, daemon=True)
        for program in programs
    ]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found.ending.set()
        for thread in threads:
            thread.join(drain)
            if thread.is_alive():
                LOG.error("%s did not end within %g s", thread.name, drain)


def _run(program: Program, found: Running, ended: Callable[[], None]) -> None:
    error: Exception | None = None
    try:
        program.run(found.ending)
    except Exception as raised:  # whatever it is, the server ends in order and says it
        error = raised
        if not isinstance(raised, FleutanError):
            LOG.exception("%s failed", program.name)
    if error is not None or not found.ending.is_set():
        found.failed = found.failed or (program.name, error)
        ended()
