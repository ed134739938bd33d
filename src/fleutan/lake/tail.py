# SPDX-License-Identifier: Apache-2.0
"""Rows that are not sealed yet: a file that only grows, of frames that are whole Arrow IPC streams.

A frame is a mark, the length and the CRC-32 of what follows, the rows' constants as JSON, and an
Arrow stream.  What was cut off or damaged ends the file: all frames before it are read.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import nanoarrow as na
from nanoarrow.ipc import InputStream, StreamWriter

from fleutan.lake.storage import Stored

MARK = b"FLT1"
_HEAD = struct.Struct("<4sIQI")  # mark, CRC-32 of the rest, its length, length of the constants


class Frame(NamedTuple):
    """Rows as they were written: the octets of an Arrow stream, and what is the same in all (SQL by name)."""

    stream: bytes
    select: dict[str, str]

    def arrow(self) -> Any:
        """The rows as an array of nanoarrow."""
        with na.c_array_stream(InputStream.from_readable(io.BytesIO(self.stream))) as stream:
            return na.c_array(stream.get_next())


def frame(stored: Stored) -> bytes:
    """The rows as one frame."""
    constants = json.dumps(stored.select).encode()
    out = io.BytesIO()
    with StreamWriter.from_writable(out) as writer:
        writer.write_array(stored.arrow.array)
    rest = constants + out.getvalue()
    return _HEAD.pack(MARK, zlib.crc32(rest), len(rest), len(constants)) + rest


def frames(octets: bytes) -> Iterator[Frame]:
    """The whole frames from the beginning of a file on."""
    at = 0
    while at + _HEAD.size <= len(octets):
        mark, crc, length, constants = _HEAD.unpack_from(octets, at)
        rest = octets[at + _HEAD.size : at + _HEAD.size + length]
        if mark != MARK or len(rest) != length or constants > length or zlib.crc32(rest) != crc:
            return
        try:
            select = json.loads(rest[:constants])
        except ValueError:  # the mark is right and so is the sum: the length of the constants is what broke
            return
        yield Frame(rest[constants:], select)
        at += _HEAD.size + length
