# SPDX-License-Identifier: Apache-2.0
"""Real sockets, to which what is sent does come, or does not: the rule and the kernel must agree."""

from __future__ import annotations

import os
import socket

import pytest

from fleutan.errors import UsageError
from fleutan.linux.addresses import own_addresses
from fleutan.sources.datagrams import Sockets
from fleutan.sources.forwarding import Forwarding, target
from fleutan.sources.loops import refuse_loops

needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")


def comes(host: str, port: int, source: Sockets) -> bool:
    """Whether the kernel brings what is sent there to the only socket of this source."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"there and back", (host, port))
    try:
        source.ears[0].socket.recv(100)
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize(
    ("bound", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.2"),
        ("127.0.0.2", "127.0.0.2"),
        ("127.0.0.1", "0.0.0.0"),  # noqa: S104
        ("0.0.0.0", "127.0.0.3"),  # noqa: S104
        ("0.0.0.0", "0.0.0.0"),  # noqa: S104
        pytest.param("::", "127.0.0.3", marks=needs_ipv6),
        pytest.param("::", "::1", marks=needs_ipv6),
        pytest.param("::", "::", marks=needs_ipv6),
        pytest.param("::1", "::1", marks=needs_ipv6),
        pytest.param("::1", "127.0.0.1", marks=needs_ipv6),
        pytest.param("::1", "::", marks=needs_ipv6),
        pytest.param("0.0.0.0", "::1", marks=needs_ipv6),  # noqa: S104
        pytest.param("::", "::ffff:127.0.0.1", marks=needs_ipv6),
        pytest.param("127.0.0.1", "::ffff:127.0.0.1", marks=needs_ipv6),
    ],
)
def test_what_the_kernel_brings_back_is_refused(bound: str, host: str) -> None:
    with Sockets([0], [bound]) as source:
        port = source.ears[0].port
        there = target(f"{host}/{port}")
        if comes(host, port, source):
            with pytest.raises(UsageError, match="would come back"):
                refuse_loops([target("192.0.2.1/9"), there], source.ears)
        else:
            refuse_loops([there], source.ears)


def test_every_own_address_is_refused() -> None:
    with Sockets([0], ["0.0.0.0"]) as source:  # noqa: S104
        port = source.ears[0].port
        for octets in own_addresses():
            if octets[:12] == bytes(10) + b"\xff\xff":
                with pytest.raises(UsageError):
                    refuse_loops([target(f"{socket.inet_ntop(socket.AF_INET, octets[12:])}/{port}")], source.ears)


def test_another_port_and_another_host_are_not() -> None:
    with Sockets([0], ["127.0.0.1"]) as source, Forwarding([]):
        port = source.ears[0].port
        refuse_loops([target(f"127.0.0.1/{port - 1}"), target(f"192.0.2.1/{port}")], source.ears)
        refuse_loops([target(f"127.0.0.1/{port}")], [])
