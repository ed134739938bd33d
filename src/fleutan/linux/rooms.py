# SPDX-License-Identifier: Apache-2.0
"""The memory that a batch of datagrams is received into, used again for another.

Rows are of ``ROW`` octets, an odd number of cache lines, so that reading the same place of every row
does not fall on the same few lines of the cache.  What is longer goes on in a second area, which
stays untouched, and so costs no memory, until that happens.
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import FleutanError
from fleutan.linux import messages
from fleutan.linux.listening import Ear
from fleutan.linux.messages import Bytes, Ints

#: Octets of a row.
ROW = 25 * 64
#: Octets of ancillary data of a datagram: twice of what is asked for.
CONTROL = 256


class Room:
    """The memory of a batch, and the headers of messages that point into it."""

    def __init__(self, rows: int, longest: int) -> None:
        self._row = _lines(min(ROW, longest))
        self._most = longest
        self._rest = _lines(longest) if longest > ROW else 0
        self._beyond = rows * self._row
        self.octets = np.frombuffer(mmap.mmap(-1, rows * (self._row + self._rest)), np.uint8)
        self.names = np.zeros((rows, messages.NAME), np.uint8)
        self.control = np.zeros((rows, CONTROL), np.uint8)
        self._pieces = self._laid_out(rows)
        self.messages = np.zeros(rows, messages.MESSAGE)
        header = self.messages["header"]
        header["name"] = _places(self.names, rows, messages.NAME)
        header["control"] = _places(self.control, rows, CONTROL)
        header["iov"] = _places(self._pieces, rows, 2 * messages.PIECE.itemsize)
        header["iovlen"] = 2 if self._rest else 1

    def _laid_out(self, rows: int) -> NDArray[np.void]:
        pieces = np.zeros((rows, 2), messages.PIECE)
        start = messages.address_of(self.octets)
        pieces["base"][:, 0] = _places(self.octets, rows, self._row)
        pieces["base"][:, 1] = start + self._beyond + self._row + np.arange(rows) * self._rest
        pieces["length"] = [min(self._most, self._row), max(self._most - self._row, 0)]
        return pieces

    def take(self, ear: Ear, first: int, count: int) -> int:
        """Receives into these rows; how many came."""
        wanted = self.messages[first : first + count]
        wanted["header"]["namelen"] = messages.NAME
        wanted["header"]["controllen"] = CONTROL
        try:
            return messages.receive(ear.socket.fileno(), wanted) if count else 0
        except OSError as error:
            raise FleutanError(f"receiving at {ear.title}: {(error.strerror or '').lower()}") from None

    def payloads(self, rows: slice, sizes: Ints) -> tuple[Ints, Ints]:
        """Where payloads begin and how much of them is there; each is in one piece from now on."""
        numbers = np.arange(rows.start, rows.stop)
        starts, kept = numbers * self._row, np.minimum(sizes, self._most)
        [long] = np.nonzero(kept > self._row)
        if len(long):
            starts[long] = self._beyond + numbers[long] * self._rest
            whole = self.octets[: self._beyond].reshape(-1, self._row)
            self.octets[self._beyond :].reshape(-1, self._rest)[numbers[long], : self._row] = whole[numbers[long]]
        return starts, kept


def _lines(octets: int) -> int:
    """So many octets, up to the end of a cache line."""
    return -(-octets // 64) * 64


def _places(memory: Bytes | NDArray[np.void], rows: int, size: int) -> NDArray[np.uintp]:
    """The address of each row of a table."""
    return messages.address_of(memory) + np.arange(rows, dtype=np.uintp) * np.uintp(size)
