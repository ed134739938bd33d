# SPDX-License-Identifier: Apache-2.0
"""An agent as a process inside a host: what it says of itself, what it holds, and what collectors hear."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.namespaces.conftest import PLAIN, Host, until

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
    """Runs until the block ends, in which it ends in order; ``before`` stands before its command line."""

    def __init__(self, host: Host, folder: Path, *words: str, before: Sequence[str] = ()) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._command = host.command("agent", *words, before=before)

    def __enter__(self) -> Agent:
        with self._errors.open("w") as errors:
            own = {**PLAIN, "RUNTIME_DIRECTORY": str(self.folder)}
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
        for path in (self.folder / ".status").glob("agent-*.json"):
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
        path = self.folder / ".status" / f"agent-{self.process.pid}.json"
        for _ in range(times):
            until(path.exists, "it tells of itself")
            self._looks_again(path, path.stat().st_mtime_ns)

    def _looks_again(self, path: Path, before: int) -> None:
        until(lambda: path.stat().st_mtime_ns != before, f"it looks around: {self.said}")

    def sends(self, place: int = 0) -> None:
        """Waits until more went to a collector than did."""
        before = self.status()["collectors"][place]["sent"]
        self.when(lambda status: status["collectors"][place]["sent"] > before, "it sends")

    def held(self) -> Held:
        """What it holds now."""
        proc = Path(f"/proc/{self.process.pid}")
        files = [os.readlink(path) for path in (proc / "fd").iterdir() if path.is_symlink()]
        said = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        return Held(len(files), sum("bpf" in one for one in files), int(said["Threads"]), int(said["VmRSS"].split()[0]))


def assert_not_grown(before: Held, after: Held) -> None:
    """Whether nothing has grown."""
    assert after[:3] == before[:3], "open files, BPF, threads"
    assert after.memory_kb < before.memory_kb + SLACK_KB


@contextmanager
def listening(host: str, address: str, port: int = 6343) -> Iterator[socket.socket]:
    """A collector's socket inside a namespace, by its name."""
    with namespaces.entered(namespaces.find(host)):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with made:
        made.bind((address, port))
        made.settimeout(20)
        yield made
