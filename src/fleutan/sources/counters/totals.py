# SPDX-License-Identifier: Apache-2.0
"""What the host as a whole received and sent, each packet counted once, since it started."""

from __future__ import annotations

from fleutan.errors import FleutanError
from fleutan.linux.linkstats import Stats
from fleutan.sources.counters.devices import Devices, counting_once

#: Fields of host_net_io, and the kernel's counters that make them; drops as in /proc/net/dev.
_FIELDS = {
    "bytes_in": ("rx_bytes",),
    "pkts_in": ("rx_packets",),
    "errs_in": ("rx_errors",),
    "drops_in": ("rx_dropped", "rx_missed_errors"),
    "bytes_out": ("tx_bytes",),
    "packets_out": ("tx_packets",),
    "errs_out": ("tx_errors",),
    "drops_out": ("tx_dropped",),
}
_Counts = tuple[int, ...]


class Totals:
    """The sum over the interfaces that count once.

    What an interface counted stays in the sum when it is unplugged, or reset: a total never falls.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._last: dict[tuple[int, str], _Counts] = {}
        self._gone: _Counts = (0,) * len(_FIELDS)
        self._trouble: list[str] = []

    def read(self) -> dict[str, int | None]:
        """The fields of host_net_io; None where the kernel does not tell, or no interface is known."""
        counting = {one.ifindex: (one.ifindex, one.name) for one in counting_once(self._devices.table(1.0))}
        try:
            stats = self._devices.stats(counting)
        except (FleutanError, OSError) as error:
            self._trouble = [f"host_net_io: {error}"]
            return dict.fromkeys(_FIELDS)
        self._trouble = []
        now = {counting[index]: _counts(one) for index, one in stats.items() if index in counting}
        for interface, before in self._last.items():
            if interface not in now or now[interface][0] < before[0]:
                self._gone = _added(self._gone, before)
        self._last = now
        if not now and not any(self._gone):
            return dict.fromkeys(_FIELDS)
        sums = self._gone
        for counts in now.values():
            sums = _added(sums, counts)
        return dict(zip(_FIELDS, sums, strict=True))

    def notes(self) -> list[str]:
        """What cannot be known and why."""
        return self._trouble


def _counts(stats: Stats) -> _Counts:
    return tuple(sum(getattr(stats, name) for name in names) for names in _FIELDS.values())


def _added(one: _Counts, other: _Counts) -> _Counts:
    return tuple(first + second for first, second in zip(one, other, strict=True))
