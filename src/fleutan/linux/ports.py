# SPDX-License-Identifier: Apache-2.0
"""Ports of this host kept for probes: while they are held no connection gets them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from fleutan.errors import FleutanError

_TYPES = {socket.IPPROTO_TCP: socket.SOCK_STREAM, socket.IPPROTO_UDP: socket.SOCK_DGRAM}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@contextmanager
def held(family: int, proto: int, count: int) -> Iterator[list[int]]:
    """So many free ports of IPPROTO_TCP or IPPROTO_UDP, in the thread's network namespace.

    A TCP socket that is bound and does not listen refuses whoever answers a probe, as a closed
    port does.  Raises FleutanError where there are not so many.
    """
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            try:
                found = stack.enter_context(socket.socket(_FAMILIES[family], _TYPES[proto]))
                found.bind(("", 0))
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise FleutanError(f"keeping {count} ports for probes: {why}; trace fewer at once") from None
            ports.append(found.getsockname()[1])
        yield ports
