# SPDX-License-Identifier: Apache-2.0
"""One of so many packets of one device in one direction, by a packet socket: where BPF programs may not be loaded.

The ring and its heads are those of ``sampling``.  A packet that stands for many segments (GSO, GRO) is one here,
and nothing counts those that were not drawn.

Sources: packet(7), Documentation/networking/filter.rst (SKF_AD_PKTTYPE), if_packet.h.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from struct import Struct

from fleutan.errors import Gone, NotSupported
from fleutan.linux.rawsockets import attach
from fleutan.linux.sampling import ALL, OUTGOING, Sampling

#: Octets of a ring: room for 4,096 packets of 128 octets.
ROOM = 1 << 20
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_INSTRUCTION = Struct("=HBBI")
# BPF_LD | BPF_W | BPF_ABS of SKF_AD_OFF + SKF_AD_PKTTYPE, SKF_AD_RANDOM; BPF_ALU | BPF_MOD | BPF_K; BPF_JMP | BPF_JEQ;
# BPF_RET
_LOAD, _TYPE, _RANDOM = 0x20, (-0x1000 + 4) & 0xFFFF_FFFF, (-0x1000 + 56) & 0xFFFF_FFFF
_MODULO, _IF_EQUAL, _RETURN = 0x94, 0x15, 0x06


class Drawn(Sampling):
    """What this device sends (``egress``) or receives, from ``with`` on, in the network namespace of who enters.

    Entering raises Gone where there is no such device, NotSupported without CAP_NET_RAW.
    """

    def __init__(self, ifindex: int, egress: bool, snaplen: int, one_in: int, room: int = ROOM) -> None:
        super().__init__(snaplen, one_in, room)
        self._ifindex, self._egress = ifindex, egress

    def set_rate(self, one_in: int) -> None:
        """One in so many from now on."""
        self.one_in = one_in
        attach(self._socket, [self._filter()])

    def is_there(self) -> bool:
        """Whether the device still is: the kernel lets go of it when it is not."""
        return bool(self._socket.getsockname()[0])

    def _opened(self) -> socket.socket:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)

    def _filter(self) -> bytes:
        return program(self.snaplen, self.one_in, egress=self._egress)

    def _bind(self) -> None:
        if not self._egress:
            with suppress(OSError):  # since Linux 4.20; without it the filter passes over them
                self._socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        try:
            self._socket.bind((socket.if_indextoname(self._ifindex), ALL))
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                raise Gone(f"there is no device {self._ifindex} (any more)") from None
            raise NotSupported(f"device {self._ifindex}", (error.strerror or "").lower()) from None


def program(snaplen: int, one_in: int, *, egress: bool) -> bytes:
    """A classic BPF program that keeps so many octets of one in so many packets of one direction, drawn by lot."""
    lots = [(_LOAD, 0, 0, _RANDOM), (_MODULO, 0, 0, one_in), (_IF_EQUAL, 0, 1, 0)] if one_in > 1 else []
    past = len(lots) + 1  # what keeps it
    way = (_IF_EQUAL, 0, past, OUTGOING) if egress else (_IF_EQUAL, past, 0, OUTGOING)
    steps = [(_LOAD, 0, 0, _TYPE), way, *lots, (_RETURN, 0, 0, snaplen), (_RETURN, 0, 0, 0)]
    return b"".join(_INSTRUCTION.pack(*step) for step in steps)
