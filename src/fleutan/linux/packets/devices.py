# SPDX-License-Identifier: Apache-2.0
"""What the packets of each device of the calling thread's network namespace begin with (RTM_GETLINK)."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from struct import Struct

from fleutan.linux import rtnetlink

_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_LINK = Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
#: ARPHRD_* of devices with an Ethernet header (include/uapi/linux/if_arp.h): Ethernet, loopback.
ETHERNET = frozenset({1, 772})


def types() -> dict[int, int]:
    """ARPHRD_* of every device by its index.  Raises FleutanError where the kernel does not tell."""
    return types_in(rtnetlink.dump("devices", _RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)))


def types_in(messages: Iterable[tuple[int, bytes]]) -> dict[int, int]:
    """The same of messages by type and body."""
    found = {}
    for kind, body in messages:
        if kind == _RTM_NEWLINK and len(body) >= _LINK.size:
            _, arphrd, index, _, _ = _LINK.unpack_from(body)
            found[index] = arphrd
    return found
