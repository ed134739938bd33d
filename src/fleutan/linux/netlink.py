# SPDX-License-Identifier: Apache-2.0
"""Netlink sockets that are listened to: requests with their acknowledgement, then batches of what the kernel sends.

What lives here opens, asks and receives; what the messages say is read in ``attributes`` and by who asks.
The network namespace is that of the calling thread.

Sources: netlink(7); include/uapi/linux/netlink.h, genetlink.h.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np

from fleutan.errors import FleutanError
from fleutan.linux import attributes as read
from fleutan.linux import messages
from fleutan.linux.attributes import Messages
from fleutan.linux.rooms import Room

GENERIC, NETFILTER = 16, 12
REQUEST, ACKNOWLEDGE = 0x1, 0x4
ERROR = 2
#: Bytes of the kernel's memory for what waits in a socket.
ROOM = 8 << 20
#: Datagrams that are taken together, and octets of each.
ROWS, LONGEST = 1024, 1 << 16
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_RCVBUFFORCE = 33
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: len, type, flags, seq, pid
_ATTRIBUTE = struct.Struct("=HH")
#: How long an answer is awaited, in seconds.
_PATIENCE = 5.0


class Refused(FleutanError):
    """The kernel does not do what it is asked for; ``errno`` tells why."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what}: {os.strerror(number).lower()}")
        self.errno = number


class Listener:
    """A netlink socket, from ``with`` on, which raises Refused; ``what`` names it in errors.

    ``overruns`` counts how often the kernel had no room for what it was to send: how much that was it does
    not say.  ``broken`` counts datagrams that could not be read to their end.
    """

    def __init__(self, what: str, protocol: int, room: int = ROOM) -> None:
        self.what, self._protocol, self._room_bytes = what, protocol, room
        self.overruns = self.broken = 0
        self._sequence = 0

    def __enter__(self) -> Self:
        with ExitStack() as held:
            try:
                made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, self._protocol)
            except OSError as error:
                raise Refused(self.what, error.errno or errno.EPROTONOSUPPORT) from None
            self.socket = held.enter_context(made)
            made.bind((0, 0))
            made.settimeout(_PATIENCE)
            try:
                made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, self._room_bytes)
            except PermissionError:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._room_bytes)
            self._waiting = select.poll()
            self._waiting.register(made, select.POLLIN)
            self._rows = Room(ROWS, LONGEST)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def ask(self, kind: int, body: bytes) -> list[bytes]:
        """Sends a request and waits for its acknowledgement; the bodies of what was answered.  Raises Refused.

        What comes unasked meanwhile is thrown away.
        """
        self._sequence += 1
        head = _HEADER.pack(_HEADER.size + len(body), kind, REQUEST | ACKNOWLEDGE, self._sequence, 0)
        answers: list[bytes] = []
        try:
            self.socket.send(head + body)
            while True:
                for told, sequence, answer in _each(self.socket.recv(LONGEST)):
                    if sequence != self._sequence:
                        continue
                    if told != ERROR:
                        answers.append(answer)
                        continue
                    if number := -int.from_bytes(answer[:4], sys.byteorder, signed=True):
                        raise Refused(self.what, number)
                    return answers
        except OSError as error:
            raise Refused(self.what, error.errno or errno.ETIMEDOUT) from None

    def join(self, group: int) -> None:
        """Hears what the kernel sends to this multicast group.  Raises Refused."""
        try:
            self.socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError as error:
            raise Refused(self.what, error.errno or errno.EPERM) from None

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.socket.fileno()

    def wait(self, seconds: float) -> None:
        """Waits until something comes, or so long."""
        self._waiting.poll(seconds * 1000)

    def receive(self) -> Messages | None:
        """What waits, at most ``ROWS`` datagrams of it; None where there is nothing.

        The octets are overwritten by the next call.  Raises Refused where the socket fails.
        """
        count = self._fill() or self._fill()  # the first may only tell that there was no room
        if not count:
            return None
        room = self._rows
        starts, kept = room.payloads(slice(0, count), room.messages["length"][:count].astype(np.int64))
        found = read.messages(room.octets, starts, kept)
        self.broken += found.broken
        return found

    def _fill(self) -> int:
        headers = self._rows.messages["header"]
        headers["namelen"], headers["controllen"] = messages.NAME, 0
        try:
            return messages.receive(self.fileno(), self._rows.messages)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise Refused(self.what, error.errno or errno.EIO) from None
            self.overruns += 1
            return 0


class Family(NamedTuple):
    """A generic netlink family: the type of its messages, and its multicast groups' numbers by name."""

    kind: int
    groups: dict[str, int]


#: CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, _FAMILY_NAME, _MCAST_GROUPS, CTRL_ATTR_MCAST_GRP_NAME, _ID.
_CONTROL, _GET_FAMILY = 0x10, 3
_ID, _NAME, _GROUPS = 1, 2, 7
_GROUP_NAME, _GROUP_ID = 1, 2


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute as it stands in a message."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def family(listener: Listener, name: str) -> Family:
    """A generic netlink family by its name; the kernel loads the module that has it.  Raises Refused."""
    body = struct.pack("=BBH", _GET_FAMILY, 1, 0) + attribute(_NAME, name.encode() + b"\0")
    return family_of(b"".join(answer[4:] for answer in listener.ask(_CONTROL, body)))


def family_of(answer: bytes) -> Family:
    """What the kernel says of a family."""
    told = _split(answer)
    each = (_split(group) for group in _split(told.get(_GROUPS, b"")).values())
    groups = {
        group.get(_GROUP_NAME, b"").rstrip(b"\0").decode(): int.from_bytes(group.get(_GROUP_ID, b""), sys.byteorder)
        for group in each
    }
    return Family(int.from_bytes(told.get(_ID, b""), sys.byteorder), groups)


def _split(data: bytes) -> dict[int, bytes]:
    """The attributes of one message, by type."""
    octets = np.frombuffer(data, np.uint8)
    found = read.attributes(octets, np.zeros(1, np.int64), np.array([len(data)]))
    return {
        kind: data[int(found.starts[kind][0]) : int(found.starts[kind][0] + size[0])]
        for kind, size in found.sizes.items()
    }


def _each(data: bytes) -> list[tuple[int, int, bytes]]:
    """Type, sequence number and body of the messages in a datagram."""
    octets = np.frombuffer(data, np.uint8)
    found = read.messages(octets, np.zeros(1, np.int64), np.array([len(data)]))
    spans = zip(found.starts.tolist(), found.ends.tolist(), found.kinds.tolist(), strict=True)
    return [
        (kind, int.from_bytes(data[start - 8 : start - 4], sys.byteorder), data[start:end])
        for start, end, kind in spans
    ]
