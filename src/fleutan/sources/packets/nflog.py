# SPDX-License-Identifier: Apache-2.0
"""Samples that a firewall's rule logs: with what probability it does, only its writer knows, and says here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

import numpy as np

from fleutan.errors import UsageError
from fleutan.linux.packets.nflog import HEADER, INPUT, OUTPUT, Logged, Nflog
from fleutan.protocols.spans import Ints, Spans, number, packed
from fleutan.sources.packets.kernel_samples import ETHERNET, FCS, INTERNAL, IPV4, IPV6, Account, KernelSamples, notes

#: NFPROTO_IPV4, NFPROTO_INET and NFPROTO_IPV6 (include/uapi/linux/netfilter.h), whose hooks say who a packet is for.
_ROUTED = (1, 2, 10)
_IPV4, _IPV6 = 0x0800, 0x86DD


class NflogSource:
    """Packets that rules log to ``group`` with this probability, from ``with`` on, which raises NotSupported.

    ``wanted`` says for an ifIndex that one in so many is to be told (``Account``), ``header`` how many octets of each.
    Making one raises UsageError for a group or a probability that cannot be.
    """

    def __init__(
        self,
        group: int,
        probability: float,
        wanted: Callable[[int], int] = lambda _: 1,
        header: int = 128,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if not 0 < probability <= 1:
            raise UsageError(f"{probability:g} is no probability of a packet being logged; say more than 0, at most 1")
        self._kernel = Nflog(group, header)
        self._account, self._header, self._now_ns = Account(wanted), header, now_ns
        self._rate = round(1 / probability)

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
        return None if found is None else samples_of(found, self._rate, self._account, self._header, self._now_ns())

    def notes(self) -> list[str]:
        """What cannot be known, and why."""
        return notes(self._kernel.what, self._kernel.listener.overruns, self._kernel.listener.broken)


def samples_of(found: Logged, rate: int, account: Account, header: int, now_ns: int) -> KernelSamples:
    """Logged packets as columns; ``now_ns`` (UTC) is when those came that have no time of their own.

    How long a packet is, only its own IP header tells; of others no more is known than what was logged.
    """
    egress = found.input == 0
    ifindex = np.where(egress, found.output, found.input)
    one = np.ones(len(ifindex), np.int64)
    kept = account.keep(ifindex, 0 * one, found.sequence, rate * one)
    # Of what is no IP and has no frame around it sFlow cannot say how it begins.
    sayable = (found.link >= 0) | np.isin(found.protocol, (_IPV4, _IPV6))
    kept = kept.only(sayable[kept.rows])
    found, egress = found.take(kept.rows), egress[kept.rows]
    framed = found.link >= 0
    fcs = np.where(framed, FCS, 0)
    unknown = np.full(len(fcs), -1)
    return KernelSamples(
        np.where(found.at_ns, found.at_ns, now_ns),
        ifindex[kept.rows],
        egress,
        kept.rate,
        kept.pool,
        kept.drops,
        *_ways(found),
        np.where(framed, ETHERNET, np.where(found.protocol == _IPV6, IPV6, IPV4)),
        _lengths(found) + np.where(framed, HEADER, 0) + fcs,
        fcs,
        _headers(found, header),
        unknown,
        unknown,
        unknown,
    )


def _ways(found: Logged) -> tuple[Ints, Ints]:
    """Where packets came in and where they go, by the hook that they were logged at."""
    routed = np.isin(found.family, _ROUTED)
    came = np.where(routed & (found.hook == OUTPUT), INTERNAL, found.input)
    goes = np.where(routed & (found.hook == INPUT), INTERNAL, found.output)
    return came, goes


def _lengths(found: Logged) -> Ints:
    """Octets from the network header on."""
    four, six = (number(found.octets, found.starts + place, 2) for place in (2, 4))
    is_four = (found.protocol == _IPV4) & (found.sizes >= 20)
    is_six = (found.protocol == _IPV6) & (found.sizes >= 40)
    told = np.where(is_four, four, np.where(is_six, six + 40, 0))
    return np.maximum(told, found.sizes)


def _headers(found: Logged, most: int) -> Spans:
    """The first octets of each packet, with the Ethernet header before them where it is known."""
    links = np.where(found.link >= 0, min(HEADER, most), 0)
    starts = np.stack((np.maximum(found.link, 0), found.starts), axis=1).reshape(-1)
    sizes = np.stack((links, np.minimum(found.sizes, most - links)), axis=1)
    together = sizes.sum(axis=1)
    octets = packed(Spans(found.octets, starts, sizes.reshape(-1)))
    return Spans(octets.copy(), np.cumsum(together) - together, together)
