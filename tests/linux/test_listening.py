# SPDX-License-Identifier: Apache-2.0
"""Sockets on loopback, as any user."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fleutan.errors import FleutanError, UsageError
from fleutan.linux import capabilities
from fleutan.linux.listening import Ear, Unbound, listen

needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """What was opened is closed, also where not all could be."""
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


def holding(ears: list[Ear]) -> ExitStack:
    held = ExitStack()
    for ear in ears:
        held.enter_context(ear.socket)
    return held


def test_one_address_is_known_and_any_is_not() -> None:
    [here] = listen("127.0.0.1", 0)
    [anywhere] = listen("0.0.0.0", 0)  # noqa: S104
    with holding([here, anywhere]):
        assert here.address == bytes([127, 0, 0, 1])
        assert anywhere.address is None
        assert here.port == here.socket.getsockname()[1] > 0
        assert here.title == f"127.0.0.1 port {here.port}"


@needs_ipv6
def test_any_of_ipv6_takes_ipv4_too_and_one_address_does_not() -> None:
    [both], [six] = listen("::", 0), listen("::1", 0)
    with holding([both, six]):
        options = [ear.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) for ear in (both, six)]
        assert options == [0, 1]
        assert six.address == bytes(15) + b"\1"
        assert both.address is None


def test_what_room_is_granted_is_known() -> None:
    [small], [large] = listen("127.0.0.1", 0, room=1 << 16), listen("127.0.0.1", 0, room=64 << 20)
    with holding([small, large]):
        assert small.room == 2 << 16  # the kernel doubles it, for its overhead
        if capabilities.missing(("CAP_NET_ADMIN",)):
            with open("/proc/sys/net/core/rmem_max") as told:
                assert large.room == 2 * min(64 << 20, int(told.read()))
        else:
            assert large.room == 128 << 20


def test_several_sockets_share_a_port() -> None:
    ears = listen("127.0.0.1", 0, sockets=3)
    with holding(ears):
        assert len({ear.port for ear in ears}) == 1
        assert len({ear.socket.fileno() for ear in ears}) == 3


def test_a_port_is_not_shared_with_another_program_unseen() -> None:
    others = listen("127.0.0.1", 0, sockets=2)
    with holding(others):
        port = others[0].port
        for sockets in (1, 2):
            with pytest.raises(Unbound) as found:
                listen("127.0.0.1", port, sockets)
            assert found.value.errno == errno.EADDRINUSE
            assert str(found.value).startswith(f"listening at 127.0.0.1 port {port}: in use by another program")


def test_addresses_of_other_hosts() -> None:
    with pytest.raises(FleutanError, match=r"at 192\.0\.2\.1 port 6343: this host does not have that address"):
        listen("192.0.2.1", 6343)


@pytest.mark.skipif(not capabilities.missing(("CAP_NET_BIND_SERVICE",)), reason="needs to be without privileges")
def test_ports_that_need_privileges() -> None:
    with pytest.raises(Unbound, match="CAP_NET_BIND_SERVICE"):
        listen("127.0.0.1", 7)


@pytest.mark.parametrize("address", ["localhost", "", "127.0.0.1.", "1.2.3.4/8", "fe80::1%", "::g", "\udcff", "é" * 70])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises((UsageError, Unbound)):
        listen(address, 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port(port: int) -> None:
    with pytest.raises(UsageError, match="0 to 65535"):
        listen("127.0.0.1", port)
