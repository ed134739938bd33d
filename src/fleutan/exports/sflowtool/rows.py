# SPDX-License-Identifier: Apache-2.0
"""Lines of twenty columns of many packets at once, as ``legacy`` writes them one by one.

Cells of sflowtool's own spelling stand here: hexadecimal numbers, and addresses.  What
each column is of, is known to ``sampled`` and to who has other records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.column import Column
from fleutan.exports import addresses
from fleutan.exports.cells import Bytes, Cell, Four, IntCell, WordCell
from fleutan.exports.grid import written

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: What a line is of, by ``Rows.kind``.
FLOW, DROP = 0, 1
_KINDS = (b"FLOW", b"DROP")
#: Lines of other kinds are never laid out within the grid, however short.
_LONGEST = 8


class Rows(NamedTuple):
    """Packets, a row each, in the order of their lines: ``(n,)`` int64, addresses ``(n, 2)`` halves.

    ``kind`` is FLOW or DROP; ``agent_known`` and ``ends_known`` (of ``source`` and ``destination``)
    are False where there is no address.  ``last`` is the sampling rate, in rows of DROP the number of
    a reason in ``reasons``.  What is not known of other columns is 0, as sflowtool has it.
    """

    kind: Ints
    agent: Ints
    agent_known: Mask
    input: Ints
    output: Ints
    source_mac: Ints
    destination_mac: Ints
    type: Ints
    in_vlan: Ints
    out_vlan: Ints
    source: Ints
    destination: Ints
    ends_known: Mask
    protocol: Ints
    tos: Ints
    ttl: Ints
    sport: Ints
    dport: Ints
    flags: Ints
    size: Ints
    ip_size: Ints
    last: Ints

    def take(self, some: Mask | Ints) -> Rows:
        """These rows."""
        numbers = np.flatnonzero(some) if some.dtype == np.bool_ else some
        columns: Iterator[Any] = (column.take(numbers, axis=0) for column in self)
        return Rows(*columns)


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows of these parts, of which there is one at least."""
    return parts[0] if len(parts) == 1 else Rows(*map(np.concatenate, zip(*parts, strict=True)))


def written_rows(rows: Rows, reasons: Sequence[bytes], before: Sequence[tuple[int, bytes]] = ()) -> Iterator[bytes]:
    """The lines of these packets in pieces; ``before`` are other lines, each with the row that it stands before."""
    kinds, words = rows.kind, [*_KINDS]
    if before:
        kinds, words = _behind(kinds, before)
    dropped = rows.kind == DROP
    parts: list[bytes | Cell] = [
        *(WordCell(kinds, words, b"", _LONGEST), b",", _AddressCell(rows.agent, rows.agent_known)),
        *(b",", _int(rows.input), b",", _int(rows.output)),
        *(b",", _MacCell(rows.source_mac), b",", _MacCell(rows.destination_mac)),
        *(b",0x", _FourDigitsCell(rows.type), b",", _int(rows.in_vlan), b",", _int(rows.out_vlan)),
        *(b",", _AddressCell(rows.source, rows.ends_known), b",", _AddressCell(rows.destination, rows.ends_known)),
        *(b",", _int(rows.protocol), b",", _TwoDigitsCell(rows.tos), b",", _int(rows.ttl)),
        *(b",", _int(rows.sport), b",", _int(rows.dport), b",", _TwoDigitsCell(rows.flags)),
        *(b",", _int(rows.size), b",", _int(rows.ip_size)),
        *(b",", IntCell(Column(rows.last, ~dropped), b"")),
    ]
    if dropped.any():
        parts.append(WordCell(np.where(dropped, rows.last, -1), reasons, b""))
    return written([*parts, b"\n"], len(rows.kind))


def _behind(kinds: Ints, before: Sequence[tuple[int, bytes]]) -> tuple[Ints, list[bytes]]:
    """Kinds and their words, of which some begin with the lines before them."""
    words, kinds = [*_KINDS], kinds.copy()
    texts: dict[int, list[bytes]] = {}
    for row, text in before:
        texts.setdefault(row, []).append(text)
    for row, some in texts.items():
        words.append(b"".join((*some, _KINDS[kinds[row]])))
        kinds[row] = len(words) - 1
    return kinds, words


def _int(values: Ints) -> IntCell:
    return IntCell(Column(values), b"")


@cache
def _two_digits() -> Four:
    """The text of eight bits behind 0x."""
    return np.frombuffer(b"".join(b"0x%02x" % octet for octet in range(256)), np.uint32)


class _FourDigitsCell:
    """Numbers of 16 bits as four hexadecimal digits."""

    width = 4

    def __init__(self, values: Ints) -> None:
        self._values = values

    def write(self, rows: slice, out: Bytes) -> None:
        """A group."""
        out.view(np.uint32)[:, 0] = addresses.hexadecimal().take(self._values[rows])


class _TwoDigitsCell(_FourDigitsCell):
    """Numbers of eight bits as two hexadecimal digits behind 0x."""

    def write(self, rows: slice, out: Bytes) -> None:
        """A group."""
        out.view(np.uint32)[:, 0] = _two_digits().take(self._values[rows])


class _MacCell:
    """Numbers of 48 bits as twelve hexadecimal digits."""

    width = 12

    def __init__(self, values: Ints) -> None:
        self._values = values

    def write(self, rows: slice, out: Bytes) -> None:
        """Three groups."""
        values, words, four = self._values[rows], out.view(np.uint32), addresses.hexadecimal()
        for place in range(3):
            words[:, place] = four.take(values >> (32 - 16 * place) & 0xFFFF)


class _AddressCell:
    """Addresses as sflowtool writes them: IPv4 with dots, IPv6 in eight groups, an unknown one as ``-``."""

    def __init__(self, values: Ints, known: Mask) -> None:
        self._values, self._unknown = values, None if known.all() else ~known
        ipv6 = ~address.is_ipv4(values) & known
        self._ipv6 = ipv6 if ipv6.any() else None
        self.width = addresses.IPV4_WIDTH if self._ipv6 is None else addresses.IPV6_WIDTH

    def write(self, rows: slice, out: Bytes) -> None:
        """All as IPv4 first, then what is none."""
        words, values = out.view(np.uint32), self._values[rows]
        addresses.write_ipv4(values[:, 1], words[:, :4])
        words[:, 4:] = 0
        if self._ipv6 is not None and len(some := np.flatnonzero(self._ipv6[rows])):
            out[some] = addresses.ipv6_groups(values[some])
        if self._unknown is not None and len(some := np.flatnonzero(self._unknown[rows])):
            out[some] = 0
            out[some, 0] = ord("-")
