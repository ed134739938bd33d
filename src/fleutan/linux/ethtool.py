# SPDX-License-Identifier: Apache-2.0
"""What drivers say of their devices (SIOCETHTOOL): speed, counters of their own, memory of plugged modules.

Asks in the calling thread's namespace.  What the counters' names mean is known in ``driverstats``,
what is in a module's memory in ``optics``; queues are asked for in ``queues``.
"""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

#: Fills a device's answer into the request that begins the array; raises OSError where it is refused.
Ask = Callable[[str, "array.array[int]"], None]

_SIOCETHTOOL = 0x8946
#: include/uapi/linux/ethtool.h
_GSTRINGS, _GSTATS, _GSSET_INFO, _GMODULEINFO, _GMODULEEEPROM, _GLINKSETTINGS = 0x1B, 0x1D, 0x37, 0x42, 0x43, 0x4C
_ETH_SS_STATS = 1
_STRING = 32  # ETH_GSTRING_LEN
#: struct ethtool_link_settings: cmd, speed, duplex, …, link_mode_masks_nwords, …; behind it three masks.
_LINK = struct.Struct("=IIB6xb32x")
#: Words of a mask on kernels since 5.15; another kernel says how many it has.
_WORDS = 4
_UNKNOWN_SPEEDS = (0, 0xFFFF, 0xFFFF_FFFF)
_SSET_INFO = struct.Struct("=IIQI")
_THREE = struct.Struct("=III")
_TWO = struct.Struct("=II")
_MODULE = struct.Struct("=III32x")
_EEPROM = struct.Struct("=IIII")
#: More than this no driver counts, and no module remembers.
_MOST_COUNTERS, _MOST_MEMORY = 1 << 16, 1 << 13
#: Room for counters that a driver has more of than it said (queues were added meanwhile).
_SPARE = 4096


class Link(NamedTuple):
    """Bits per second, and whether both directions are used at once; None for what is not known."""

    speed: int | None = None
    full_duplex: bool | None = None


class Module(NamedTuple):
    """The kind of a plugged module's memory (ETH_MODULE_*), and what it holds."""

    type: int
    memory: bytes


@contextmanager
def asking() -> Iterator[Ask]:
    """What asks the devices of the calling thread's namespace.  Raises OSError where no socket can be had."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:

        def ask(name: str, request: array.array[int]) -> None:
            # struct ifreq: the name, then a pointer in a union of 24 bytes.
            fcntl.ioctl(asked, _SIOCETHTOOL, struct.pack("=15sxQ16x", name.encode(), request.buffer_info()[0]))

        yield ask


def link(ask: Ask, name: str) -> Link:
    """Speed and duplex (ETHTOOL_GLINKSETTINGS), nothing known where the driver does not say."""
    words = _WORDS
    for _ in range(2):
        answer = _asked(ask, name, _LINK.pack(_GLINKSETTINGS, 0, 0, words), 3 * 4 * words)
        if answer is None:
            return Link()
        _, speed, duplex, offered = _LINK.unpack_from(answer)
        if offered >= 0:
            bits = None if speed in _UNKNOWN_SPEEDS else speed * 1_000_000
            return Link(bits, {0: False, 1: True}.get(duplex))
        words = -offered
    return Link()


def counter_names(ask: Ask, name: str) -> list[str]:
    """Names of the counters that the driver has of its own, in their order; none where it has none."""
    answer = _asked(ask, name, _SSET_INFO.pack(_GSSET_INFO, 0, 1 << _ETH_SS_STATS, 0))
    if answer is None:
        return []
    _, _, told, count = _SSET_INFO.unpack_from(answer)
    if not told or not 0 < count <= _MOST_COUNTERS:
        return []
    answer = _asked(ask, name, _THREE.pack(_GSTRINGS, _ETH_SS_STATS, count), (count + _SPARE) * _STRING)
    if answer is None or _THREE.unpack_from(answer)[2] != count:
        return []
    starts = range(_THREE.size, _THREE.size + count * _STRING, _STRING)
    texts = (answer[at : at + _STRING].partition(b"\0")[0] for at in starts)
    return [text.decode("utf-8", "replace") for text in texts]


def counters(ask: Ask, name: str, count: int) -> tuple[int, ...] | None:
    """What they count; None where they are not as many (any more), or not told."""
    answer = _asked(ask, name, _TWO.pack(_GSTATS, count), (count + _SPARE) * 8)
    if answer is None or _TWO.unpack_from(answer)[1] != count:
        return None
    return struct.unpack_from(f"={count}Q", answer, _TWO.size)


def module(ask: Ask, name: str) -> Module | None:
    """The memory of the module that is plugged in; None where there is none that tells.

    It is read over a slow bus: tens of milliseconds.
    """
    answer = _asked(ask, name, _MODULE.pack(_GMODULEINFO, 0, 0))
    if answer is None:
        return None
    _, kind, length = _MODULE.unpack_from(answer)
    if not 0 < length <= _MOST_MEMORY:
        return None
    answer = _asked(ask, name, _EEPROM.pack(_GMODULEEEPROM, 0, 0, length), length)
    return None if answer is None else Module(kind, answer[_EEPROM.size : _EEPROM.size + length])


def _asked(ask: Ask, name: str, request: bytes, room: int = 0) -> bytes | None:
    answer = array.array("B", request + bytes(room))
    try:
        ask(name, answer)
    except OSError:
        return None
    return answer.tobytes()
