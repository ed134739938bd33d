# SPDX-License-Identifier: Apache-2.0
"""Packets that a device itself drops and hands to the kernel with the reason: its traps, by the drop monitor.

What the kernel's own software drops is told by ``linux.discards`` at a lower price.  There is one drop monitor for the
whole host: where it runs already, what it tells is listened to and its settings are left alone.

Sources: include/uapi/linux/net_dropmon.h, net/core/drop_monitor.c, Documentation/networking/devlink/devlink-trap.rst.
"""

from __future__ import annotations

import errno
import struct
from contextlib import ExitStack, suppress
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import NotSupported
from fleutan.linux import netlink
from fleutan.linux.attributes import Attributes, Ints, Messages, Octets, attributes, number
from fleutan.linux.capabilities import missing
from fleutan.linux.netlink import GENERIC, Listener, Refused, attribute

WHAT = "packets dropped by devices (drop monitor)"
#: NET_DM_CMD_*.
_CONFIG, _START, _STOP, _PACKET_ALERT, _CONFIG_GET, _STATS_GET = 2, 3, 4, 5, 6, 8
#: enum net_dm_attr.
_ALERT_MODE, _IN_PORT, _TIMESTAMP, _PROTO, _PAYLOAD, _TRUNC_LEN, _ORIG_LEN, _QUEUE_LEN = 1, 4, 5, 6, 7, 9, 10, 11
_HW_STATS, _ORIGIN, _TRAP_GROUP, _TRAP, _SW_DROPS, _HW_DROPS = 13, 14, 15, 16, 20, 21
#: NET_DM_ATTR_PORT_NETDEV_IFINDEX, NET_DM_ATTR_STATS_DROPPED, NET_DM_ALERT_MODE_PACKET.
_PORT_INDEX, _DROPPED, _PACKETS = 0, 0, 1
#: enum net_dm_origin: who dropped it.
SOFTWARE, HARDWARE = 0, 1
#: Packets that wait for the monitor on each CPU at most.
QUEUE = 1000
#: Octets of struct genlmsghdr, whose first is the command.
_GENERIC = 4
_VERSION = 2


class Trapped(NamedTuple):
    """Dropped packets in order, a row each: packet ``i`` begins as ``octets[starts[i]:][:sizes[i]]``.

    All are ``(n,)`` int64: ``length`` of the whole packet; ``at_ns`` (UTC) and ``protocol`` (an EtherType), -1
    where not told; ``input`` an ifIndex, 0 where not told; ``group`` and ``trap`` are where the names stand,
    with ``group_size`` and ``trap_size``, 0 for none.
    """

    octets: Octets
    starts: Ints
    sizes: Ints
    length: Ints
    at_ns: Ints
    protocol: Ints
    input: Ints
    group: Ints
    group_size: Ints
    trap: Ints
    trap_size: Ints

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Trapped:
        """These rows, by number or mask."""
        octets, *columns = self
        return Trapped(octets, *(column[rows] for column in columns))


def parse(found: Messages, family: int, origin: int = HARDWARE) -> Trapped:
    """The packets that devices dropped among these messages; ``family`` is the drop monitor's type of messages."""
    mine = (found.kinds == family) & (found.ends - found.starts >= _GENERIC)
    starts, ends = found.starts[mine], found.ends[mine]
    alerts = number(found.octets, starts, 1) == _PACKET_ALERT
    told = attributes(found.octets, starts[alerts] + _GENERIC, ends[alerts])
    payload, sizes = told.span(_PAYLOAD)
    length, knows_length = told.numbers(_ORIG_LEN)
    (group, group_size), (trap, trap_size) = told.span(_TRAP_GROUP), told.span(_TRAP)
    every = Trapped(
        found.octets,
        payload,
        np.maximum(sizes, 0),
        length,
        told.or_unknown(_TIMESTAMP),
        told.or_unknown(_PROTO),
        _inside(told, _IN_PORT, _PORT_INDEX),
        group,
        np.maximum(group_size - 1, 0),  # without the NULs at their ends
        trap,
        np.maximum(trap_size - 1, 0),
    )
    return every.take(knows_length & (told.numbers(_ORIGIN)[0] == origin))


