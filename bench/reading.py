# SPDX-License-Identifier: Apache-2.0
"""Reading into a Table of flows, against the two kernel iterators alone, in turn in one process.

``python bench/crowd.py 48000 python bench/reading.py`` as root.  CPU time, because the
iterators run beside each other when fleutan reads.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from fleutan.linux import iterators, proc, sockdiag
from fleutan.sources import flows
from fleutan.sources.capture import Reader

#: What `fleutan flows` shows of a flow.
FIELDS = ("proc", "rtt", "bytes_sent", "bytes_received", "bytes_acked", "delivery_rate", "retrans")
ROUNDS = 7


def cost(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Prints medians and ratios to the iterators alone."""
    with iterators.SocketIterators() as loaded, Reader(source="bpf") as by_bpf, Reader(source="netlink") as by_netlink:
        sides: dict[str, Callable[[], object]] = {
            "iter/tcp and iter/task_file alone": lambda: (loaded.read_tcp(), loaded.read_holders()),
            "bpf: read and made a Table": lambda: flows.table(by_bpf.take(), FIELDS),
            "netlink and /proc: read and made a Table": lambda: flows.table(by_netlink.take(), FIELDS),
            "sock_diag dump alone": lambda: sockdiag.dump(6),
            "/proc/*/fd walk alone": proc.holders,
        }
        for work in sides.values():
            work()
        rounds = [{title: cost(work) for title, work in sides.items()} for _ in range(ROUNDS)]
    alone = next(iter(sides))
    for title in sides:
        median = statistics.median(one[title] for one in rounds)
        ratio = statistics.median(one[title] / one[alone] for one in rounds)
        print(f"{title:42} {median:7.3f} s CPU   ratio {ratio:5.2f}")


if __name__ == "__main__":
    main()
