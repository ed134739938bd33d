# SPDX-License-Identifier: Apache-2.0
"""What an agent's counters cost: CPU time of this process for a poll of the host, of all interfaces, of their list.

``python bench/agent_counters.py [INTERFACES ...]`` (4, 1000).  The interfaces are ends of veth pairs in a
network namespace of its own (root).  A thirtieth of them is what is due in a second where each is read
every 30 s.  The kernel's part is in it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable

from crowd import own_namespace

from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.host import HostCounters
from fleutan.sources.counters.interfaces import InterfaceCounters

#: Readings of which the mean is told.
TIMES = 100
#: Of all interfaces so many are read in a second if each is every 30 s.
POLLING = 30


def pairs(interfaces: int) -> None:
    """So many ends of veth pairs, up; what was there before is gone."""
    listed = subprocess.run(["ip", "-o", "link", "show", "type", "veth"], capture_output=True, text=True, check=True)
    names = [line.split(": ")[1].partition("@")[0] for line in listed.stdout.splitlines()]
    lines = [f"link delete {name}" for name in names if name.startswith("a")]
    for number in range(interfaces // 2):
        lines += [
            f"link add a{number} type veth peer name b{number}",
            f"link set a{number} up",
            f"link set b{number} up",
        ]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time of one time, user's and kernel's; it has been done before."""
    work()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(TIMES):
        work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent / TIMES * 1000


def measure(interfaces: int) -> None:
    """A line for so many interfaces."""
    pairs(interfaces)
    devices = Devices()
    host, each = HostCounters(devices), InterfaceCounters(devices)
    sources = each.sources()
    due = sources[: max(1, len(sources) // POLLING)]
    assert len(list(each.read(sources))) == interfaces
    costs = {
        "host": milliseconds(lambda: list(host.read(host.sources()))),
        "all interfaces": milliseconds(lambda: list(each.read(sources))),
        f"{len(due)} of them": milliseconds(lambda: list(each.read(due))),
        "their list": milliseconds(each.sources),
    }
    print(f"{interfaces:6} interfaces:", ", ".join(f"{what} {cost:.2f} ms" for what, cost in costs.items()), flush=True)


def main() -> None:
    """Each number of interfaces in turn."""
    own_namespace()
    for interfaces in map(int, sys.argv[1:] or ("4", "1000")):
        measure(interfaces)


if __name__ == "__main__":
    main()
