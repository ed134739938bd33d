# SPDX-License-Identifier: Apache-2.0
"""Packets that a firewall's rules log to a group: nft's ``log group``, iptables' NFLOG.

Messages become columns here; which of the packets the rules chose, only who wrote them knows.

Sources: include/uapi/linux/netfilter/nfnetlink_log.h, net/netfilter/nfnetlink_log.c.
"""

from __future__ import annotations

import errno
import struct
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import NotSupported, UsageError
from fleutan.linux import netlink
from fleutan.linux.attributes import Attributes, Ints, Messages, Octets, attributes, number
from fleutan.linux.capabilities import missing
from fleutan.linux.netlink import NETFILTER, Listener, Refused, attribute

#: enum nfulnl_attr_type.
_PACKET_HDR, _MARK, _TIMESTAMP, _INDEV, _OUTDEV, _PAYLOAD, _PREFIX = 1, 2, 3, 4, 5, 9, 10
_SEQ, _HWTYPE, _HWHEADER = 12, 15, 16
#: NFNL_SUBSYS_ULOG, with NFULNL_MSG_PACKET and NFULNL_MSG_CONFIG.
_PACKET, _CONFIG = 4 << 8, 4 << 8 | 1
#: enum nfulnl_attr_config; NFULNL_CFG_CMD_BIND, NFULNL_COPY_PACKET, NFULNL_CFG_F_SEQ.
_CMD, _MODE, _NLBUFSIZ, _TIMEOUT, _QTHRESH, _FLAGS = range(1, 7)
_BIND, _COPY_PACKET, _NUMBERED = 1, 2, 1
#: struct nfgenmsg: family, version, group.
_GENERAL = struct.Struct("!BBH")
#: Packets that the kernel puts into a datagram, at most, octets of it, and how long it waits for more, in 1/100 s.
TOGETHER, DATAGRAM, LINGER = 32, 1 << 15, 10
#: enum nf_inet_hooks.
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
#: ARPHRD_ETHER and ARPHRD_LOOPBACK, whose headers are Ethernet's.
_ETHERNET = (1, 772)
HEADER = 14


class Logged(NamedTuple):
    """Logged packets in order, a row each: packet ``i`` begins, with its network header, as
    ``octets[starts[i]:][:sizes[i]]``.

    ``link`` is where its Ethernet header begins, -1 where it is not told.  All are ``(n,)`` int64:
    ``family`` (NFPROTO_*), ``hook`` (NF_INET_*), ``protocol`` (an EtherType), ``input`` and ``output``
    (ifIndexes, 0 for none), ``mark``, ``sequence`` (32 bits), ``at_ns`` (UTC; 0 where the kernel does not
    tell).  ``prefix`` and ``prefix_size`` are where the rule's words are.
    """

    octets: Octets
    starts: Ints
    sizes: Ints
    link: Ints
    family: Ints
    hook: Ints
    protocol: Ints
    input: Ints
    output: Ints
    mark: Ints
    sequence: Ints
    at_ns: Ints
    prefix: Ints
    prefix_size: Ints

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Logged:
        """These rows, by number or mask."""
        octets, *columns = self
        return Logged(octets, *(column[rows] for column in columns))


def parse(found: Messages) -> Logged:
    """The packets among these messages; those without any octets of a packet are left out."""
    mine = (found.kinds == _PACKET) & (found.ends - found.starts >= _GENERAL.size)
    starts = found.starts[mine]
    told = attributes(found.octets, starts + _GENERAL.size, found.ends[mine])
    payload, sizes = told.span(_PAYLOAD)
    head, head_size = told.span(_PACKET_HDR)
    prefix, prefix_size = told.span(_PREFIX)
    every = Logged(
        found.octets,
        payload,
        sizes,
        _links(told),
        number(found.octets, starts, 1),
        number(found.octets, head + 2, 1),
        number(found.octets, head, 2, "big"),
        told.numbers(_INDEV, "big")[0],
        told.numbers(_OUTDEV, "big")[0],
        told.numbers(_MARK, "big")[0],
        told.numbers(_SEQ, "big")[0],
        _times(told),
        prefix,
        np.maximum(prefix_size - 1, 0),  # without the NUL at its end
    )
    return every.take((sizes > 0) & (head_size >= 4))


def _links(told: Attributes) -> Ints:
    hardware, _ = told.numbers(_HWTYPE, "big")
    at, size = told.span(_HWHEADER)
    return np.where(np.isin(hardware, _ETHERNET) & (size == HEADER), at, -1)


def _times(told: Attributes) -> Ints:
    at, size = told.span(_TIMESTAMP)
    rows = np.flatnonzero(size == 16)
    times = np.zeros(told.rows, np.int64)
    seconds, micro = (number(told.octets, at[rows] + place, 8, "big") for place in (0, 8))
    times[rows] = seconds * 1_000_000_000 + micro * 1000
    return times


class Nflog:
    """What rules log to ``group``, with ``header`` octets of each packet, from ``with`` on, which raises NotSupported.

    Making one raises UsageError for a group that there cannot be.
    """

    def __init__(self, group: int, header: int = 128, room: int = netlink.ROOM) -> None:
        if not 0 <= group < 1 << 16:
            raise UsageError(f"there is no group {group} of logged packets; at most {(1 << 16) - 1} is")
        self._group, self._header = group, header
        self.what = f"packets logged to group {group} (nflog)"
        self.listener = Listener(self.what, NETFILTER, room)

    def __enter__(self) -> Self:
        with ExitStack() as held:
            try:
                held.enter_context(self.listener)
                self.listener.ask(_CONFIG, configuration(self._group, self._header))
            except Refused as refused:
                raise self._not_supported(refused) from None
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self) -> Logged | None:
        """What came since the last call, or a part of it; None where nothing did.  Raises FleutanError.

        The octets are overwritten by the next call.
        """
        found = self.listener.receive()
        return None if found is None else parse(found)

    def _not_supported(self, refused: Refused) -> NotSupported:
        if missing(("CAP_NET_ADMIN",)):
            return NotSupported(self.what, "it takes CAP_NET_ADMIN", "run as root")
        if refused.errno in (errno.EBUSY, errno.EPERM):
            return NotSupported(self.what, "another program has this group", "choose another one in the rule and here")
        if refused.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
            return NotSupported(self.what, "this kernel does not offer it", "try: modprobe nfnetlink_log")
        return NotSupported(self.what, str(refused).partition(": ")[2])


def configuration(group: int, header: int) -> bytes:
    """The request for a group's packets, so many octets of each, numbered."""
    return _GENERAL.pack(0, 0, group) + b"".join(
        attribute(kind, value)
        for kind, value in (
            (_CMD, bytes([_BIND])),
            (_MODE, struct.pack("!IBx", header, _COPY_PACKET)),
            (_NLBUFSIZ, struct.pack("!I", DATAGRAM)),
            (_TIMEOUT, struct.pack("!I", LINGER)),
            (_QTHRESH, struct.pack("!I", TOGETHER)),
            (_FLAGS, struct.pack("!H", _NUMBERED)),
        )
    )
