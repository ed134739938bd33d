# SPDX-License-Identifier: Apache-2.0
"""A process that makes others, which write numbered rows into a lake until they are killed.

``python -m tests.lake.mortal ROOT`` reads lines ``FIRST SEED``; for each it forks a writer, which says
``pid PID``, ``known FLUSHED ADDED`` again and again, and of which it says ``over`` when it is no more.
So that a writer costs little, all is imported before; nothing that has threads is begun before.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import duckdb  # noqa: F401
import numpy as np
from tests.lake.rows import NOW, ROLLED, numbered

from fleutan.lake.keeper import Keeper
from fleutan.lake.layout import HOUR
from fleutan.lake.writer import Limits, Writer

MS = 1_000_000
#: Everything happens often: rows are flushed, sealed, put together, and what was replaced goes.
LIMITS = Limits(flush_ns=10 * MS, seal_ns=50 * MS, many=40, tail_octets=20_000)
COUNTS = (1, 2, 5, 10, 50)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def later() -> int:
    """A time at which what was replaced has been there long enough."""
    return time.time_ns() + HOUR


def write(root: Path, first: int, seed: int) -> None:
    """Writes rows from a number on, for ever; those of a batch are of two hours as a rule."""
    rng = np.random.default_rng(seed)
    pause, number = threading.Event(), first

    writer = Writer(root, "test", LIMITS, "mine")
    with writer, Keeper(root, "mine", {}, every=0.01, now=later):
        while True:
            count = int(rng.choice(COUNTS))
            writer.add(numbered(number, count, ROLLED, NOW - 40 * HOUR, HOUR // 40))
            number += count
            writer.tick(time.time_ns())
            say(f"known {first + writer.account().flushed} {number}")
            pause.wait(0.002)


def main(root: Path) -> None:
    for line in sys.stdin:
        first, seed = map(int, line.split())
        if not (pid := os.fork()):
            say(f"pid {os.getpid()}")
            write(root, first, seed)
        os.waitpid(pid, 0)
        say("over")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
