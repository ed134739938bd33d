# SPDX-License-Identifier: Apache-2.0
"""One in so many packets of a namespace's devices, by BPF: who is sampled how, and what came since the last look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from fleutan.errors import FleutanError, Gone
from fleutan.linux.capabilities import LIBBPF
from fleutan.linux.libbpf import Runs
from fleutan.linux.namespaces import Namespace, entered
from fleutan.linux.packets import devices, records
from fleutan.linux.packets.bpf import Taps
from fleutan.sources.packets.columns import Packets, Tap, Totals, of_records

#: Bounds of reasons that are kept, and of sources whose sockets are given cookies again, in seconds.
MOST_TROUBLES, RENUMBER = 100, 1.0


class BpfSampler:
    """The samplers of one network namespace, the caller's own or another, from ``with`` on.

    ``header`` octets of each packet are kept, 256 at most.  Few samples wait for more, ``linger`` seconds at most:
    a reading costs as much as some hundred samples in it.  Entering raises NotSupported with the reason,
    Gone where the namespace is no more.  What is wrong with one device is said in ``notes``, and the others go on.
    """

    def __init__(
        self,
        namespace: Namespace | None = None,
        header: int = 128,
        linger: float = 0.0,
        library: str = LIBBPF,
        wall_ns: Callable[[], int] = lambda: time.time_ns() - time.monotonic_ns(),
        *,
        tcx: bool = True,
    ) -> None:
        self._namespace, self._linger, self._wall_ns = namespace, linger, wall_ns
        self._read_at = float("-inf")
        self._taps = Taps(header, library=library, tcx=tcx)
        self._rates: dict[Tap, int] = {}
        self._troubles: dict[Tap, str] = {}
        self._left: dict[Tap, Totals] = {}
        self.untold = 0
        self._numbered = float("-inf")

    def __enter__(self) -> Self:
        with self._inside():
            self._taps.__enter__()
            self._number(time.monotonic())
        return self

    def __exit__(self, *trouble: object) -> None:
        try:
            with self._inside():
                self._taps.__exit__(*trouble)
        except Gone:  # with all that was attached there
            self._taps.__exit__(*trouble)

    @property
    def way(self) -> str:
        """How the programs are attached: ``tcx``, or ``clsact`` where that is not (before Linux 6.6)."""
        return self._taps.way

    def want(self, rates: Mapping[Tap, int]) -> None:
        """Has these be sampled, one in so many packets each, and no others; to be called again and again.

        What vanished meanwhile is not sampled any more, and what came back is again.
        """
        try:
            with self._inside():
                self._want({tap: rate for tap, rate in rates.items() if rate})
        except Gone as error:
            for tap in [*self._rates]:
                self._end(tap)
            self._troubles = {tap: str(error) for tap in list(rates)[:MOST_TROUBLES]}

    def wait(self, seconds: float) -> None:
        """Waits so long at most, or until samples are about to find no room."""
        self._taps.ring.wait(seconds)

    def read(self) -> Packets | None:
        """The samples that came since the last call; None where none did."""
        now, ring = time.monotonic(), self._taps.ring
        if now - self._read_at < self._linger and ring.waiting < ring.room // 2:
            return None
        self._read_at = now
        octets = self._taps.read()
        left, self._left = self._left, {}
        if not len(octets):
            return None
        found = records.parse(octets, self._taps.room, self._wall_ns())
        totals = {tap: self._counted(tap) for tap in self._rates}
        packets, untold = of_records(found, octets, {**left, **totals})
        self.untold += untold
        self._number_more(packets)
        return packets if packets.rows else None

    def totals(self) -> dict[Tap, Totals]:
        """Of each sampler the packets it saw so far, and its samples that were lost."""
        return {tap: self._counted(tap) for tap in self._rates}

    def runs(self, *, egress: bool) -> Runs:
        """What a program cost so far, where the kernel counts it (``libbpf.counting_runs``)."""
        return self._taps.runs(egress=egress)

    def notes(self) -> list[str]:
        """What is not sampled, or not told, and why."""
        said = sorted(set(self._troubles.values()))
        if self.untold:
            said.append(f"{self.untold} samples began with what sFlow has no number for")
        return said

    def _want(self, rates: Mapping[Tap, int]) -> None:
        for tap in [*self._rates]:
            if tap not in rates or not self._taps.is_tapped(tap.ifindex, egress=tap.egress):
                self._end(tap)
        self._troubles = {}
        fresh = {tap for tap in rates if tap not in self._rates}
        kinds = devices.types() if fresh else {}
        for tap, rate in rates.items():
            with self._noted(tap):
                if tap in fresh:
                    self._begin(tap, kinds)
                if self._rates[tap] != rate:
                    self._taps.set_rate(tap.ifindex, egress=tap.egress, one_in=rate)
                    self._rates[tap] = rate

    @contextmanager
    def _noted(self, tap: Tap) -> Iterator[None]:
        """What is wrong with one does not end the others."""
        try:
            yield
        except FleutanError as error:
            if len(self._troubles) < MOST_TROUBLES:
                self._troubles[tap] = str(error)

    def _begin(self, tap: Tap, kinds: Mapping[int, int]) -> None:
        if tap.ifindex not in kinds:
            raise Gone(f"there is no device {tap.ifindex} (any more)")
        self._taps.tap(tap.ifindex, egress=tap.egress, ethernet=kinds[tap.ifindex] in devices.ETHERNET)
        self._rates[tap] = 0

    def _end(self, tap: Tap) -> None:
        """What still waits of its samples is told by the next reading."""
        self._left[tap] = self._counted(tap)
        self._taps.untap(tap.ifindex, egress=tap.egress)
        del self._rates[tap]

    def _counted(self, tap: Tap) -> Totals:
        counted = self._taps.counted(tap.ifindex, egress=tap.egress)
        return Totals(counted.packets, counted.lost)

    def _number_more(self, packets: Packets) -> None:
        """Where a socket had no cookie yet, all are given theirs, once a second at most."""
        now = time.monotonic()
        lacks = packets.columns.values["is_own"] & ~packets.known("cookie")
        if now - self._numbered >= RENUMBER and lacks.any():
            with self._noted(Tap(0, egress=False)), self._inside():
                self._number(now)

    def _number(self, now: float) -> None:
        self._numbered = now
        self._taps.number_sockets()

    def _inside(self) -> AbstractContextManager[None]:
        return entered(self._namespace) if self._namespace else nullcontext()
