# SPDX-License-Identifier: Apache-2.0
"""What ``fleutan record`` costs: CPU and memory with 10,000 flows and 1,000 new ones a second.

``python bench/recording.py [CONNECTIONS [NEW_A_SECOND [SECONDS]]] [-- OPTIONS OF record…]`` as root.
Two network namespaces joined by veth are made for it; the flows are those of one end.  Each
connection sends 200 bytes and gets an answer every five seconds, a new one does so once and ends.
The figures are those of the recording process, from its first interval's end to the last one's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tracing import ADDRESS, FAR, NEAR, hosts, inside, started

CPU_BAR, RSS_BAR = 5.0, 200
#: The interval of the recording, in seconds.
INTERVAL = 10
_TICKS = os.sysconf("SC_CLK_TCK")
CODE = "from fleutan.faces.cli import main; main()"

_SERVE = """
import contextlib, resource, selectors, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
chosen = selectors.DefaultSelector()
for port in range(5000, 5004):  # of one port the other end would have used up its own in a minute
    listener = socket.create_server((sys.argv[1], port), backlog=4096)
    listener.setblocking(False)
    chosen.register(listener, selectors.EVENT_READ, "listener")
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        if key.data:
            chosen.register(key.fileobj.accept()[0], selectors.EVENT_READ)
            continue
        with contextlib.suppress(ConnectionResetError):
            if data := key.fileobj.recv(65536):
                key.fileobj.send(data)
                continue
        chosen.unregister(key.fileobj)
        key.fileobj.close()
"""
_SEND = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
held = [socket.create_connection((sys.argv[1], 5000)) for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
step, due = 5 / len(held), time.monotonic()
while True:
    for one in held:
        one.send(bytes(200))
        one.recv(200)
        due += step
        if (left := due - time.monotonic()) > 0.01:
            time.sleep(left)
"""
_BRIEF = """
import itertools, socket, sys, time
step, due = 1 / int(sys.argv[2]), time.monotonic()
print("ready", flush=True)
for port in itertools.cycle(range(5000, 5004)):
    with socket.create_connection((sys.argv[1], port)) as one:
        one.send(bytes(200))
        one.recv(200)
    due += step
    if (left := due - time.monotonic()) > 0.01:
        time.sleep(left)
"""


def used(pid: int) -> tuple[float, float]:
    """Seconds of CPU that a process took so far, and those that it started and that have ended."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, others = (sum(map(int, part)) / _TICKS for part in (words[11:13], words[13:15]))
    return own, others


def peak(pid: int) -> int:
    """The most memory that it had since its peak was forgotten, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


def measure(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Prints what the process took, minute by minute and in all; the first interval is of its start."""
    time.sleep(2 * INTERVAL)
    begun, first, most = time.monotonic(), used(process.pid), 0
    before, since = first, begun
    while (past := since - begun) < seconds:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        time.sleep(min(60.0, max(seconds - past, 1.0)))
        after, now = used(process.pid), time.monotonic()
        most = max(most, peak(process.pid))
        print(f"{past:6.0f} s   {share(before, after, now - since)}   {peak(process.pid):4} MB at most", flush=True)
        before, since = after, now
    every = 100 * (sum(before) - sum(first)) / (since - begun)
    print(f"CPU {share(first, before, since - begun)}, {every:5.2f} % in all   ratio {every / CPU_BAR:5.2f} to the bar")
    print(f"RSS {most:5} MB   ratio {most / RSS_BAR:5.2f} to the bar of {RSS_BAR} MB")


def share(before: tuple[float, float], after: tuple[float, float], seconds: float) -> str:
    """What the process took of a CPU, and what those took that it started."""
    own, others = (100 * (now - then) / seconds for then, now in zip(before, after, strict=True))
    return f"{own:5.2f} % of a CPU, {others:5.2f} % to seal"


def rows(lake: str) -> None:
    """Prints how many rows of each kind came into the lake, and their bytes."""
    import duckdb

    for kind in ("flows", "lifecycle", "drops", "queues"):
        files = [*Path(lake).glob(f"{kind}/**/*.parquet")]
        if files:
            query = f"SELECT count(*) FROM read_parquet({[*map(str, files)]})"
            count = duckdb.execute(query).fetchall()[0][0]
            size = sum(path.stat().st_size for path in files)
            print(f"{kind:10} {count:9,} rows {size:12,} bytes {size / count:6.1f} a row")


def main() -> None:
    """Records beside the crowd, and prints what that took."""
    if os.geteuid():
        raise SystemExit("it takes root: network namespaces of its own, and BPF")
    place = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    numbers, more = [int(word) for word in sys.argv[1:place]], sys.argv[place + 1 :]
    connections, fresh, seconds = [*numbers, *(10_000, 1_000, 360)[len(numbers) :]]
    with hosts(), tempfile.TemporaryDirectory() as lake, crowded(connections, fresh):
        command = [sys.executable, "-c", CODE, "record", "-i", str(INTERVAL), "--lake", lake, "-N", NEAR, *more]
        with subprocess.Popen(command) as process:
            try:
                measure(process, seconds)
            finally:
                process.send_signal(signal.SIGTERM)
        rows(lake)


@contextmanager
def crowded(connections: int, fresh: int) -> Iterator[None]:
    """The flows: so many that stay, and so many new ones a second."""
    for name in (NEAR, FAR):
        ports = "echo '1100 65000' >/proc/sys/net/ipv4/ip_local_port_range"
        subprocess.run(inside(name, "sh", "-c", ports), check=True)
    commands = (
        inside(FAR, sys.executable, "-c", _SERVE, ADDRESS),
        inside(NEAR, sys.executable, "-c", _SEND, ADDRESS, str(connections)),
        inside(NEAR, sys.executable, "-c", _BRIEF, ADDRESS, str(fresh)),
    )
    with ExitStack() as held:
        for command in commands:
            held.enter_context(started(command, "ready"))
        yield


if __name__ == "__main__":
    main()
