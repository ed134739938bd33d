# SPDX-License-Identifier: Apache-2.0
"""The UDP datagrams in frames, as if a socket had received them.

What lives here knows no file format and nothing of what the datagrams say.  RFC 768, RFC 791,
RFC 8200.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.fragments import Fragment, Fragments
from fleutan.protocols.capture.frames import Frames
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.packet.decode import decode
from fleutan.protocols.spans import Spans, joined
from fleutan.records import Records

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_UDP: Final = 17
_HEADER: Final = Struct("!HHHH")  # ports, length, checksum
_MORE: Final = 1
_PLACES: Final = ("l3_at", "l4_at", "payload_at", "fragment_at")
_WANTED: Final = (
    *("version", "src", "dst", "proto", "id", "length", "sport", "dport", "udp_length"),
    *("fragment_offset", "fragment_flags", *_PLACES),
)


class _Packets(NamedTuple):
    """The frames, what their headers say, and where in the buffer each IP packet ends, captured or not."""

    frames: Frames
    headers: Records
    ends: Ints

    def known(self, name: str) -> Mask:
        rows = self.headers.rows
        return self.headers.known.get(name, np.full(rows, name in self.headers.values))

    def value(self, name: str) -> Ints:
        return self.headers.values.get(name, np.zeros(self.headers.rows, np.int64))

    def address(self, name: str) -> Ints:
        return self.headers.values.get(name, np.zeros((self.headers.rows, 2), np.int64))

    def place(self, name: str) -> Ints:
        return self.frames.spans.starts + self.value(name)


def udp_datagrams(frames: Frames, fragments: Fragments | None = None) -> Datagrams:
    """The UDP datagrams of these frames, in their order; one of fragments stands where its last one came.

    ``fragments`` keeps what is not whole yet from one batch to the next, and counts what is
    dropped; without it only fragments of the same batch meet.  The payload ends where UDP's and
    IP's lengths say, as far as it was captured.  Tunnels are not entered.
    """
    packets = _packets(frames)
    more = packets.value("fragment_flags") & _MORE > 0
    partial = packets.known("fragment_at") & (more | (packets.value("fragment_offset") > 0))
    udp = packets.known("proto") & (packets.value("proto") == _UDP)
    whole = _whole(packets, np.flatnonzero(udp & ~partial & packets.known("udp_length")))
    parts = np.flatnonzero(udp & partial)
    if not len(parts):
        return whole.datagrams
    return _merged(whole, _reassembled(packets, parts, Fragments() if fragments is None else fragments))


class _Numbered(NamedTuple):
    """Datagrams and the rows of the frames that they come from."""

    datagrams: Datagrams
    rows: Ints


def _packets(frames: Frames) -> _Packets:
    packets = _Packets(frames, decode(frames.spans, frames.kinds(), _WANTED, depth=0), frames.lengths)
    told = packets.place("l3_at") + packets.value("length")
    return packets._replace(ends=np.where(packets.known("length"), told, frames.spans.starts + frames.lengths))


def _whole(packets: _Packets, rows: Ints) -> _Numbered:
    frames = packets.frames
    begins, told = packets.place("payload_at")[rows], packets.value("udp_length")[rows] - _HEADER.size
    room = np.maximum(packets.ends[rows] - begins, 0)
    sizes = np.where((told >= 0) & (told <= room), told, room)
    captured = (frames.spans.starts + frames.spans.sizes)[rows] - begins
    spans = Spans(frames.spans.octets, begins, np.minimum(sizes, captured))
    return _numbered(packets, rows, spans, sizes, packets.value("sport")[rows], packets.value("dport")[rows])


def _numbered(packets: _Packets, rows: Ints, spans: Spans, sizes: Ints, sport: Ints, dport: Ints) -> _Numbered:
    source, destination = packets.address("src")[rows], packets.address("dst")[rows]
    return _Numbered(Datagrams(spans, sizes, source, sport, destination, dport, packets.frames.at_ns[rows]), rows)


def _reassembled(packets: _Packets, rows: Ints, fragments: Fragments) -> _Numbered:
    """The datagrams that these fragments complete; offsets are multiples of 8, so that UDP's header is there."""
    found = [(row, octets) for row, part in _parts(packets, rows, fragments) if (octets := fragments.add(part))]
    heads = np.array([_HEADER.unpack_from(octets) for _, octets in found], np.int64).reshape(-1, 4)
    payloads = joined([octets[_HEADER.size :] for _, octets in found])
    told = heads[:, 2] - _HEADER.size
    sizes = np.where((told >= 0) & (told <= payloads.sizes), told, payloads.sizes)
    last = np.array([row for row, _ in found], np.int64)
    return _numbered(packets, last, payloads._replace(sizes=sizes), sizes, heads[:, 0], heads[:, 1])


def _parts(packets: _Packets, rows: Ints, fragments: Fragments) -> Iterator[tuple[int, Fragment]]:
    """The fragments of these rows that were captured whole and hold nothing between IP and UDP."""
    spans, begins, ends = packets.frames.spans, packets.place("fragment_at"), packets.ends
    offset, more = packets.value("fragment_offset"), packets.value("fragment_flags") & _MORE > 0
    direct = (offset > 0) | (packets.place("l4_at") == begins)
    uncut = packets.known("length") & (ends <= spans.starts + spans.sizes)
    addresses = (packets.address("src"), packets.address("dst"), packets.value("id")[:, None])
    keys = np.concatenate((*addresses, packets.value("version")[:, None]), axis=1)
    usable = (direct & uncut)[rows]
    if not usable.all():
        fragments.rejects[rejects.FRAGMENT_CUT] += int((~usable).sum())
    for row in rows[usable].tolist():
        octets = spans.octets[begins[row] : ends[row]].tobytes()
        key, at_ns = tuple(keys[row].tolist()), int(packets.frames.at_ns[row])
        yield row, Fragment(key, int(offset[row]), bool(more[row]), octets, at_ns)


def _merged(whole: _Numbered, parts: _Numbered) -> Datagrams:
    """Both, by their rows; the octets of the second lie behind those of the first."""
    one, two = whole.datagrams, parts.datagrams
    octets = np.concatenate((one.spans.octets, two.spans.octets))
    starts = np.concatenate((one.spans.starts, two.spans.starts + len(one.spans.octets)))
    spans = Spans(octets, starts, np.concatenate((one.spans.sizes, two.spans.sizes)))
    columns = (np.concatenate(pair) for pair in zip(one[1:], two[1:], strict=True))
    return Datagrams(spans, *columns).take(np.argsort(np.concatenate((whole.rows, parts.rows))))
