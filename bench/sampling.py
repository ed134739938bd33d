# SPDX-License-Identifier: Apache-2.0
"""What it costs to sample packets: each packet that is let by, each sample in the kernel, and reading them.

``python bench/sampling.py`` as root, half a minute.  Traffic runs between two network namespaces joined by veth,
which are made for it.  Programs are timed by the kernel (run_time_ns / run_cnt, of which 40 ns are the timing
itself: so long takes a program that does nothing), reading by the CPU time of this thread.  Only ratios carry over
to another machine.
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
from fleutan.sources.packets.choosing import LINGER
from fleutan.sources.packets.columns import Tap
from fleutan.sources.packets.deltas import Deltas
from fleutan.sources.packets.owning import Holding, Owners, with_owners
from fleutan.sources.packets.sampler import BpfSampler

#: Percent of a CPU for 1 in 400 at 10 Gbit/s, samples in the kernel and reader together.
CPU_BAR, RATE = 1.0, 400
#: Seconds of a load, and between two looks of the reader.
SECONDS, LOOK = 4, 0.1
LOADS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("UDP of 64 octets", SMALL),
    ("TCP", ()),
    ("TCP, 10 Gbit/s", ("-b", "10G")),
)


class Cost(NamedTuple):
    """Of one load: the programs' runs, wire packets, samples and those that were lost, CPU seconds of reading."""

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


def index_of_veth0() -> int:
    """Its index in NEAR."""
    with namespaces.entered(namespaces.find(NEAR)):
        return next(index for index, name in namespaces.interface_names().items() if name == "veth0")


def load(sampler: BpfSampler, owners: Owners, rate: int, words: tuple[str, ...]) -> Cost:
    """iperf3 from NEAR, whose device is sampled in both directions."""
    index = index_of_veth0()
    sampler.want({Tap(index, egress): rate for egress in (False, True)})
    before, runs, deltas = sampler.totals(), total_runs(sampler), Deltas()
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
    took = time.monotonic() - began
    ran = Runs(*(now - then for now, then in zip(total_runs(sampler), runs, strict=True)))
    after = sampler.totals()
    packets_seen = sum(after[tap].pool - before[tap].pool for tap in after)
    lost = sum(after[tap].drops - before[tap].drops for tap in after)
    return Cost(ran, packets_seen, samples, lost, reading, took)


def total_runs(sampler: BpfSampler) -> Runs:
    """Of both programs."""
    both = [sampler.runs(egress=egress) for egress in (False, True)]
    return Runs(*map(sum, zip(*both, strict=True)))


def tell(title: str, let_by: Cost, taken: Cost) -> None:
    """Prints a load: where next to nothing was a sample, and at RATE."""
    in_kernel = max(0.0, (taken.each - let_by.each) * taken.runs.run_cnt / max(taken.samples + taken.lost, 1))
    share = (taken.reading + in_kernel * taken.samples / 1e9) / taken.seconds * 100
    print(f"{title}: {taken.packets / taken.seconds / 1e6:.2f} million packets/s on the wire")
    print(f"  let by   {let_by.each:7.0f} ns a run ({let_by.runs.run_cnt:,} runs)")
    print(f"  a sample {in_kernel:7.0f} ns in the kernel ({taken.samples:,} samples, {taken.lost:,} lost)")
    print(f"  reading  {taken.reading / max(taken.samples, 1) * 1e9:7.0f} ns a sample")
    print(f"  samples in all {share:.2f} % of a CPU   ratio {share / CPU_BAR:5.2f} to the bar of {CPU_BAR} %")


def main() -> None:
    """Prints all."""
    with hosts(), ExitStack() as held:
        sampler = held.enter_context(BpfSampler(namespaces.find(NEAR), linger=LINGER))
        owners = Owners(held.enter_context(Holding()))
        held.enter_context(counting_runs())
        for title, words in LOADS:
            tell(title, *(load(sampler, owners, rate, words) for rate in (RAREST, RATE)))


if __name__ == "__main__":
    main()
