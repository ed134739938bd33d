# SPDX-License-Identifier: Apache-2.0
"""What stands before a datagram's samples: who sent it, when it came, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from fleutan.exports.sflowtool.shapes import ADDRESS, NUMBER, WORD, Laid, Piece, shape
from fleutan.protocols.sflow.messages import Message


class Dialect(NamedTuple):
    """How far the output follows sflowtool, and whose local time it is written in.

    ``faithful`` also repeats what sflowtool gets wrong.  ``zone`` None is the zone of this host.
    """

    faithful: bool = False
    zone: tzinfo | None = None


class Received(NamedTuple):
    """A message and how it came.

    ``size`` is the datagram's length, ``source`` the sender's address (4 or 16 octets, none where
    it is not known), ``at_ns`` the time of reception (UTC nanoseconds), from a file where
    ``recorded``.  ``laid`` are the samples where the message is without them.
    """

    message: Message
    size: int
    source: bytes
    at_ns: int
    recorded: bool = False
    laid: Sequence[Laid] | None = None


_TIMES = shape(
    *(("datagramSourceIP", ADDRESS), ("datagramSize", NUMBER), ("unixSecondsUTC", NUMBER)),
    *(("unixSecondsUTC_uS", NUMBER), ("localtime", WORD)),
)
_RECORDED = shape(("pcapTimestamp", WORD), ("pcapTimestamp_uS", NUMBER))
_VERSION = shape(("datagramVersion", NUMBER))
_SUB_AGENT = shape(("agentSubId", NUMBER))
_HEAD = shape(("agent", ADDRESS), *((name, NUMBER) for name in ("packetSequenceNo", "sysUpTime", "samplesInPacket")))


@lru_cache(64)
def local_time(seconds: int, zone: tzinfo | None) -> str:
    """A second in local time, with its distance to UTC."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S%z")


def datagram_pieces(received: Received, dialect: Dialect) -> list[Piece]:
    """What stands before the samples, as far as it was read."""
    message = received.message
    seconds, nanoseconds = divmod(received.at_ns, 10**9)
    stamp = (local_time(seconds, dialect.zone), nanoseconds // 1000)
    unknown = dialect.faithful and received.recorded
    # sflowtool does not look who sent what it reads from a file, nor when.
    times = (b"", 0, 0, local_time(0, dialect.zone)) if unknown else (received.source, seconds, stamp[1], stamp[0])
    pieces: list[Piece] = [(_TIMES, (times[0], received.size, *times[1:]))]
    if received.recorded:
        pieces.append((_RECORDED, stamp))
    if message.version is not None:
        pieces.append((_VERSION, (message.version,)))
    if message.sub_agent_id is not None:
        pieces.append((_SUB_AGENT, (message.sub_agent_id,)))
    if message.sample_count is not None:
        pieces.append((_HEAD, (message.agent, message.sequence_number, message.uptime, message.sample_count)))
    return pieces
