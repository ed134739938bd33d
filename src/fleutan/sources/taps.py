# SPDX-License-Identifier: Apache-2.0
"""Sampled packets of devices by packet sockets, a socket a device, as an agent tells them.

What a packet socket cannot know is how many packets there were: the device's own counters say it.
They are read with each batch, and its packets lie evenly between two readings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux.sampling import OUTGOING, Captured, Sampling
from fleutan.protocols.sflow.batches import Sampled, Structure
from fleutan.protocols.spans import Ints
from fleutan.sources.tapped import ETHERNET, IP, headers_of

#: A packet that is for this host, or comes from it (sFlow Version 5, section 5, ``interface_expanded``).
INTERNAL = 0x3FFF_FFFF
#: What this way of sampling is called, and the room for samples of a device in octets.
SOURCE, ROOM = "socket", 1 << 20
_WORD = 0xFFFF_FFFF
_HOST = 0  # PACKET_HOST
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_IPV4, _IPV6 = 0x0800, 0x86DD
_FCS = 4


class Wanted(NamedTuple):
    """A device of which one packet in ``one_in`` is sampled."""

    name: str
    one_in: int


#: How many packets devices have carried both ways so far, by their number.
Carried = Callable[[list[int]], Mapping[int, int]]


class Taps:
    """The devices whose packets are sampled; ``open`` are those that are, each a source of packets for an agent."""

    def __init__(self, header: int, carried: Carried, sampling: Callable[..., Sampling] = Sampling) -> None:
        self._header, self._carried, self._sampling = header, carried, sampling
        self.open: list[Tap] = []
        self._troubles: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        for tap in self.open:
            tap.close()
        self.open.clear()

    def want(self, wanted: Mapping[int, Wanted]) -> None:
        """Samples these devices, by their number, from now on; those that are sampled so already go on.

        Raises NotSupported without CAP_NET_RAW.
        """
        held = {tap.ifindex: tap for tap in self.open}
        for ifindex, tap in held.items():
            if wanted.get(ifindex) != tap.wanted:
                tap.close()
                self.open.remove(tap)
        self._troubles = {}
        for ifindex, one in wanted.items():
            if held.get(ifindex) not in self.open:
                self._begin(ifindex, one)

    def _begin(self, ifindex: int, one: Wanted) -> None:
        tap = Tap(ifindex, one, self._sampling(self._header, one.one_in, ROOM, one.name), self._carried)
        try:
            self.open.append(tap.opened())
        except NotSupported:
            raise
        except (FleutanError, OSError) as error:  # it went away meanwhile
            self._troubles[ifindex] = str(error)

    def notes(self) -> list[str]:
        """Which devices cannot be sampled, and why."""
        return [*self._troubles.values()]


class Tap:
    """The sampler of one device."""

    def __init__(self, ifindex: int, wanted: Wanted, sampling: Sampling, carried: Carried) -> None:
        self.ifindex, self.wanted = ifindex, wanted
        self._sampling, self._carried = sampling, carried
        self._held = ExitStack()
        self._began = self._pool = 0
        self.drops = 0

    def opened(self) -> Self:
        """Begins.  Raises what ``Sampling`` does."""
        self._held.enter_context(self._sampling)
        self._began = self._count() or 0
        return self

    def close(self) -> None:
        """Ends."""
        self._held.close()

    def wait(self, seconds: float) -> None:
        """Waits so long: packets are looked for now and then, not each by itself."""
        time.sleep(seconds)

    def batch(self, _: float) -> Sampled | None:
        """What came since the last time."""
        found = self._sampling.read()
        if not len(found.ifindex):
            return None
        types, rows = _kinds(found)
        if not len(rows):
            return None
        self.drops = self._sampling.dropped()
        headers = headers_of(found, rows, types)
        ethernet = types == ETHERNET
        n, known = len(rows), found.at_ns[rows] > 0
        whole = np.ones(n, np.bool_)
        return Sampled(
            self._head(found.pkttype[rows], n),
            np.where(ethernet, 1, np.where(found.protocol[rows] == _IPV4, 11, 12)),
            np.minimum(found.length[rows] + ethernet * _FCS, _WORD),
            ethernet * _FCS,
            headers,
            (Structure("extended_timestamp", whole & known, {"nanoseconds": found.at_ns[rows][known]}),),
        )

    def _head(self, pkttype: Ints, n: int) -> dict[str, Ints]:
        sent, mine = pkttype == OUTGOING, pkttype == _HOST
        before, now = self._pool, self._counted(n)
        self._pool = now
        pool = before + (np.arange(1, n + 1) * (now - before)) // n
        own = np.full(n, self.ifindex)
        named = {"ds_class": 0, "ds_index": self.ifindex, "sampling_rate": self.wanted.one_in, "drops": self.drops}
        columns = {name: np.full(n, value & _WORD) for name, value in named.items()}
        zeros = np.zeros(n, np.int64)
        return columns | {
            "sample_pool": pool & _WORD,
            "input_format": zeros,
            "input_value": np.where(sent, INTERNAL, own),
            "output_format": zeros,
            "output_value": np.where(sent, own, np.where(mine, INTERNAL, 0)),
        }

    def _counted(self, samples: int) -> int:
        """Packets since it began: at least those that there are, whatever the device counts."""
        count = self._count()
        least = self._pool + samples
        return least if count is None else max(least, count - self._began)

    def _count(self) -> int | None:
        try:
            return self._carried([self.ifindex]).get(self.ifindex)
        except (FleutanError, OSError):
            return None


def _kinds(found: Captured) -> tuple[Ints, Ints]:
    """Of the packets that sFlow has a number for the kind of their link, and which they are."""
    ethernet = np.isin(found.hatype, (_ARPHRD_ETHER, _ARPHRD_LOOPBACK))
    rows = np.flatnonzero(ethernet | np.isin(found.protocol, (_IPV4, _IPV6)))
    return np.where(ethernet[rows], ETHERNET, IP), rows
