# SPDX-License-Identifier: Apache-2.0
"""Sampled packets go out as flow records of IPFIX and NetFlow 9, over UDP, waiting for nobody.

Packets and octets are multiplied by the sampling rate, and no rate is told beside them: collectors as they come
take counts for what there was (nfacctd multiplies only where it is configured to, nfcapd only by what option
data says), and devices may have rates of their own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from fleutan.exports.conversion import NO_ADDRESSES, NO_TEMPLATE, REFRESH_NS, for_netflow
from fleutan.observed import Counters
from fleutan.programs.agent.outputs.flowtable import LABELS, TEXTS, FlowTable
from fleutan.protocols.netflow.encoding import MTU, Sender, encode
from fleutan.protocols.netflow.shapes import LONGEST, Moment
from fleutan.protocols.sflow.batches import Sampled
from fleutan.records import Records, Values, fill, take
from fleutan.sources.collectors import Account, Collector, Collectors
from fleutan.sources.packets.columns import INTERNAL
from fleutan.sources.packetsamples import NAMES
from fleutan.sources.sampled import with_headers

#: What is written, by its version.
FORMS = {9: "NetFlow 9", 10: "IPFIX"}
#: Templates are sent again after so many seconds (RFC 7011, 8.4).
REFRESH = REFRESH_NS / 10**9
#: What sFlow's structures write for a number that is not known.
_NONE = 0xFFFF_FFFF


@dataclass
class Exporter:
    """What holds for as long as an exporter runs, whatever else is changed: templates, numbers, and its start.

    ``told`` are the flow records that were sent, ``refused`` packets and flows that were not, by the reason.
    """

    sender: Sender
    began: float = field(default_factory=time.monotonic)
    told: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class FlowRecords:
    """An outlet that adds packets up to flows, and sends those that are over, or go on for ``active`` seconds.

    ``version`` is 9 or 10 (IPFIX); a flow is over when ``idle`` seconds brought no packet.
    """

    def __init__(
        self,
        version: int,
        collectors: Sequence[Collector],
        active: float = 60.0,
        idle: float = 15.0,
        *,
        exporter: Exporter | None = None,
        mtu: int = MTU,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.form = FORMS[version]
        self.collectors = Collectors(collectors)
        self.exporter = exporter or Exporter(Sender(version, 0))
        self._table = FlowTable(active, idle)
        self._mtu, self._clock_ns = mtu, clock_ns
        self._told_templates = float("-inf")
        self._open: list[bool] = []
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(self.collectors)
        return self

    def __exit__(self, *trouble: object) -> None:
        with self._held:
            self._send(self._table.rest(), time.monotonic())
            self.collectors.drain(time.monotonic())

    def counters(self, found: Sequence[Counters], at_ns: int) -> None:
        """Has no place for counters."""

    def packets(self, sampled: Sampled, now: float) -> None:
        """Takes sampled packets at a time of the monotonic clock, in seconds."""
        found = packets_of(sampled, self._clock_ns())
        self._refuse(NO_ADDRESSES, sampled.header.rows - found.rows)
        for early in self._table.add(found, now):
            self._send(early, now)

    def tick(self, now: float) -> None:
        """Sends the flows that are due, and templates: now and then, and to those that can be reached again."""
        self.collectors.tick(now)
        before, self._open = self._open, [not one.trouble for one in self.collectors.accounts()]
        new = [one and not (before and before[place]) for place, one in enumerate(self._open)]
        refresh = any(new) or now - self._told_templates >= REFRESH
        self._send(self._table.due(now), now, refresh)

    def accounts(self) -> list[Account]:
        """What went to each collector."""
        return self.collectors.accounts()

    def _send(self, flows: Records, now: float, refresh: bool = False) -> None:
        moment = Moment(self._clock_ns(), int((now - self.exporter.began) * 1000))
        made = encode(self.exporter.sender, _sound(flows), moment, self._mtu, refresh)
        if refresh:
            self._told_templates = now
        self.exporter.told += flows.rows - made.unsent
        self._refuse(NO_TEMPLATE, made.unsent)
        for name, many in made.saturated.items():
            self._refuse(f"{name} larger than its field", many)
        if made.datagrams:
            self.collectors.spread(made.datagrams, now)

    def _refuse(self, reason: str, many: int) -> None:
        if many:
            self.exporter.refused[f"{self.form}: {reason}"] += many


def packets_of(found: Sampled, now_ns: int) -> Records:
    """Sampled packets of IP as columns of flows (``protocols.netflow.flows``), each with what it stands for."""
    numbers = Records(found.header.rows, {}, {})
    everything = np.arange(numbers.rows)
    for name in (*LABELS, *TEXTS):
        if name in found.known.values:
            fill(numbers, name, found.known.values[name], found.known.known.get(name))
    if "at_ns" in found.known.values:
        fill(numbers, "end", found.known.values["at_ns"], found.known.values["at_ns"] > 0)
    fill(numbers, "end", np.full(numbers.rows, now_ns))
    fill(numbers, "packets", np.ones(numbers.rows, np.int64))
    fill(numbers, "bytes", found.length)
    fill(numbers, "sampling_rate", found.head["sampling_rate"])
    _interfaces(found, numbers)
    for one in found.structures:
        for name, values in one.columns.items():
            if (ours := NAMES.get(f"{one.name}.{name}")) is not None and ours != "end":
                fill(numbers, ours or name, values, values != _NONE, np.flatnonzero(one.rows))
    with_headers(numbers, everything, found.header, found.protocol)
    of_ip = np.full(numbers.rows, "src" in numbers.values) & numbers.known.get("src", np.True_)
    flows = for_netflow(take(numbers, of_ip), 10, scale=True)
    if "tcp_flags" in flows.values:
        flows.known["tcp_flags"] = flows.known.get("tcp_flags", np.True_) & (flows.values["proto"] == 6)
    return flows


def _interfaces(found: Sampled, numbers: Records) -> None:
    """Interfaces as far as they are any, and on which side of the device that sampled."""
    source = found.head["ds_index"]
    ends = {name: found.head[f"{end}_value"] for name, end in (("in_if", "input"), ("out_if", "output"))}
    for name, values in ends.items():
        fill(numbers, name, values, (values > 0) & (values < INTERNAL))
    if "egress" in found.known.values:
        fill(numbers, "direction", found.known.values["egress"].astype(np.int64))
    else:
        came, went = (values == source for values in ends.values())
        fill(numbers, "direction", went.astype(np.int64), came != went)


def _sound(flows: Records) -> Records:
    """With texts in UTF-8, as they have to be (RFC 7011, 6.1.6)."""
    values = {name: _texts(column) if name in TEXTS else column for name, column in flows.values.items()}
    return Records(flows.rows, values, flows.known)


def _texts(values: Values) -> Values:
    each, place = np.unique(values, return_inverse=True)
    return np.array([*map(_utf8, each.tolist()), b""], bytes)[place]


def _utf8(text: bytes) -> bytes:
    return text.decode("utf-8", "replace").encode()[:LONGEST].decode("utf-8", "ignore").encode()


def refused(outlets: Iterable[FlowRecords]) -> dict[str, int]:
    """What none of them could tell, by the reason."""
    return {reason: many for one in outlets for reason, many in one.exporter.refused.items()}
