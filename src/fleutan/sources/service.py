# SPDX-License-Identifier: Apache-2.0
"""How a long-running program tells the service manager that it is ready, alive, reloading or stopping.

Where no manager started it, nothing is told.  What the messages are called is known in
``linux.notifying``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fleutan.linux.notifying import address, message, notify, watchdog_s

#: The directory that the manager gives a service for its state, where it does; several are separated by colons.
STATE = "STATE_DIRECTORY"


class Service:
    """What a program is to the manager that started it; ``environ`` is what it was started with.

    All methods are for one thread, the one whose standing still is a fault.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        pid: int | None = None,
    ) -> None:
        self._where = address(environ)
        within_s = watchdog_s(environ, os.getpid() if pid is None else pid)
        #: sd_watchdog_enabled(3) has it told twice within that time.
        self._every_ns = None if within_s is None else int(within_s * 1e9 / 2)
        self._clock_ns = clock_ns
        self._told_ns = 0
        self._status = ""
        self._directory = environ.get(STATE, "").partition(":")[0]

    @property
    def is_managed(self) -> bool:
        """Whether a manager wants to be told."""
        return self._where is not None

    @property
    def state(self) -> Path | None:
        """The directory for what the service keeps, where the manager made one."""
        return Path(self._directory) if self._directory else None

    def ready(self, status: str = "") -> None:
        """It has begun, or has reloaded: whoever waited for it may go on."""
        self._status = status
        self._tell(READY=1, **({"STATUS": status} if status else {}))

    def status(self, text: str) -> None:
        """What it is doing, one line; the same is told once."""
        if text != self._status:
            self._status = text
            self._tell(STATUS=text)

    def reloading(self) -> None:
        """It reads its configuration again; ``ready`` ends that."""
        self._tell(RELOADING=1, MONOTONIC_USEC=self._clock_ns() // 1000)

    def stopping(self, status: str = "") -> None:
        """It ends; what it still writes may take a while."""
        self._tell(STOPPING=1, **({"STATUS": status} if status else {}))

    def extend(self, seconds: float) -> None:
        """What it does now may take so long from now on."""
        self._tell(EXTEND_TIMEOUT_USEC=int(seconds * 1e6))

    def alive(self) -> None:
        """It goes on; to be called about once a second, it tells the watchdog as often as that needs."""
        now_ns = self._clock_ns()
        if self._every_ns is not None and (not self._told_ns or now_ns - self._told_ns >= self._every_ns):
            self._told_ns = now_ns
            self._tell(WATCHDOG=1)

    def _tell(self, **assignments: str | int) -> None:
        if self._where is not None:
            notify(self._where, message(**assignments))
