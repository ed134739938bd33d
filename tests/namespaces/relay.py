# SPDX-License-Identifier: Apache-2.0
"""A link with a delay, in user space: a tun device here and one in another namespace, and what is between.

``relay.py NAMESPACE SECONDS`` makes a device ``slow`` in both, says so, and hands on each packet
that many seconds after it came, both ways, until it is ended.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time
from itertools import count

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x1, 0x1000
_CLONE_NEWNET = 0x4000_0000


def device() -> int:
    """The other end of a device of the calling thread's namespace."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", b"slow", _IFF_TUN | _IFF_NO_PI))
    return file


def main() -> None:
    there, seconds = sys.argv[1], float(sys.argv[2])
    here = device()
    with open(f"/run/netns/{there}") as space:
        if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    ends = [here, device()]
    print("ready", flush=True)  # noqa: T201
    waiting: list[tuple[float, int, int, bytes]] = []
    order = count()
    while True:
        pause = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
        for file in select.select(ends, [], [], pause)[0]:
            other = ends[1 - ends.index(file)]
            heapq.heappush(waiting, (time.monotonic() + seconds, next(order), other, os.read(file, 1 << 16)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, file, packet = heapq.heappop(waiting)
            os.write(file, packet)


if __name__ == "__main__":
    main()
