# SPDX-License-Identifier: Apache-2.0
"""Datagrams over loopback: what is lost and what each costs, at a rate and at the highest one without loss.

``python bench/receiving.py [DATAGRAMS_A_SECOND [SECONDS]]`` (100000, 5).  Another process sends by
sendmmsg at an even pace; this one receives batches as columns, and does nothing with them.  Every
datagram is received or counted as dropped by the kernel, or this says so and fails.  CPU time is
that of the receiving process, kernel and all; loopback delivers in the sender's time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import NamedTuple

from fleutan.sources.datagrams import Sockets

RATE, SECONDS = 100_000, 5.0
#: Of a datagram: a full one of sFlow.
SIZE = 1400
#: Rates tried for the highest without loss: so much more each time, each so long.
STEP, TRIAL = 1.25, 2.0
#: How long nothing must come for the sender to be done, in seconds.
QUIET = 0.5

#: Sends so many datagrams a second in even portions, and says how many and how long it took.
SENDER = """
import sys, time
import numpy as np
from fleutan.linux.forwarding import Way
port, rate, size, seconds = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
portion = max(1, min(256, round(rate / 2000)))
octets, starts, sizes = np.zeros(size, np.uint8), np.zeros(portion, np.int64), np.full(portion, size)
sent = 0
with Way(bytes([127, 0, 0, 1]), port) as way:
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        ahead = sent / rate - elapsed
        if ahead > 0:
            time.sleep(ahead)
        failed = way.send(octets, starts, sizes)
        sent += portion - int((failed != 0).sum())
print(sent, time.perf_counter() - began)
"""


class Run(NamedTuple):
    """What was sent, received and dropped, the rate that the sender reached, and CPU seconds of the receiver."""

    sent: int
    received: int
    dropped: int
    rate: float
    cpu: float

    @property
    def exact(self) -> bool:
        """Whether nothing is missing that was not counted."""
        return self.sent == self.received + self.dropped


def run(rate: float, seconds: float) -> Run:
    """Receives what another process sends."""
    with Sockets([0], ["127.0.0.1"]) as source:
        words = map(str, (source.ears[0].port, rate, SIZE, seconds))
        command = [sys.executable, "-c", SENDER, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            began = time.process_time()
            for batch in source.batches(QUIET):
                if not batch.spans.rows and sender.poll() is not None:
                    break
            cpu = time.process_time() - began
            assert sender.stdout
            sent, took = sender.stdout.read().split()
        [account] = source.accounts()
    return Run(int(sent), account.received, account.dropped or 0, int(sent) / float(took), cpu)


def tell(title: str, one: Run) -> None:
    """A line of a run; ends the program where a datagram is missing."""
    lost = f"{one.dropped} dropped" if one.dropped else "none lost"
    cost = one.cpu / max(1, one.received) * 1e6
    print(f"{title:24} {one.rate:9,.0f}/s   {one.sent:9,} sent, {lost:16} {cost:5.2f} us CPU each", flush=True)
    if not one.exact:
        raise SystemExit(f"{one.sent - one.received - one.dropped} of {one.sent} are neither received nor counted")


def highest() -> Run:
    """The last run without loss at rates that grow, until something is lost or the sender does not keep up."""
    rate, best = float(RATE), run(RATE, TRIAL)
    while True:
        rate *= STEP
        one = run(rate, TRIAL)
        tell(f"  tried at {rate:,.0f}/s", one)
        if one.dropped or one.rate < 0.95 * rate:
            return one if not one.dropped else best
        best = one


def main() -> None:
    """The rate that is asked for, then the highest."""
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else RATE
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    print(f"datagrams of {SIZE} octets over loopback, {os.cpu_count()} CPUs", flush=True)
    tell("at a rate", run(rate, seconds))
    tell("highest without loss", highest())


if __name__ == "__main__":
    main()
