# SPDX-License-Identifier: Apache-2.0
"""One of so many packets of all devices, by a packet socket whose ring is read where it lies.

A filter in the kernel draws lots for each packet and keeps its first octets (SKF_AD_RANDOM), so
that those that are not meant cost next to nothing.  The network namespace is that of the calling
thread.  What the octets say is not read here.

Sources: packet(7), Documentation/networking/packet_mmap.rst (TPACKET_V2), if_packet.h, filter.h.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from mmap import MAP_SHARED, PROT_READ, PROT_WRITE, mmap
from struct import Struct
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import NotSupported, UsageError
from fleutan.linux.rawsockets import attach

Ints = NDArray[np.int64]

#: Octets of a packet that can be kept at most.
LONGEST = 4096
#: Bytes of the ring: room for 16,384 packets of 128 octets.
ROOM = 4 << 20
#: sll_pkttype of a packet that this host sends.
OUTGOING = 4
ALL = 0x0003  # ETH_P_ALL
_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION = 263, 5, 6, 10
_V2 = 1
_BLOCK = 1 << 16
#: A frame has two headers and room for the link's before the network's, which is aligned.
_BEFORE = 80
_LEAST_FRAME = 256
_USER, _VLAN_VALID = 1 << 0, 1 << 4
_REQUEST = Struct("@4I")
_COUNTS = Struct("@2I")
_INSTRUCTION = Struct("=HBBI")
# BPF_LD | BPF_W | BPF_ABS of SKF_AD_OFF + SKF_AD_RANDOM; BPF_ALU | BPF_MOD | BPF_K; BPF_JMP | BPF_JEQ; BPF_RET
_LOAD, _RANDOM, _MODULO, _IF_EQUAL, _RETURN = 0x20, (-0x1000 + 56) & 0xFFFF_FFFF, 0x94, 0x15, 0x06
#: struct tpacket2_hdr and struct sockaddr_ll.
_HEAD = np.dtype(
    [
        *((name, "u4") for name in ("status", "length", "kept")),
        *((name, "u2") for name in ("mac", "net")),
        *((name, "u4") for name in ("seconds", "nanoseconds")),
        *(("vlan_tci", "u2"), ("vlan_tpid", "u2"), ("padding", "V4")),
        *(
            ("family", "u2"),
            ("protocol", ">u2"),
            ("ifindex", "i4"),
            ("hatype", "u2"),
            ("pkttype", "u1"),
            ("rest", "V9"),
        ),
    ]
)


class Captured(NamedTuple):
    """Packets in order, a row each: octets of frame ``i`` stand in row ``i`` of ``frames`` from ``mac[i]`` on.

    ``frames`` is ``(n, size)`` uint8, all others ``(n,)`` int64: ``net`` is where the network's
    header begins, ``kept`` how many octets there are from ``mac`` on, ``length`` how long the
    packet is, ``at_ns`` when it was seen (UTC), ``protocol`` the EtherType, ``hatype`` ARPHRD_* of
    the device, ``tag`` a VLAN tag (TPID and TCI) that the device took off, 0 for none.
    """

    frames: NDArray[np.uint8]
    mac: Ints
    net: Ints
    kept: Ints
    length: Ints
    at_ns: Ints
    ifindex: Ints
    protocol: Ints
    hatype: Ints
    pkttype: Ints
    tag: Ints


class Sampling:
    """While it is entered one of ``one_in`` packets of this namespace is kept with its first ``snaplen`` octets.

    Making one raises UsageError for numbers that are none; entering raises NotSupported without CAP_NET_RAW.
    """

    def __init__(self, snaplen: int, one_in: int = 1, room: int = ROOM) -> None:
        if not 1 <= snaplen <= LONGEST:
            raise UsageError(f"{snaplen} octets of a packet cannot be kept; at least 1 and at most {LONGEST} can")
        if not 1 <= one_in < 1 << 32:
            raise UsageError(f"one of {one_in} packets is no sample; say 1 or more")
        self.snaplen, self.one_in = snaplen, one_in
        self._size = max(_LEAST_FRAME, 1 << (_BEFORE + snaplen - 1).bit_length())
        self._blocks = max(1, room // _BLOCK)
        self._head = self._dropped = 0

    def __enter__(self) -> Self:
        with ExitStack() as held:
            try:
                made = self._opened()
            except PermissionError:
                raise NotSupported("packets", "needs CAP_NET_RAW", "run as root") from None
            self._socket = held.enter_context(made)
            attach(made, [self._filter()])
            self._bind()
            made.setsockopt(_SOL_PACKET, _VERSION, _V2)
            frames = self._blocks * _BLOCK // self._size
            # Which also throws away what came before the filter stood.
            made.setsockopt(_SOL_PACKET, _RX_RING, _REQUEST.pack(_BLOCK, self._blocks, self._size, frames))
            area = mmap(made.fileno(), self._blocks * _BLOCK, MAP_SHARED, PROT_READ | PROT_WRITE)
            self._frames = np.frombuffer(area, np.uint8).reshape(frames, self._size)
            self._nothing = captured(self._frames[:0].copy())
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        del self._frames  # the mapping goes with the last array that looks at it
        self._held.close()

    def _opened(self) -> socket.socket:
        """The socket: that of all devices."""
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(ALL))

    def _filter(self) -> bytes:
        """The program that draws the lots."""
        return program(self.snaplen, self.one_in)

    def _bind(self) -> None:
        """Chooses the device, once the filter stands."""

    def read(self) -> Captured:
        """What came since the call before."""
        frames = self._frames
        status = frames[:, :4].view(np.uint32)[:, 0]
        if not status[self._head] & _USER:  # frames are filled in order
            return self._nothing
        ready = np.flatnonzero(status & _USER)
        ready = np.roll(ready, -int(np.searchsorted(ready, self._head)))  # in the order in which they were filled
        taken = frames[ready]
        status[ready] = 0
        if len(ready):
            self._head = (int(ready[-1]) + 1) % len(frames)
        return captured(taken)

    def dropped(self) -> int:
        """How many of the packets that were meant found the ring full, since it was entered."""
        told = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _COUNTS.size)
        self._dropped += _COUNTS.unpack(told)[1]  # the kernel begins anew with each call
        return self._dropped


def program(snaplen: int, one_in: int) -> bytes:
    """A classic BPF program that keeps so many octets of one in so many packets, drawn by lot."""
    keep = _INSTRUCTION.pack(_RETURN, 0, 0, snaplen)
    if one_in == 1:
        return keep
    drawn = [(_LOAD, 0, 0, _RANDOM), (_MODULO, 0, 0, one_in), (_IF_EQUAL, 1, 0, 0), (_RETURN, 0, 0, 0)]
    return b"".join([*(_INSTRUCTION.pack(*one) for one in drawn), keep])


def captured(frames: NDArray[np.uint8]) -> Captured:
    """The heads of frames, ``(n, size)``, as columns."""
    heads = np.ascontiguousarray(frames[:, : _HEAD.itemsize]).view(_HEAD)[:, 0]
    numbers = {name: heads[name].astype(np.int64) for name in _HEAD.names or () if name not in ("padding", "rest")}
    size = frames.shape[1]
    mac = np.minimum(numbers["mac"], size)
    tag = numbers["vlan_tpid"] << 16 | numbers["vlan_tci"]
    return Captured(
        frames,
        mac,
        numbers["net"],
        np.minimum(numbers["kept"], size - mac),
        numbers["length"],
        numbers["seconds"] * 1_000_000_000 + numbers["nanoseconds"],
        **{name: numbers[name] for name in ("ifindex", "protocol", "hatype", "pkttype")},
        tag=np.where(numbers["status"] & _VLAN_VALID, tag, 0),
    )
