# SPDX-License-Identifier: Apache-2.0
"""Capture files read as they come, chunk by chunk, or whole; the format is told by the first octets.

What lives here opens no file and knows nothing of what a format's records look like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from fleutan.protocols.capture import pcap, pcapng, rejects
from fleutan.protocols.capture.frames import NO_FRAMES, Frames, Walked

Octets: TypeAlias = "bytes | memoryview"
Walk: TypeAlias = Callable[[Octets], Walked]

_MAGIC_SIZE: Final = 4
#: gzip, bzip2, xz, zstd, LZ4.
_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")


class Reader:
    """Frames of a capture file that is fed as it comes.

    ``rejects`` counts what could not be read, by the names in ``rejects``.  Between chunks only
    the octets of a record that is not whole yet are kept, at most ``pcapng.LONGEST_BLOCK``.
    """

    def __init__(self) -> None:
        self.rejects: Counter[str] = Counter()
        self._left: Octets = b""
        self._skip = 0
        self._walk: Walk | None = None
        self._possible = True

    @property
    def kept(self) -> int:
        """How many octets are kept for a record that is not whole yet."""
        return len(self._left)

    def feed(self, octets: Octets) -> Frames:
        """The frames that are whole with these octets, which are not copied if nothing was left before.

        Nothing comes any more once something stands where a record should: it is counted.
        """
        skipped = min(self._skip, len(octets))
        self._skip -= skipped
        if skipped:
            octets = octets[skipped:]
        if self._left:
            octets = bytes(self._left) + bytes(octets)
        if not self._possible or not octets:
            return NO_FRAMES
        begin = 0
        if self._walk is None:
            begin = self._recognise(octets)
        if self._walk is None:
            self._left = bytes(octets) if self._possible else b""
            return NO_FRAMES
        return self._read(self._walk, octets[begin:] if begin else octets)

    def taken(self) -> Octets:
        """What is left of the octets before, given up: for who puts it before those that he feeds next."""
        left, self._left = self._left, b""
        return left

    def finish(self) -> None:
        """Counts what is left: the file ends inside a record."""
        if self._left or self._skip:
            self.rejects[rejects.TRUNCATED] += 1
        self._left, self._skip = b"", 0

    def _read(self, walk: Walk, octets: Octets) -> Frames:
        walked = walk(octets)
        self._possible = walked.possible
        behind = walked.end + walked.skip
        self._skip = max(0, behind - len(octets))
        self._left = bytes(octets[behind:]) if walked.possible else b""
        return walked.frames

    def _recognise(self, octets: Octets) -> int:
        """Sets how the records are walked, and says where they begin."""
        magic = bytes(octets[:_MAGIC_SIZE])
        if len(magic) < _MAGIC_SIZE:
            return 0
        if magic == pcapng.MAGIC:
            self._walk = partial(pcapng.walk, section=pcapng.Section(), counted=self.rejects)
            return 0
        if magic in pcap.MAGICS:
            return self._recognise_pcap(octets)
        self._possible = False
        self.rejects[rejects.COMPRESSED if magic.startswith(_COMPRESSED) else rejects.NOT_A_CAPTURE] += 1
        return 0

    def _recognise_pcap(self, octets: Octets) -> int:
        if len(octets) >= pcap.FILE_HEADER_SIZE:
            self._walk = partial(pcap.walk, pcap=pcap.file_header(octets), counted=self.rejects)
        return pcap.FILE_HEADER_SIZE


def read(octets: Octets) -> tuple[Frames, Counter[str]]:
    """All frames of a whole capture file, in the buffer as it is, and what was not read, by name."""
    reader = Reader()
    frames = reader.feed(octets)
    reader.finish()
    return frames, reader.rejects
