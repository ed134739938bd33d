# SPDX-License-Identifier: Apache-2.0
"""The bars, measured: both sides of each in turn on the same crowd of sockets, as ratios.

``python bench/run.py [CONNECTIONS]`` (48000, two sockets each).  Times are whole processes,
wall clock, the median of several rounds in which the sides take turns; only the ratios carry
over to another machine.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from crowd import crowd, own_namespace

BIN = Path(sys.executable).parent
FLEUTAN = str(BIN / "fleutan")
ROUNDS = 5
SS = ["ss", "-tinp"]

#: title, our command, theirs, the bar (theirs times this is the most ours may take)
CROWDED = (
    ("flows --top 50 : ss -tinp", [FLEUTAN, "flows", "--top", "50"], SS, 1 / 10),
    ("flows --lat : ss -tinp", [FLEUTAN, "flows", "--lat"], SS, 1 / 10),
    ("flows --json : ss -tinp", [FLEUTAN, "flows", "--json"], SS, 1 / 4),
    ("flows rtt > 20us : ss -tinp", [FLEUTAN, "flows", "tcp and rtt > 20us", "--top", "50"], SS, 1 / 10),
    ("flows --limits --top 50 : ss -tinp", [FLEUTAN, "flows", "--limits", "--top", "50"], SS, 1 / 10),
    ("flows -g peer : ss -tinp", [FLEUTAN, "flows", "-g", "peer"], SS, 1 / 10),
)
FEW = (
    ("flows : import numpy, duckdb", [FLEUTAN, "flows"], [sys.executable, "-c", "import numpy, duckdb"], 2.0),
    ("--help : python -c pass", [FLEUTAN, "--help"], [sys.executable, "-c", "pass"], None),
)


def seconds(command: Sequence[str]) -> tuple[float, int]:
    """Wall time of one run, its output thrown away, and its peak memory in MB."""
    begun = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss // 1024


def compare(title: str, ours: Sequence[str], theirs: Sequence[str], bar: float | None) -> None:
    """Runs both sides in turn and prints medians, the ratio and the bar."""
    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    mine = statistics.median(one[0] for one, _ in pairs)
    other = statistics.median(one[0] for _, one in pairs)
    ratio = statistics.median(one[0] / two[0] for one, two in pairs)
    memory = max(one[1] for one, _ in pairs)
    goal = f"bar {bar:5.2f}" if bar else "         "
    print(f"{title:38} {mine:7.3f} s {other:7.3f} s   ratio {ratio:6.3f}  {goal}   {memory:4} MB", flush=True)


def main() -> None:
    """Runs every comparison."""
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 48_000
    own_namespace()
    print(f"{'':38} {'ours':>9} {'theirs':>9}", flush=True)
    with crowd(25):
        for title, ours, theirs, bar in FEW:
            compare(f"50 sockets: {title}", ours, theirs, bar)
    with crowd(connections):
        for title, ours, theirs, bar in CROWDED:
            compare(title, ours, theirs, bar)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"most memory of any of them: {peak} MB")


if __name__ == "__main__":
    main()
