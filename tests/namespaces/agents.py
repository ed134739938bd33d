# SPDX-License-Identifier: Apache-2.0
"""An agent as a process inside a host: what it says of itself, what it holds, and what collectors hear."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.namespaces.conftest import CODE, PLAIN, Host, until

from fleutan.linux import namespaces

Row = dict[str, Any]
#: What an agent may hold more of after a while than at first, in kB: what Python has put aside.
SLACK_KB = 6_000


class Held(NamedTuple):
    """What a process holds: open files, programs, maps and links of BPF, threads, memory."""

    files: int
    bpf: int
    threads: int
    memory_kb: int


class Agent:
    """Runs inside a host (None: here) until the block ends; tells of itself in ``runtime``, else in ``folder``."""

    def __init__(self, host: Host | None, folder: Path, *words: str, runtime: Path | None = None) -> None:
        self.folder, self._runtime = folder, runtime or folder
        folder.mkdir(parents=True, exist_ok=True)
        self._command = host.command("agent", *words) if host else [sys.executable, "-c", CODE, "agent", *words]

    def __enter__(self) -> Agent:
        with self._errors.open("w") as errors:
            own = {**PLAIN, "RUNTIME_DIRECTORY": str(self._runtime)}
            self.process = subprocess.Popen(self._command, env=own, stdout=subprocess.DEVNULL, stderr=errors)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)

    @property
    def _errors(self) -> Path:
        return self.folder / "errors"

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text()

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit status, once it was told to end."""
        self.tell(signal.SIGTERM)
        return self.process.wait(30)

    def status(self) -> Row:
        """What it says of itself; nothing before the first time."""
        assert self.process.poll() is None, self.said
        for path in (self._runtime / ".status").glob("agent-*.json"):
            found: Row = json.loads(path.read_bytes())
            return found
        return {}

    def when(self, holds: Callable[[Row], Any], what: str, seconds: float = 20.0) -> Row:
        """Its status as soon as it is so."""

        def found() -> Row | None:
            status = self.status()
            return status if status and holds(status) else None

        found_: Row = until(found, f"{what}: {self.said}", seconds)
        return found_

    def looks(self, times: int = 1) -> None:
        """Waits until it has looked around so often."""
        path = self._runtime / ".status" / f"agent-{self.process.pid}.json"
        until(path.exists, "it tells of itself")
        seen = {path.stat().st_mtime_ns}

        def has_looked() -> bool:
            seen.add(path.stat().st_mtime_ns)
            return len(seen) > times

        until(has_looked, f"it looks around: {self.said}", 20.0 + 2 * times)

    def sends(self, place: int = 0) -> None:
        """Waits until more went to a collector than did."""
        before = self.status()["collectors"][place]["sent"]
        self.when(lambda status: status["collectors"][place]["sent"] > before, "it sends")

    def held(self) -> Held:
        """What it holds now."""
        proc = Path(f"/proc/{self.process.pid}")
        files = []
        for path in (proc / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                files.append(os.readlink(path))
        said = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        return Held(len(files), sum("bpf" in one for one in files), int(said["Threads"]), int(said["VmRSS"].split()[0]))

    def settled(self) -> Held:
        """What it holds while nothing is going on."""
        self.looks()
        found = [self.held() for _ in range(5)]
        return min(found)

    def assert_not_grown(self, before: Held) -> None:
        """Whether it holds no more than before."""
        until(lambda: self.held()[:3] == before[:3], f"open files, BPF, threads: {before}, {self.held()}")
        assert self.held().memory_kb < before.memory_kb + SLACK_KB


@contextmanager
def listening(host: str, address: str, port: int = 6343) -> Iterator[socket.socket]:
    """A collector's socket inside a namespace, by its name."""
    with namespaces.entered(namespaces.find(host)):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with made:
        made.bind((address, port))
        made.settimeout(20)
        yield made
