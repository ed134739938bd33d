# SPDX-License-Identifier: Apache-2.0
"""What it costs to sample packets: each packet that is let by, each sample in the kernel, and reading them.

``python bench/sampling.py`` as root, half a minute.  Traffic runs between two network namespaces joined by veth,
which are made for it.  Programs are timed by the kernel (run_time_ns / run_cnt, of which some 40 ns are the timing
itself: the first line says how much here), reading by the CPU time of this thread.  Only ratios carry over to
another machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from tracing import ADDRESS, FAR, NEAR, SMALL, hosts, inside, started

from fleutan.linux import namespaces
from fleutan.linux.libbpf import Runs, counting_runs
from fleutan.linux.packets.bpf import RAREST
from fleutan.sources.packets.columns import Tap
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.owning import Holding, Owners, with_owners
from fleutan.sources.packets.sampler import BpfSampler

#: ns for a packet that is let by; percent of a CPU for 1 in 400 at 10 Gbit/s, kernel and reader together.
PACKET_BAR, CPU_BAR, RATE = 30, 1.0, 400
SECONDS, LOOK = 4, 0.1
LOADS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("UDP of 64 octets", SMALL),
    ("TCP", ()),
    ("TCP, 10 Gbit/s", ("-b", "10G")),
)


class Cost(NamedTuple):
    """Of one load: the programs' runs, wire packets, samples and lost ones, CPU seconds of reading."""

    runs: Runs
    packets: int
    samples: int
    lost: int
    reading: float
    seconds: float

    @property
    def each(self) -> float:
        """ns of a run."""
        return self.runs.run_time_ns / max(self.runs.run_cnt, 1)


def load(sampler: BpfSampler, rate: int, words: tuple[str, ...]) -> Cost:
    """iperf3 from NEAR, whose device is sampled in both directions."""
    with namespaces.entered(namespaces.find(NEAR)):
        index = {name: number for number, name in namespaces.interface_names().items()}["veth0"]
    sampler.want({Tap(index, egress): rate for egress in (False, True)} if rate else {})
    owners, deltas = OWNERS[0], Deltas()
    runs, totals = total_runs(sampler), sampler.totals()
    samples, reading, began = 0, 0.0, time.monotonic()
    with started(inside(FAR, "iperf3", "--server", "--one-off", "--forceflush"), "listening"):
        command = inside(NEAR, "iperf3", "-c", ADDRESS, "-t", str(SECONDS), *words)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as client:
            while client.poll() is None:
                cpu = time.thread_time()
                sampler.wait(LOOK)
                if (packets := sampler.read()) is not None:
                    samples += deltas.of(with_owners(packets, owners)).rows
                reading += time.thread_time() - cpu
    ran = Runs(*(now - then for now, then in zip(total_runs(sampler), runs, strict=True)))
    after = sampler.totals()
    seen, lost = (sum(getattr(after[tap], name) - getattr(totals[tap], name) for tap in after) for name in totals_of)
    return Cost(ran, seen, samples, lost, reading, time.monotonic() - began)


totals_of = ("pool", "drops")
OWNERS: list[Owners] = []


def total_runs(sampler: BpfSampler) -> Runs:
    """Of both programs."""
    both = [sampler.runs(egress=egress) for egress in (False, True)]
    return Runs(*map(sum, zip(*both, strict=True)))


def main() -> None:
    """Prints all."""
    with hosts(), ExitStack() as held:
        sampler = held.enter_context(BpfSampler(namespaces.find(NEAR)))
        OWNERS.append(Owners(held.enter_context(Holding())))
        held.enter_context(counting_runs())
        for title, words in LOADS:
            let_by, taken = load(sampler, RAREST, words), load(sampler, RATE, words)
            print(f"{title:<20} {taken.packets / taken.seconds / 1e6:6.2f} million wire packets/s")
            print(f"  let by             {let_by.each:7.0f} ns a run, {let_by.runs.run_cnt:,} runs")
            extra = (taken.each - let_by.each) * taken.runs.run_cnt / max(taken.samples + taken.lost, 1)
            print(f"  a sample           {extra:7.0f} ns in the kernel, {taken.samples:,} samples, {taken.lost} lost")
            print(f"  reading            {taken.reading / max(taken.samples, 1) * 1e6:7.1f} us a sample")
            share = (taken.reading + max(extra, 0) * taken.samples / 1e9) / taken.seconds * 100
            print(f"  in all             {share:7.2f} % of a CPU to the bar of {CPU_BAR} %, without what is let by")


if __name__ == "__main__":
    main()
