# SPDX-License-Identifier: Apache-2.0
"""Keeps a lake in order beside the writers: one process at a time, in a thread of its own, now and then."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from fleutan.lake import retention, sealing
from fleutan.lake.compaction import Compaction
from fleutan.lake.disk import Disk
from fleutan.lake.layout import OPEN
from fleutan.lake.retention import Keep

#: Seconds between two rounds.
EVERY = 60.0
LOCK = "keeper.lock"
MEMORY = "512MB"


class Keeper:
    """Compacts and expires while ``with`` lasts, if no other process does; ``trouble`` is what went wrong last."""

    def __init__(
        self,
        root: Path,
        node: str,
        keep: Mapping[str, Keep] = retention.DEFAULTS,
        every: float = EVERY,
        now: Callable[[], int] = time.time_ns,
        disk: Disk | None = None,
    ) -> None:
        self._root, self._node, self._keep, self._every, self._now = root, node, keep, every, now
        self._disk = disk or Disk()
        self._stop = threading.Event()
        self.trouble = ""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.once()
                self.trouble = ""
            except Exception as error:  # the next round tries again; data is not at stake
                said = next(iter(str(error).splitlines()), type(error).__name__)
                self.trouble = f"the lake is not kept in order: {said}"

    def once(self) -> bool:
        """One round; whether it was this process's turn."""
        descriptor = os.open(self._root / OPEN / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with sealing.connect(1, MEMORY, self._root) as connection:
                retention.expire(self._root, self._keep, self._now(), self._disk)
                Compaction(connection, self._root, self._node, self._disk).once(self._now())
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True
