# SPDX-License-Identifier: Apache-2.0
"""The drop monitor as a kernel has it that has one: begun, joined, ended; its messages of what software drops."""

from __future__ import annotations

import socket

import pytest

from fleutan.errors import NotSupported
from fleutan.linux.netlink import attribute
from fleutan.linux.packets import dropmon
from fleutan.linux.packets.dropmon import Dropmon


def begun() -> Dropmon:
    made = Dropmon(header=64)
    try:
        return made.__enter__()
    except NotSupported as error:
        pytest.skip(f"needs drop_monitor: {error}")


def test_it_is_begun_joined_and_ended() -> None:
    made = begun()
    with Dropmon() as second:  # which leaves the first one's settings alone, and does not end it
        assert second.read() is None
    assert made.dropped() >= 0
    made.__exit__()
    with Dropmon(header=96) as again:
        (answer,) = again._ask(dropmon._CONFIG_GET)
        assert dropmon.mode_of(answer[4:]) == 1
        assert dropmon._told(answer[4:]).numbers(dropmon._TRUNC_LEN)[0].tolist() == [96]


def test_messages_are_as_they_are_read() -> None:
    """Software's drops are told as devices' are, but for the names of traps."""
    made = begun()
    software = attribute(dropmon._SW_DROPS, b"")
    made._ask(dropmon._START, software)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(bytes(100), ("127.0.0.1", 9))
        made.listener.wait(10)
        came = made.listener.receive()
    finally:
        made._ask(dropmon._STOP, software)
        made.__exit__()
    assert came is not None
    found = dropmon.parse(came, made._family, dropmon.SOFTWARE)
    mine = [row for row in range(len(found.starts)) if found.length[row] in (128, 142, 108)]
    assert mine
    row = mine[0]
    assert found.input[row] == socket.if_nametoindex("lo")
    assert found.protocol[row] == 0x0800
    assert found.at_ns[row] > 1_600_000_000_000_000_000
    assert 0 < found.sizes[row] <= 64
