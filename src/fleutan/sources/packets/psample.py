# SPDX-License-Identifier: Apache-2.0
"""Samples of psample's groups: one for packets that come in, the next one for packets that go out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import UsageError
from fleutan.linux.packets.psample import Psample, Sampled
from fleutan.protocols.spans import Ints, Spans, number
from fleutan.sources.packets.kernel_samples import ETHERNET, FCS, IPV4, IPV6, Account, KernelSamples, cut, notes

#: Where an EtherType stands in a frame; below this number it is a length instead.
_TYPE_AT, _LEAST_TYPE = 12, 0x0600
_VLANS = (0x8100, 0x88A8)
_TYPES = {0x0800: (4, IPV4), 0x86DD: (6, IPV6)}


class Groups(NamedTuple):
    """Which of psample's groups are for samples of packets that come in (``group``) and go out (the next one)."""

    group: int = 1
    ingress: bool = True
    egress: bool = False


class PsampleSource:
    """Packets sampled by psample, from ``with`` on, which raises NotSupported where the kernel has none.

    ``wanted`` says for an ifIndex that one in so many is to be told (``Account``), ``header`` how many octets of each.
    """

    def __init__(
        self,
        groups: Groups = Groups(),  # noqa: B008  # is never changed
        wanted: Callable[[int], int] = lambda _: 1,
        header: int = 128,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if not 1 <= groups.group < (1 << 32) - 1:
            raise UsageError(f"psample has no group {groups.group}; 1 and more are")
        self._groups, self._header, self._now_ns = groups, header, now_ns
        self._kernel = Psample()
        self._account = Account(wanted)

    def __enter__(self) -> Self:
        self._kernel.__enter__()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._kernel.__exit__(*trouble)

    def wait(self, seconds: float) -> None:
        """Waits until there are samples, or so long."""
        self._kernel.listener.wait(seconds)

    def read(self) -> KernelSamples | None:
        """What came since the last call, or a part of it; None where nothing waits.  Raises FleutanError."""
        found = self._kernel.read()
        return None if found is None else samples_of(found, self._groups, self._account, self._header, self._now_ns())

    def notes(self) -> list[str]:
        """What cannot be known, and why."""
        return notes(self._kernel.listener.what, self._kernel.listener.overruns, self._kernel.listener.broken)


def samples_of(found: Sampled, groups: Groups, account: Account, header: int, now_ns: int) -> KernelSamples:
    """The samples of these groups as columns; ``now_ns`` (UTC) is when those came that have no time of their own."""
    wanted = [groups.group] * groups.ingress + [groups.group + 1] * groups.egress
    found = found.take(np.isin(found.group, wanted))
    egress = found.group != groups.group
    ifindex = np.where(egress, found.output, found.input)
    kept = account.keep(ifindex, found.group, found.sequence, found.rate)
    found, egress = found.take(kept.rows), egress[kept.rows]
    protocol = _protocols(found)
    fcs = np.where(protocol == ETHERNET, FCS, 0)
    return KernelSamples(
        np.where(found.at_ns >= 0, found.at_ns, now_ns),
        ifindex[kept.rows],
        egress,
        kept.rate,
        kept.pool,
        kept.drops,
        found.input,
        found.output,
        protocol,
        found.length + fcs,
        fcs,
        cut(Spans(found.octets, found.starts, found.sizes), header),
        found.queue,
        found.depth,
        found.latency,
    )


def _protocols(found: Sampled) -> Ints:
    """How packets begin: without an Ethernet header where the device has none (a tunnel, PPP).

    An IP packet's first octets could be a frame's: so the EtherType that the kernel tells has to stand where a
    frame has it.
    """
    protocols = np.full(len(found.starts), ETHERNET)
    octets = found.octets
    inside = number(octets, found.starts + _TYPE_AT, 2)
    framed = (inside == found.protocol) | np.isin(inside, _VLANS) | (inside < _LEAST_TYPE)
    version = number(octets, found.starts, 1) >> 4
    for ethertype, (wanted, protocol) in _TYPES.items():
        bare = (found.protocol == ethertype) & ~framed & (version == wanted)
        protocols[bare & (found.sizes > 0)] = protocol
    return protocols
