# SPDX-License-Identifier: Apache-2.0
"""Forms of capture files: sampled packets, discarded packets, or the datagrams themselves, as pcap.

Frames stand there as far as they were captured, with their length on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.programs.decoding import Batch
from fleutan.protocols.capture.writing import pcap_header, pcap_records
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.enclosing import enclosed4, enclosed6
from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.sflow import columns as sflow
from fleutan.protocols.sflow.columns import HEADER, HEADER_PROTOCOL
from fleutan.protocols.spans import Ints, joined
from fleutan.sources.exported import DISCARD, SAMPLE, Decoded

#: LINKTYPE_ETHERNET, LINKTYPE_RAW (tcpdump.org).
_ETHERNET, _RAW = 1, 101
#: What stands before an IP header of a sample that has no link header: no addresses, and the EtherType.
_LINKS = {1: b"", 11: bytes(12) + b"\x08\x00", 12: bytes(12) + b"\x86\xdd", 13: bytes(12) + b"\x88\x47"}
#: A packet is not cut: no IP packet is longer.
_WHOLE = 0xFFFF
Mask = NDArray[np.bool_]


class _File:
    """A capture file, whose header is written once."""

    def __init__(self, link_type: int) -> None:
        self._header = [pcap_header(link_type)]

    def head(self) -> Iterator[bytes]:
        """The header, the first time."""
        while self._header:
            yield self._header.pop()

    def end(self) -> Iterator[bytes]:
        """The header, where nothing came."""
        return self.head()


class Samples(_File):
    """The headers of sampled packets as a capture file of Ethernet frames; of discarded ones with ``discards``.

    A sample that begins with its IP header has an Ethernet header without addresses before it; what
    begins with another one than Ethernet, IP or MPLS is left out.
    """

    def __init__(self, discards: bool = False) -> None:
        super().__init__(_ETHERNET)
        self._kind = DISCARD if discards else SAMPLE

    def of(self, batch: Batch) -> Iterator[bytes]:
        """The samples of a batch."""
        yield from self.head()
        walk = batch.found.sflow
        if walk is None:
            return
        packets = (sflow.discards if self._kind == DISCARD else sflow.flows)(walk, (1,))
        if HEADER not in packets.strings:
            return
        values, header = packets.records.values, packets.strings[HEADER]
        rows = header.rows
        some = np.isin(values[HEADER_PROTOCOL][rows], list(_LINKS))
        if (kept := batch.kept_of(self._kind)) is not None:
            some &= kept[rows]
        rows, spans = rows[some], header.spans.take(some)
        links = [_LINKS[kind] for kind in values[HEADER_PROTOCOL][rows].tolist()]
        frames = joined([link + octets for link, octets in zip(links, spans.strings(), strict=True)])
        lengths = values["sampled_header.frame_length"][rows] + np.fromiter(map(len, links), np.int64, len(links))
        at_ns = batch.found.datagrams.at_ns[batch.found.sflow_rows[values["datagram"][rows]]]
        yield pcap_records(frames, np.maximum(lengths, frames.sizes), at_ns)


class Wrapped(_File):
    """The datagrams themselves, in UDP and IP again.

    Where there is a filter those only of which it means a record, and those that tell how others are
    to be read: with templates or option records.
    """

    def __init__(self) -> None:
        super().__init__(_RAW)

    def of(self, batch: Batch) -> Iterator[bytes]:
        """The datagrams of a batch."""
        yield from self.head()
        datagrams, kept = batch.found.datagrams, batch.kept
        if kept is not None:
            places = np.union1d(batch.placed.datagram[kept], _teaching(batch.found))
            datagrams = datagrams.take(places[places >= 0])
        packets = joined(_enclosed(datagrams))
        yield pcap_records(packets, packets.sizes, datagrams.at_ns)


def _teaching(found: Decoded) -> Ints:
    """The rows of datagrams that tell how others are to be read."""
    if found.netflow is None:
        return np.zeros(0, np.int64)
    held = accounts(found.netflow).values
    rows: Ints = found.netflow_rows[(held["templates"] > 0) | (held["options"] > 0)]
    return rows


def _enclosed(datagrams: Datagrams) -> list[bytes]:
    """Each datagram as an IP packet."""
    found = [b""] * datagrams.spans.rows
    four = address.is_ipv4(datagrams.source) & address.is_ipv4(datagrams.destination)
    for rows, enclose in ((np.flatnonzero(four), enclosed4), (np.flatnonzero(~four), enclosed6)):
        some = datagrams.take(rows)
        ends: tuple[Ints, Ints, Ints, Ints] = (some.source, some.sport, some.destination, some.dport)
        made = enclose(some.spans, ends, _WHOLE, 0)
        headers = made.headers.tobytes()
        width = made.headers.shape[1]
        strings = some.spans.strings()
        for place, (row, size) in enumerate(zip(rows.tolist(), made.header_sizes.tolist(), strict=True)):
            found[row] = headers[place * width : place * width + size] + strings[place]
    return found
