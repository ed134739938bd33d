# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import time

import pytest

from fleutan.linux import netlink
from fleutan.linux.netlink import GENERIC, Family, Listener, Refused, attribute, family, family_of

ROUTE, GETLINK, NEWLINK, LINK_GROUP = 0, 18, 16, 1


def test_a_family_is_told_with_its_groups() -> None:
    groups = attribute(1, attribute(1, b"config\0") + attribute(2, struct.pack("=I", 8)))
    groups += attribute(2, attribute(1, b"packets\0") + attribute(2, struct.pack("=I", 9)))
    answer = attribute(1, struct.pack("=H", 34)) + attribute(2, b"psample\0") + attribute(7, groups)
    assert family_of(answer) == Family(34, {"config": 8, "packets": 9})
    assert family_of(b"") == Family(0, {})


def test_the_kernel_tells_of_its_own_family() -> None:
    with Listener("families", GENERIC) as listener:
        assert family(listener, "nlctrl") == Family(16, {"notify": 16})
        with pytest.raises(Refused, match="families: no such file or directory") as refused:
            family(listener, "nobody's")
    assert refused.value.errno == errno.ENOENT


def test_a_protocol_that_is_none_is_refused() -> None:
    with pytest.raises(Refused, match="nothing: protocol not supported"), Listener("nothing", 31):
        pass


def test_what_cannot_be_joined_is_refused() -> None:
    with Listener("links", ROUTE) as listener, pytest.raises(Refused, match="links: "):
        listener.join(1 << 20)


def test_a_socket_that_is_gone_is_refused() -> None:
    with Listener("families", GENERIC) as listener:
        pass
    with pytest.raises(Refused, match="bad file descriptor"):
        listener.ask(netlink._CONTROL, b"")
    with pytest.raises(Refused, match="bad file descriptor"):
        listener.receive()


def change(times: int, first: int = 2000) -> None:
    """Has the kernel tell of loopback's device, in this namespace, so many times."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for length in range(first, first + times):
            fcntl.ioctl(any_socket, 0x8943, struct.pack("16si12x", b"lo", length))  # SIOCSIFTXQLEN


@pytest.mark.usefixtures("namespace")
def test_what_a_group_is_told_comes_in_batches() -> None:
    with Listener("links", ROUTE) as listener:
        listener.join(LINK_GROUP)
        assert listener.receive() is None
        change(3)
        listener.wait(10)
        found = listener.receive()
        assert found is not None
        assert found.kinds.tolist() == [NEWLINK] * 3
        assert (found.ends - found.starts > 16).all()
        began = time.monotonic()
        listener.wait(0)
        assert (listener.receive(), listener.overruns, listener.broken) == (None, 0, 0)
        assert time.monotonic() - began < 5


@pytest.mark.usefixtures("namespace")
def test_what_found_no_room_is_counted_as_once() -> None:
    with Listener("links", ROUTE, room=4096) as listener:
        listener.join(LINK_GROUP)
        change(50)
        found = listener.receive()
        assert found is not None
        assert 1 <= len(found.kinds) < 50
        assert listener.overruns == 1
        while listener.receive() is not None:
            pass
        change(1, 3000)
        again = listener.receive()
        assert again is not None
        assert again.kinds.tolist() == [NEWLINK]
        assert listener.overruns == 1


@pytest.mark.usefixtures("namespace")
def test_what_comes_unasked_is_no_answer() -> None:
    with Listener("links", ROUTE) as listener:
        listener.join(LINK_GROUP)
        change(2)
        (answer,) = listener.ask(GETLINK, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
        assert struct.unpack_from("=i", answer, 4) == (1,)


def test_nothing_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Listener("families", GENERIC) as listener:
        assert listener.fileno() >= 0
    assert len(os.listdir("/proc/self/fd")) == before
