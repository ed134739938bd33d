# SPDX-License-Identifier: Apache-2.0
"""Flow columns as datagrams of NetFlow version 9 and IPFIX.

What lives here puts records, whose octets ``shapes`` makes, and their templates into datagrams.  It
sends nothing and knows no clock: the caller says the time and when templates are due.

RFC 3954 5 (version 9), RFC 7011 3 (IPFIX).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.netflow.shapes import Moment, Shape, Specifier, shapes, spans, written
from fleutan.protocols.netflow.wire.templates import FIRST_NUMBER
from fleutan.protocols.spans import Spans
from fleutan.records import Records

Ints = NDArray[np.int64]

#: Templates of one sender; rows of further shapes are not sent, and counted.
SHAPES = 1_024
#: Octets of a datagram: what Ethernet carries, less IPv6, UDP and a tunnel.
MTU = 1_400

_HEADER_9, _HEADER_10 = Struct("!HHIIII"), Struct("!HHIII")
_PAIR = Struct("!HH")


class Sender:
    """What an exporter remembers from one call to the next: its sequence number and its templates.

    ``version`` is 9 or 10, ``domain`` the source id or observation domain, ``sequence`` the number
    that the next datagram has, ``shapes`` the template number of each shape so far.
    """

    def __init__(self, version: int, domain: int, sequence: int = 0) -> None:
        self.version = version
        self.domain = domain
        self.sequence = sequence
        self.shapes: dict[Shape, int] = {}


class Encoded(NamedTuple):
    """Datagrams in the order to send them.

    ``saturated`` counts by column the values that are larger than their field, and were written as
    the largest it holds; ``unsent`` the flows that could not be written.
    """

    datagrams: list[bytes]
    saturated: dict[str, int]
    unsent: int


def encode(sender: Sender, flows: Records, moment: Moment, mtu: int = MTU, refresh: bool = False) -> Encoded:
    """These flows (columns as ``flows.flows`` returns them) as datagrams of at most ``mtu`` octets.

    Templates go before the first flow of their shape, and all of them first if ``refresh`` says that
    they are due (RFC 7011, 8.4: over UDP every so often).
    """
    saturated: dict[str, int] = {}
    unsent = 0
    shaped, new = [], []
    for shape, rows in shapes(flows, sender.version):
        if shape not in sender.shapes:
            if not shape or len(sender.shapes) >= SHAPES:
                unsent += len(rows)
                continue
            sender.shapes[shape] = FIRST_NUMBER + len(sender.shapes)
            new.append(shape)
        shaped.append((shape, rows))
    due = list(sender.shapes) if refresh else new
    datagrams = list(_templates(sender, due, moment, mtu))
    for shape, rows in shaped:
        octets = written(flows, shape, rows, sender.version, moment, saturated)
        datagrams += _data(sender, sender.shapes[shape], spans(octets, shape), moment, mtu)
    return Encoded(datagrams, saturated, unsent)


def _templates(sender: Sender, shapes: list[Shape], moment: Moment, mtu: int) -> Iterator[bytes]:
    """Datagrams of templates, as many in each as fit."""
    held: list[bytes] = []
    for shape in shapes:
        one = _PAIR.pack(sender.shapes[shape], len(shape)) + b"".join(map(_packed, shape))
        if held and sum(map(len, held)) + len(one) > mtu - _HEADER_9.size - _PAIR.size:
            yield _datagram(sender, _set(sender, None, b"".join(held)), moment, len(held), 0)
            held = []
        held.append(one)
    if held:
        yield _datagram(sender, _set(sender, None, b"".join(held)), moment, len(held), 0)


def _packed(one: Specifier) -> bytes:
    if one.enterprise:
        return _PAIR.pack(one.element | 0x8000, one.size) + one.enterprise.to_bytes(4)
    return _PAIR.pack(one.element, one.size)


def _data(sender: Sender, number: int, records: Spans, moment: Moment, mtu: int) -> Iterator[bytes]:
    """Datagrams of records, which lie one behind the other, each as full as it gets; at least one record in each."""
    room, ends = mtu - _HEADER_9.size - _PAIR.size - 3, records.starts + records.sizes
    first = 0
    while first < records.rows:
        start = int(records.starts[first])
        last = max(int(np.searchsorted(ends, start + room, "right")), first + 1)
        content = records.octets[start : int(ends[last - 1])].tobytes()
        yield _datagram(sender, _set(sender, number, content), moment, last - first, last - first)
        first = last


def _set(sender: Sender, number: int | None, content: bytes) -> bytes:
    """A set of data, or (None) of templates, filled up to four octets in version 9 (RFC 3954, 5.3)."""
    padding = -len(content) % 4 if sender.version == 9 else 0
    kind = number if number is not None else 0 if sender.version == 9 else 2
    return _PAIR.pack(kind, _PAIR.size + len(content) + padding) + content + bytes(padding)


def _datagram(sender: Sender, content: bytes, moment: Moment, count: int, records: int) -> bytes:
    """With the header; version 9 numbers datagrams, IPFIX counts the data records before."""
    seconds = moment.now_ns // 10**9 & 0xFFFF_FFFF
    if sender.version == 9:
        uptime = moment.uptime_ms & 0xFFFF_FFFF
        header = _HEADER_9.pack(9, count, uptime, seconds, sender.sequence, sender.domain)
        records = 1
    else:
        header = _HEADER_10.pack(10, _HEADER_10.size + len(content), seconds, sender.sequence, sender.domain)
    sender.sequence = (sender.sequence + records) & 0xFFFF_FFFF
    return header + content
