# SPDX-License-Identifier: Apache-2.0
"""One in so many packets of a namespace's devices, by packet sockets: where BPF programs may not be loaded.

What cannot be known so: how many packets there were (the pool is the samples, also those that were lost, times the
rate), into how many segments a packet is cut, whose socket it is, and on a router where it goes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import FleutanError, Gone
from fleutan.linux.namespaces import Namespace, entered
from fleutan.linux.packets.devices import ETHERNET as ETHERNET_TYPES
from fleutan.linux.packets.socket import Drawn
from fleutan.linux.sampling import Captured, Sampling
from fleutan.protocols.spans import Ints, Spans
from fleutan.records import Records, concatenate
from fleutan.sources.packets.columns import FCS, INTERNAL, Packets, Tap, Totals, beginnings, vlan_tags

MOST_TROUBLES = 100
#: Octets of both addresses, behind which a VLAN tag stands, and of the tag.
_ADDRESSES, _TAG = 12, 4
#: sll_pkttype of what another host is meant to get.
_OTHER_HOST = 3
#: Whether the namespace passes packets on.
_FORWARDING = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
_NOTES = (
    "pools are samples times their rate: a packet socket does not count what was not drawn",
    "sockets of packets are unknown, and a packet that is cut later is one: it takes BPF",
)


class SocketSampler:
    """The samplers of one network namespace, the caller's own or another, from ``with`` on; as ``BpfSampler``.

    Entering raises NotSupported without CAP_NET_RAW, Gone where the namespace is no more.
    """

    def __init__(self, namespace: Namespace | None = None, header: int = 128) -> None:
        self._namespace, self._header = namespace, header
        self._rates: dict[Tap, int] = {}
        self._drawn: dict[Tap, Drawn] = {}
        self._totals: dict[Tap, Totals] = {}
        self._lost: dict[Tap, int] = {}
        self._left: list[Packets] = []
        self._troubles: dict[Tap, str] = {}

    def __enter__(self) -> Self:
        with self._inside(), Sampling(1):  # which says now what will be missing
            self._forwards = any(_is_on(path) for path in _FORWARDING)
        return self

    def __exit__(self, *_: object) -> None:
        for tap in [*self._drawn]:
            self._close(tap)

    def want(self, rates: Mapping[Tap, int]) -> None:
        """Has these be sampled, one in so many packets each, and no others; to be called again and again."""
        wanted = {tap: rate for tap, rate in rates.items() if rate}
        for tap in [*self._drawn]:
            if tap not in wanted or not self._drawn[tap].is_there():
                self._end(tap)
        self._troubles = {}
        try:
            with self._inside():
                for tap, rate in wanted.items():
                    with self._noted(tap):
                        self._want(tap, rate)
        except Gone as error:
            self._troubles = {tap: str(error) for tap in list(wanted)[:MOST_TROUBLES]}

    def wait(self, seconds: float) -> None:
        """Waits so long: rings have room for more than comes meanwhile, and a batch is cheaper than its samples."""
        time.sleep(seconds)

    def read(self) -> Packets | None:
        """The samples that came since the last call; None where none did."""
        left, self._left = self._left, []
        found = [*left, *(packets for tap in self._drawn if (packets := self._read(tap)) is not None)]
        if not found:
            return None
        return found[0] if len(found) == 1 else together(found)

    def totals(self) -> dict[Tap, Totals]:
        """Of each sampler the packets that its samples stand for, and its samples that were lost."""
        return {tap: self._totals[tap] for tap in self._drawn}

    def notes(self) -> list[str]:
        """What is not sampled, or not known, and why."""
        return [*sorted(set(self._troubles.values())), *_NOTES]

    def _want(self, tap: Tap, rate: int) -> None:
        if tap not in self._drawn:
            drawn = Drawn(tap.ifindex, tap.egress, self._header, rate)
            drawn.__enter__()
            self._drawn[tap], self._totals[tap], self._lost[tap] = drawn, Totals(0, 0), 0
        elif self._rates[tap] != rate:
            self._keep(tap)
            self._drawn[tap].set_rate(rate)
        self._rates[tap] = rate

    @contextmanager
    def _noted(self, tap: Tap) -> Iterator[None]:
        """What is wrong with one does not end the others."""
        try:
            yield
        except FleutanError as error:
            if len(self._troubles) < MOST_TROUBLES:
                self._troubles[tap] = str(error)

    def _end(self, tap: Tap) -> None:
        self._keep(tap)
        self._close(tap)

    def _keep(self, tap: Tap) -> None:
        """What came at the rate until now is told by the next reading."""
        if (packets := self._read(tap)) is not None:
            self._left.append(packets)

    def _close(self, tap: Tap) -> None:
        self._drawn.pop(tap).__exit__()
        del self._totals[tap], self._lost[tap]
        self._rates.pop(tap, None)

    def _read(self, tap: Tap) -> Packets | None:
        drawn, rate = self._drawn[tap], self._rates[tap]
        found, dropped = drawn.read(), drawn.dropped()
        lost, self._lost[tap] = dropped - self._lost[tap], dropped
        before = self._totals[tap]
        many = len(found.at_ns)
        totals = self._totals[tap] = Totals(before.pool + rate * (many + lost), before.drops + lost)
        if not many:
            return None
        packets = of_captured(found, tap, self._forwards)
        each = {"rate": rate, "pool": totals.pool, "drops": totals.drops}
        packets.columns.values.update({name: np.full(packets.rows, value) for name, value in each.items()})
        return packets if packets.rows else None

    def _inside(self) -> AbstractContextManager[None]:
        return entered(self._namespace) if self._namespace else nullcontext()


def of_captured(found: Captured, tap: Tap, forwards: bool) -> Packets:
    """What a packet socket gave of a sampler, but for its rate and totals; ``forwards`` is whether this is a router."""
    ethernet = np.isin(found.hatype, [*ETHERNET_TYPES])
    tagged = ethernet & (found.tag != 0)
    fcs = np.where(ethernet, FCS, 0)
    many = len(found.at_ns)
    here, there = np.full(many, tap.ifindex), np.full(many, 0 if forwards else INTERNAL)
    there[found.pkttype == _OTHER_HOST] = 0
    header = _headers(found, ethernet, tagged)
    columns = {
        "at_ns": found.at_ns,
        "ifindex": found.ifindex,
        "egress": np.full(many, tap.egress),
        "input": there if tap.egress else here,
        "output": here if tap.egress else there,
        "protocol": beginnings(ethernet, found.protocol),
        "length": found.length - np.where(ethernet, 0, found.net - found.mac) + _TAG * tagged + fcs,
        "stripped": fcs,
    }
    packets = Packets(Records(many, columns, {}), header)
    vlan_tags(packets.columns, header, ethernet)
    told = columns["protocol"] != 0
    return packets if told.all() else packets.take(told)


def _headers(found: Captured, ethernet: NDArray[np.bool_], tagged: NDArray[np.bool_]) -> Spans:
    """The octets of each packet, from the link's header on or from the network's, with the tag that stood beside it."""
    size = found.frames.shape[1]
    begin = np.where(ethernet, found.mac, np.minimum(found.net, size))
    kept = np.clip(found.mac + found.kept - begin, 0, size - begin)
    octets = found.frames.reshape(-1)
    starts = np.arange(len(begin)) * size + begin
    rows = np.flatnonzero(tagged & (kept >= _ADDRESSES))
    if not len(rows):
        return Spans(octets, starts, kept)
    whole = np.zeros((len(rows), size + _TAG), np.uint8)
    places = np.minimum(starts[rows, None] + np.arange(size), len(octets) - 1)
    whole[:, :_ADDRESSES] = octets[places[:, :_ADDRESSES]]
    whole[:, _ADDRESSES : _ADDRESSES + _TAG] = _big(found.tag[rows])
    whole[:, _ADDRESSES + _TAG :] = octets[places[:, _ADDRESSES:]]
    starts[rows] = len(octets) + np.arange(len(rows)) * (size + _TAG)
    kept[rows] = np.minimum(kept[rows] + _TAG, found.kept.max())
    return Spans(np.concatenate((octets, whole.reshape(-1))), starts, kept)


def _big(words: Ints) -> NDArray[np.uint8]:
    """Words of four octets in network order, ``(n, 4)``."""
    octets: NDArray[np.uint8] = words.astype(">u4")[:, None].view(np.uint8)
    return octets


def together(parts: list[Packets]) -> Packets:
    """All packets, those of one part after those of another."""
    sizes = np.cumsum([0, *(len(part.header.octets) for part in parts)])
    starts = [part.header.starts + before for part, before in zip(parts, sizes.tolist(), strict=False)]
    header = Spans(
        np.concatenate([part.header.octets for part in parts]),
        np.concatenate(starts),
        np.concatenate([part.header.sizes for part in parts]),
    )
    return Packets(concatenate(part.columns for part in parts), header)


def _is_on(path: str) -> bool:
    try:
        with open(path) as file:
            return file.read().strip() not in ("", "0")
    except OSError:
        return False