def _inside(told: Attributes, kind: int, inner: int) -> Ints:
    """A number that stands in an attribute of an attribute; 0 where there is none."""
    starts, sizes = told.span(kind)
    return attributes(told.octets, starts, starts + np.maximum(sizes, 0)).numbers(inner)[0]


class Dropmon:
    """What devices drop, with ``header`` octets of each packet, from ``with`` on, which raises NotSupported."""

    def __init__(self, header: int = 128, room: int = netlink.ROOM) -> None:
        self._header = header
        self.listener, self._asking = Listener(WHAT, GENERIC, room), Listener(WHAT, GENERIC)
        self._family = 0

    def __enter__(self) -> Self:
        with ExitStack() as held:
            try:
                for one in (self._asking, self.listener):
                    held.enter_context(one)
                found = netlink.family(self._asking, "NET_DM")
                self._family = found.kind
                self.listener.join(next(iter(found.groups.values()), 0))
                if self._starts():
                    held.callback(self._stop)
            except Refused as refused:
                raise _not_supported(refused) from None
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self) -> Trapped | None:
        """What came since the last call, or a part of it; None where nothing did.  Raises FleutanError.

        The octets are overwritten by the next call.
        """
        found = self.listener.receive()
        return None if found is None else parse(found, self._family)

    def dropped(self) -> int:
        """How many packets found no room on their way here, since the kernel began to count.  Raises FleutanError."""
        return stats_of(b"".join(answer[_GENERIC:] for answer in self._ask(_STATS_GET)))

    def _ask(self, command: int, *parts: bytes) -> list[bytes]:
        return self._asking.ask(self._family, struct.pack("=BBH", command, _VERSION, 0) + b"".join(parts))

    def _starts(self) -> bool:
        """Whether the monitor runs from now on, and not before."""
        settings = ((_ALERT_MODE, "=B", _PACKETS), (_TRUNC_LEN, "=I", self._header), (_QUEUE_LEN, "=I", QUEUE))
        try:
            self._ask(_CONFIG, *(attribute(kind, struct.pack(form, value)) for kind, form, value in settings))
        except Refused as refused:
            if refused.errno != errno.EBUSY:
                raise
            return self._joins()
        self._ask(_START, attribute(_HW_DROPS, b""))
        return True

    def _joins(self) -> bool:
        """Whether devices' drops are told from now on where the monitor runs for somebody else."""
        if mode_of(b"".join(answer[_GENERIC:] for answer in self._ask(_CONFIG_GET))) != _PACKETS:
            raise NotSupported(WHAT, "it runs for another program, which has it tell sums only", "end that program")
        try:
            self._ask(_START, attribute(_HW_DROPS, b""))
        except Refused as refused:
            if refused.errno != errno.EAGAIN:
                raise
            return False
        return True

    def _stop(self) -> None:
        with suppress(Refused):
            self._ask(_STOP, attribute(_HW_DROPS, b""))


def _told(answer: bytes) -> Attributes:
    return attributes(np.frombuffer(answer, np.uint8), np.zeros(1, np.int64), np.array([len(answer)]))


def mode_of(answer: bytes) -> int:
    """How the monitor tells of drops, by what it says of its settings."""
    return int(_told(answer).numbers(_ALERT_MODE)[0][0])


def stats_of(answer: bytes) -> int:
    """How many of the packets that devices dropped found no room, by what the monitor says."""
    return int(_inside(_told(answer), _HW_STATS, _DROPPED)[0])


def _not_supported(refused: Refused) -> NotSupported:
    if refused.errno == errno.ENOENT:
        return NotSupported(WHAT, "this kernel does not offer it", "try: modprobe drop_monitor")
    if refused.errno in (errno.EPERM, errno.EACCES) or missing(("CAP_NET_ADMIN", "CAP_SYS_ADMIN")):
        return NotSupported(WHAT, "it takes CAP_NET_ADMIN, and CAP_SYS_ADMIN on most kernels", "run as root")
    return NotSupported(WHAT, str(refused).partition(": ")[2])
