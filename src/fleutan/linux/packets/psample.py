# SPDX-License-Identifier: Apache-2.0
"""Packets that the kernel samples by psample: ``tc ... action sample``, and devices that sample by themselves.

Messages become columns here.  What a group is for, and how much of it is wanted, is decided in ``sources``.

Sources: include/uapi/linux/psample.h, net/psample/psample.c.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import NotSupported
from fleutan.linux import netlink
from fleutan.linux.attributes import Attributes, Ints, Messages, Octets, attributes, number
from fleutan.linux.netlink import GENERIC, Listener, Refused

#: enum of PSAMPLE_ATTR_*.  Older kernels lack those from the eleventh on.
IIFINDEX, OIFINDEX, ORIGSIZE, SAMPLE_GROUP, GROUP_SEQ, SAMPLE_RATE, DATA = range(7)
TUNNEL, OUT_TC, OUT_TC_OCC, LATENCY, TIMESTAMP, PROTO = 8, 10, 11, 12, 13, 14
SAMPLE_PROBABILITY = 16
#: PSAMPLE_CMD_SAMPLE.
_SAMPLE = 0
#: Octets of struct genlmsghdr, whose first is the command.
_GENERIC = 4
#: A probability of 1 where a rate is told as one.
_CERTAIN = (1 << 32) - 1
WHAT = "packets sampled by the kernel (psample)"


class Sampled(NamedTuple):
    """Sampled packets in order, a row each: packet ``i`` begins as ``octets[starts[i]:][:sizes[i]]``.

    ``(n,)`` int64: ``length`` of the whole packet in octets, ``group``, ``sequence`` (32 bits, within the
    group), ``rate`` (one in so many); ``input`` and ``output``, ifIndexes as far as the kernel tells them (16
    bits of them, most versions), 0 where it does not.  The rest is -1 where it is not told: ``at_ns`` (UTC),
    ``protocol`` (an EtherType), ``queue`` (traffic class that it left by), ``depth`` (octets in that queue),
    ``latency`` (ns in the device); ``tunnel`` is the size of what is told of a tunnel that it came or goes by.
    """

    octets: Octets
    starts: Ints
    sizes: Ints
    length: Ints
    group: Ints
    sequence: Ints
    rate: Ints
    input: Ints
    output: Ints
    at_ns: Ints
    protocol: Ints
    queue: Ints
    depth: Ints
    latency: Ints
    tunnel: Ints

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Sampled:
        """These rows, by number or mask."""
        octets, *columns = self
        return Sampled(octets, *(column[rows] for column in columns))


def parse(found: Messages, family: int) -> Sampled:
    """The samples among these messages of generic netlink; ``family`` is psample's type of messages.

    Messages that tell no size, group, number or rate are no samples.
    """
    mine = (found.kinds == family) & (found.ends - found.starts >= _GENERIC)
    starts, ends = found.starts[mine], found.ends[mine]
    mine = number(found.octets, starts, 1) == _SAMPLE
    told = attributes(found.octets, starts[mine] + _GENERIC, ends[mine])
    data, sizes = told.span(DATA)
    every = Sampled(
        found.octets,
        data,
        np.maximum(sizes, 0),
        told.numbers(ORIGSIZE)[0],
        told.numbers(SAMPLE_GROUP)[0],
        told.numbers(GROUP_SEQ)[0],
        _rates(told),
        told.numbers(IIFINDEX)[0],
        told.numbers(OIFINDEX)[0],
        told.or_unknown(TIMESTAMP),
        told.or_unknown(PROTO),
        told.or_unknown(OUT_TC),
        told.or_unknown(OUT_TC_OCC),
        told.or_unknown(LATENCY),
        told.span(TUNNEL)[1],
    )
    needed = [told.numbers(kind)[1] for kind in (ORIGSIZE, SAMPLE_GROUP, GROUP_SEQ, SAMPLE_RATE)]
    return every.take(np.logical_and.reduce(needed))


def _rates(told: Attributes) -> Ints:
    """One in so many, at least one; also where the kernel tells a probability (OpenFlow's samples)."""
    rate, _ = told.numbers(SAMPLE_RATE)
    one_in = np.rint(_CERTAIN / np.maximum(rate, 1)).astype(np.int64)
    return np.maximum(np.where(told.span(SAMPLE_PROBABILITY)[1] >= 0, one_in, rate), 1)


class Psample:
    """What the kernel samples by psample, from ``with`` on, which raises NotSupported."""

    def __init__(self, room: int = netlink.ROOM) -> None:
        self.listener = Listener(WHAT, GENERIC, room)
        self._family = 0

    def __enter__(self) -> Self:
        with ExitStack() as held:
            try:
                held.enter_context(self.listener)
                found = netlink.family(self.listener, "psample")
                self._family = found.kind
                self.listener.join(found.groups.get("packets", 0))
            except Refused as refused:
                raise _not_supported(refused) from None
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def read(self) -> Sampled | None:
        """What came since the last call, or a part of it; None where nothing did.  Raises FleutanError.

        The octets are overwritten by the next call.
        """
        found = self.listener.receive()
        return None if found is None else parse(found, self._family)


def _not_supported(refused: Refused) -> NotSupported:
    if refused.errno == errno.ENOENT:
        return NotSupported(WHAT, "this kernel does not offer it", "try: modprobe psample")
    if refused.errno in (errno.EPERM, errno.EACCES):
        return NotSupported(WHAT, "it takes CAP_NET_ADMIN", "run as root")
    return NotSupported(WHAT, str(refused).partition(": ")[2])
