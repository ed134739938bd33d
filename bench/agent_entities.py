# SPDX-License-Identifier: Apache-2.0
"""What it costs to tell of ten thousand containers: python bench/agent_entities.py [CONTAINERS] [SECONDS]

Makes that many real control groups of cgroup2 without a process in them, which are told all the same,
asks for their counters as an agent does that polls every 30 seconds, and has some come and go each
second.  Prints the shares of a processor that looking for them and
reading them take, the longest that one call took, and how memory grows.  Takes root.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies
from fleutan.sources.counters.entities import Entities, Host, Settings, finding
from fleutan.sources.counters.entities.traffic import Counting

POLLING_S = 30
CHURN = 20


def main() -> None:
    containers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    mount = hierarchies().v2
    if mount is None:
        sys.exit("there is no cgroup2")
    # Groups without processes are not told: here they are once that was looked at, as if each had one.
    look = finding.is_populated  # type: ignore[attr-defined]
    finding.is_populated = lambda folder: look(folder) or True  # type: ignore[attr-defined]
    root = f"{mount}/flbench.slice"
    with groups(root, containers), Counting(mount) as counting:
        host = Host(Hierarchies(mount))
        agent(Entities(bytes(16), Settings(), counting.read, host), root, seconds)


@contextmanager
def groups(root: str, containers: int) -> Iterator[None]:
    os.makedirs(root, exist_ok=True)
    try:
        for number in range(containers):
            os.mkdir(f"{root}/docker-{name(number)}.scope")
        yield
    finally:
        with os.scandir(root) as entries:
            folders = [entry.path for entry in entries if entry.is_dir()]
        for folder in [*folders, root]:
            with suppress(OSError):
                os.rmdir(folder)


def name(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def agent(entities: Entities, root: str, seconds: int) -> None:
    looking = reading = longest = 0.0
    first, read, half = 0.0, 0, 0
    began = time.perf_counter()
    for second in range(seconds):
        at = time.thread_time(), time.perf_counter()
        sources = entities.sources()
        looking += time.thread_time() - at[0]
        longest = max(longest, time.perf_counter() - at[1])
        if sources and not first:
            first, looking, longest = looking, 0.0, 0.0
        at = time.thread_time(), time.perf_counter()
        due = len(sources) // POLLING_S
        read += sum(1 for _ in entities.read(sources[second % POLLING_S * due :][:due]))
        reading += time.thread_time() - at[0]
        churn(root, second)
        half = memory() if second == seconds // 2 else half
        time.sleep(max(began + second + 1 - time.perf_counter(), 0))
    print(f"{len(sources)} entities, {entities._finder.walks} walks, {read} read")
    print(f"the first walk took {first:.2f} s of a processor")
    print(f"looking takes {100 * looking / seconds:.2f} % of a processor, {1000 * longest:.0f} ms at once at most")
    print(f"reading one takes {1e6 * reading / max(read, 1):.0f} us, all together {100 * reading / seconds:.2f} %")
    print(f"memory {memory() >> 20} MB, {(memory() - half) / 1e6:.1f} MB more than after half of the time")


def memory() -> int:
    """Octets of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def churn(root: str, second: int) -> None:
    """Some go, others come."""
    for at in range(CHURN):
        old = f"{root}/docker-{name(1_000_000 + (second - 1) * CHURN + at)}.scope"
        with suppress(OSError):
            os.rmdir(old)
        os.mkdir(f"{root}/docker-{name(1_000_000 + second * CHURN + at)}.scope")


if __name__ == "__main__":
    main()
