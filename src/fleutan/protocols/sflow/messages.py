# SPDX-License-Identifier: Apache-2.0
"""A datagram as a message: its samples and their elements, everything kept, what is broken named.

For what looks at each datagram as a whole: rendering, converting, checking.  Flows by the million
are read into columns elsewhere.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from fleutan.protocols.sflow import earlier
from fleutan.protocols.sflow.cursor import Broken, Cursor, Problem, Reason, Values, reader
from fleutan.protocols.sflow.layouts.xdr import ADDRESS, U32, row
from fleutan.protocols.sflow.samples import Sample, read_sample


class Message(NamedTuple):
    """A datagram.

    ``agent`` are 4 or 16 octets, none of an unknown address.  ``sub_agent_id`` is None before
    version 5, ``uptime`` is in milliseconds, ``sample_count`` is how many samples the datagram
    says it has; a field that was not there is None.  ``rest`` are octets behind what is known.
    """

    version: int | None
    agent: bytes | None
    sub_agent_id: int | None
    sequence_number: int | None
    uptime: int | None
    sample_count: int | None
    samples: tuple[Sample, ...] = ()
    problems: tuple[Problem, ...] = ()
    rest: bytes = b""


#: Where in a datagram a sample lies, behind its number and its length: the number, where it begins and where it ends.
Extent = tuple[int, int, int]
_SAMPLE = struct.Struct("!II")
#: Heads of version 5 by their first two words: the version, and the type of the agent's address.
_WHOLE = {bytes((0, 0, 0, 5, 0, 0, 0, kind)): struct.Struct(f"!II{octets}sIIII") for kind, octets in ((1, 4), (2, 16))}
_STRUCTURE = "datagram"


def parse(datagram: bytes) -> Message:
    """What a datagram of version 2, 4 or 5 says, as far as it can be read; never raises.

    Where something is broken, the message holds what was read before, and its ``problems`` say
    what, at which octet and in which structure.  sFlow Version 5, section 5; versions 2 and 4 are
    RFC 3176's and its successor's.
    """
    cursor = Cursor(datagram, 0, len(datagram), [])
    head: Values = []
    samples: list[Sample] = []
    try:
        version, count = _read_head(cursor, head)
        if version == 5:
            _read_samples(cursor, count, samples)
        else:
            _read_earlier_samples(cursor, count, version, samples)
    except Broken as broken:
        cursor.problems.append(Problem(broken.reason, broken.at, _STRUCTURE))
    return _message(head, samples, cursor)


def extents(datagram: bytes) -> tuple[Message, list[Extent]] | None:
    """A datagram of version 5 without its samples, and where they lie; None where not all of it is as it should be."""
    known = _WHOLE.get(datagram[:8])
    if known is None or len(datagram) < known.size:
        return None
    _, _, agent, sub_agent_id, sequence_number, uptime, count = known.unpack_from(datagram)
    found: list[Extent] = []
    at, end = known.size, len(datagram)
    for _ in range(count):
        if end - at < _SAMPLE.size:
            return None
        tag, size = _SAMPLE.unpack_from(datagram, at)
        if size & 3:
            return None
        found.append((tag, at + 8, at + 8 + size))
        at += 8 + size
    if at != end:
        return None
    return Message(5, agent, sub_agent_id, sequence_number, uptime, count), found


def _read_head(cursor: Cursor, head: Values) -> tuple[int, int]:
    """The version, and how many samples follow."""
    version = cursor.number()
    head.append(version)
    if version not in _HEADS:
        raise Broken(Reason.VERSION, 0)
    _HEADS[version](cursor, head)
    return version, head[-1]


def _read_samples(cursor: Cursor, count: int, samples: list[Sample]) -> None:
    end = cursor.end
    for _ in range(count):
        at = cursor.at
        if end - at < 8:
            raise Broken(Reason.MISSING, at)
        tag, size = _SAMPLE.unpack_from(cursor.datagram, at)
        before = len(cursor.problems)
        if size > end - at - 8:
            cursor.problems.append(Problem(Reason.OVERRUN, at + 4, f"{tag >> 12}:{tag & 0xFFF}"))
        stop = min(at + 8 + (size + 3 & ~3), end)
        cursor.at, cursor.end = at + 8, stop
        sample = read_sample(cursor, tag)
        samples.append(sample if len(cursor.problems) == before else sample._replace(whole=False))
        cursor.at, cursor.end = stop, end
    _check_end(cursor)


def _read_earlier_samples(cursor: Cursor, count: int, version: int, samples: list[Sample]) -> None:
    for _ in range(count):
        if cursor.at == cursor.end:
            raise Broken(Reason.MISSING, cursor.at)
        samples.append(earlier.read_sample(cursor, cursor.number(), version))
        if not samples[-1].whole:
            return
    _check_end(cursor)


def _check_end(cursor: Cursor) -> None:
    if cursor.at < cursor.end:
        raise Broken(Reason.TRAILING, cursor.at)


def _message(head: Values, samples: list[Sample], cursor: Cursor) -> Message:
    read = dict(zip(("version", *_NAMES.get(head[0] if head else 0, ())), head, strict=False))
    named = dict.fromkeys(Message._fields[:6]) | read
    return Message(**named, samples=tuple(samples), problems=tuple(cursor.problems), rest=cursor.datagram[cursor.at :])


def _no_elements(cursor: Cursor, values: Values) -> None:
    """The head of a datagram has none."""


_EARLIER = row("agent", ADDRESS, "sequence_number uptime sample_count", U32)
_HEAD = row("agent", ADDRESS, "sub_agent_id sequence_number uptime sample_count", U32)
_LAYOUTS = {2: _EARLIER, 4: _EARLIER, 5: _HEAD}
_NAMES = {version: [field.name for field in fields] for version, fields in _LAYOUTS.items()}
_HEADS = {version: reader(fields, _no_elements) for version, fields in _LAYOUTS.items()}
