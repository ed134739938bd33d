# SPDX-License-Identifier: Apache-2.0
"""A thousand clients that take nothing of their answers, beside others, and beside a program of the same process.

Each has an answer of some 200 KB that it does not take.  Prints how long a small question takes
without and with them, the longest pauses of the program beside while they are answered and after,
and the memory.  ``python bench/serving.py [CLIENTS]``.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.asking import SECOND, filled, get, records, served

from fleutan.faces.web.bounds import Bounds, Node, Service
from fleutan.lake.writer import Writer

ROWS, SMALL = 1500, 4096
START = 1_800_000_000
LARGE = f"/tuple?start={START}&end={START + ROWS}&format=json"
QUESTION = f"/traffic?start={START}&end={START + 600}&format=json"


class Collecting:
    """Looks every 10 ms (``pauses`` are the times between), and takes rows into the lake, as ``collect`` would."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.pauses: list[float] = []
        self.rows = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Collecting:
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        batch = records((START + 10 * ROWS) * SECOND, 2000)
        last = time.monotonic()
        with Writer(self._root, "bench") as writer:
            while not self._ending.wait(0.01):
                now = time.monotonic()
                self.pauses.append(now - last)
                last = now
                if not len(self.pauses) % 50:
                    writer.add(batch)
                    writer.tick(time.time_ns())
                    self.rows += len(batch)


def taken(server: Any, many: int) -> list[float]:
    """How long so many small questions take, each after the other; what is refused is asked again."""
    found = []
    for _ in range(many):
        begun = time.monotonic()
        while server.get(QUESTION).status != 200:
            time.sleep(0.1)
        found.append(time.monotonic() - begun)
    return found


def memory_mb() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def waited(condition: Callable[[], bool], seconds: float) -> float:
    """How long it took until something was so."""
    begun = time.monotonic()
    while not condition() and time.monotonic() - begun < seconds:
        time.sleep(0.05)
    return round(time.monotonic() - begun, 1)


@contextmanager
def crowd(server: Any, many: int, at_once: int) -> Iterator[list[socket.socket]]:
    """So many clients that asked for much, and take nothing; as many at once as are not refused."""
    desk = server.server._desk
    with ExitStack() as stack:
        found: list[socket.socket] = []
        for _ in range(-(-many // at_once)):
            before = server.connections
            found += [stack.enter_context(server.connect(get(LARGE), SMALL)) for _ in range(at_once)]
            waited(functools.partial(_more, server, before), 60)
            waited(lambda: not desk.account()["questions"], 60)
        yield found


def _more(server: Any, before: int) -> bool:
    return bool(server.connections > before)


def main() -> None:
    """Measures and prints."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as directory:
        root = filled(Path(directory) / "lake", [records(START * SECOND, ROWS)])
        service = Service(root, Bounds(stalled_seconds=500.0), Node("bench"))
        found: dict[str, Any] = {"clients": clients, "rows_of_an_answer": ROWS}
        with served(service, SMALL) as server, Collecting(root) as collecting:
            found["small_question_alone_ms"] = _milliseconds(taken(server, 20))
            found["longest_pause_alone_ms"] = _milliseconds([max(collecting.pauses)])
            found["memory_before_mb"] = memory_mb()
            collecting.pauses.clear()
            begun = time.monotonic()
            with crowd(server, clients, service.bounds.waiting):
                desk = server.server._desk
                found["seconds_until_all_are_answered"] = round(time.monotonic() - begun, 1)
                found["longest_pause_meanwhile_ms"] = _milliseconds([max(collecting.pauses)])
                collecting.pauses.clear()
                found["connected"] = server.connections
                found["small_question_beside_ms"] = _milliseconds(taken(server, 20))
                found["longest_pause_beside_ms"] = _milliseconds([max(collecting.pauses)])
                found["memory_beside_mb"] = memory_mb()
                found["megabytes_not_taken"] = (service.bounds.spools - desk.account()["room"]) // 1_000_000
            found["seconds_until_all_have_gone"] = waited(lambda: server.connections == 0, 60)
            found["small_question_after_ms"] = _milliseconds(taken(server, 20))
        found["rows_collected"] = collecting.rows
    print(json.dumps(found, indent=1))


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return {
        "median": round(1000 * statistics.median(seconds), 1),
        "largest": round(1000 * max(seconds), 1),
    }


if __name__ == "__main__":
    main()
