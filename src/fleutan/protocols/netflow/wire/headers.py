# SPDX-License-Identifier: Apache-2.0
"""The headers of datagrams, by version, and which datagrams are none of NetFlow's.

Cisco, "NetFlow Export Datagram Formats" (versions 1, 5, 7), RFC 3954 5.1 (9), RFC 7011 3.1 (10).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.fixed import LAYOUTS
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.spans import number

Ints = NDArray[np.int64]

VERSIONS = (1, 5, 7, 9, 10)
SIZES = {1: 16, 5: 24, 7: 24, 9: 20, 10: 16}
IPFIX = 10
_SIZES = np.zeros(max(VERSIONS) + 1, np.int64)
_SIZES[list(SIZES)] = list(SIZES.values())
_SECOND, _MILLISECOND = 1_000_000_000, 1_000_000

#: Where fields stand: first octet and size.  ``counted`` is the length in octets in IPFIX.
_PLACES: dict[str, dict[int, tuple[int, int]]] = {
    "counted": dict.fromkeys(VERSIONS, (2, 2)),
    "uptime_ms": {1: (4, 4), 5: (4, 4), 7: (4, 4), 9: (4, 4)},
    "seconds": {1: (8, 4), 5: (8, 4), 7: (8, 4), 9: (8, 4), 10: (4, 4)},
    "nanoseconds": {1: (12, 4), 5: (12, 4), 7: (12, 4)},
    "sequence": {5: (16, 4), 7: (16, 4), 9: (12, 4), 10: (8, 4)},
    "domain": {5: (20, 2), 9: (16, 4), 10: (12, 4)},
    "sampling": {5: (22, 2)},
}
# The upper two bits say how, the others one of how many (version 5).
_INTERVAL = 0x3FFF


class Heads(NamedTuple):
    """What the headers of accepted datagrams say, ``(n,)`` int64 each but ``source``, ``(n, 2)``.

    ``datagram`` is the row in the batch, negative for what waited since an earlier one.  ``counted``
    is that of the header (IPFIX: its length), ``exported_ns`` its time in UTC, ``uptime_ms`` is 0
    in IPFIX, ``sequence`` in version 1, ``interval`` (one packet of how many) where none is told.
    ``domain`` is the source id (9), observation domain (IPFIX), or engine type and id (5).
    """

    datagram: Ints
    version: Ints
    source: Ints
    sport: Ints
    received_ns: Ints
    counted: Ints
    uptime_ms: Ints
    exported_ns: Ints
    sequence: Ints
    domain: Ints
    interval: Ints


class Bodies(NamedTuple):
    """Where what follows each header begins and ends, as the header says; ``(n,)`` int64.

    ``received`` is where the octets end that there are, ``sent`` where those that were sent.
    """

    start: Ints
    end: Ints
    received: Ints
    sent: Ints


def read_headers(datagrams: Datagrams, noted: Rejects) -> tuple[Heads, Bodies]:
    """The headers of those datagrams of a batch that are NetFlow, in order; others are noted."""
    octets, starts, sizes = datagrams.spans
    version = number(octets, starts, 2)
    kept = np.zeros(len(starts), np.bool_)
    for one in VERSIONS:
        kept |= (version == one) & (sizes >= SIZES[one])
    known = np.isin(version, VERSIONS) & (sizes >= 2)
    noted.add(rejects.VERSION, np.flatnonzero(~known & (sizes >= 2)))
    noted.add(rejects.HEADER, np.flatnonzero((known & ~kept) | (sizes < 2)))
    return _bounded(datagrams, _read(datagrams, version, np.flatnonzero(kept)), noted)


def _read(datagrams: Datagrams, version: Ints, rows: Ints) -> Heads:
    octets, starts, _ = datagrams.spans
    fields = {name: np.zeros(len(rows), np.int64) for name in _PLACES}
    for one in np.unique(version[rows]).tolist():
        mine = version[rows] == one
        at = starts[rows[mine]]
        for name, places in _PLACES.items():
            if one in places:
                place, size = places[one]
                fields[name][mine] = number(octets, at + place, size)
    sampling = fields.pop("sampling")
    exported = fields.pop("seconds") * _SECOND + fields.pop("nanoseconds")
    return Heads(
        rows,
        version[rows],
        datagrams.source[rows],
        datagrams.sport[rows],
        datagrams.at_ns[rows],
        exported_ns=exported,
        interval=sampling & _INTERVAL,
        **fields,
    )


def _bounded(datagrams: Datagrams, heads: Heads, noted: Rejects) -> tuple[Heads, Bodies]:
    """Without those whose header promises what was not sent; the others end where it says."""
    rows = heads.datagram
    sent = np.maximum(datagrams.sizes[rows], datagrams.spans.sizes[rows])
    said, header = _said(heads, sent), _SIZES[heads.version]
    empty = (said <= header) & (heads.version < 9)
    wrong = (said > sent) | (said < header) | empty
    by_count = heads.version != IPFIX
    noted.add(rejects.LENGTH, rows[wrong & ~by_count])
    noted.add(rejects.COUNT, rows[wrong & by_count & ~empty])
    noted.add(rejects.NOTHING, rows[empty])
    noted.add(rejects.TRAILING, rows[~wrong & (said < sent)])
    received = np.minimum(said, datagrams.spans.sizes[rows])
    noted.add(rejects.CUT, rows[~wrong & (received < said)])
    start = datagrams.spans.starts[rows]
    bodies = Bodies(start + header, start + received, start + datagrams.spans.sizes[rows], start + sent)
    return Heads(*(column[~wrong] for column in heads)), Bodies(*(column[~wrong] for column in bodies))


def _said(heads: Heads, sent: Ints) -> Ints:
    """How long each datagram is by its header; version 9 counts records of lengths unknown here."""
    said = np.where(heads.version == IPFIX, heads.counted, sent)
    for version, layout in LAYOUTS.items():
        mine = heads.version == version
        said[mine] = SIZES[version] + layout.size * heads.counted[mine]
    return said
