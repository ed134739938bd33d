# SPDX-License-Identifier: Apache-2.0
"""The tables beside what Python's own socket module gives and takes."""

from __future__ import annotations

import errno
import os
import socket
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux import messages

SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::fffe")


def test_the_headers_are_the_kernels() -> None:
    """Offsets of struct mmsghdr on 64-bit hosts (include/linux/socket.h)."""
    if struct.calcsize("P") != 8:
        pytest.skip("needs a 64-bit host")
    fields = messages.MESSAGE["header"].fields
    assert fields is not None
    assert [fields[name][1] for name in fields] == [0, 8, 16, 24, 32, 40, 48]
    assert messages.MESSAGE.itemsize == 64
    assert messages.MESSAGE.fields is not None
    assert messages.MESSAGE.fields["length"][1] == 56


def test_names_are_those_of_the_kernel() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    assert messages.name_of(bytes([127, 0, 0, 1]), port) == struct.pack("=H", socket.AF_INET) + struct.pack(
        "!H4B8x", port, 127, 0, 0, 1
    )
    six = messages.name_of(SIX, 6343, 7)
    assert six == struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16s", 6343, 0, SIX) + struct.pack("=I", 7)


def test_names_become_halves_and_ports() -> None:
    table = np.zeros((2, messages.NAME), np.uint8)
    for row, name in zip(table, (messages.name_of(SIX, 1), messages.name_of(bytes(16), 65535)), strict=True):
        row[: len(name)] = np.frombuffer(name, np.uint8)
    halves, ports = messages.senders(table, socket.AF_INET6)
    assert halves.tolist() == [[0x20010DB8 << 32, 0xFFFE], [0, 0]]
    assert ports.tolist() == [1, 65535]
    table[0, :16] = np.frombuffer(messages.name_of(bytes([255, 0, 2, 1]), 6343), np.uint8)
    halves, ports = messages.senders(table[:1], socket.AF_INET)
    assert halves.tolist() == [[0, 0xFFFF_FF00_0201]]
    assert ports.tolist() == [6343]


def test_one_address_as_halves() -> None:
    assert messages.halves_of(bytes([192, 0, 2, 1])).tolist() == [[0, 0xFFFF_C000_0201]]
    assert messages.halves_of(SIX).tolist() == [[0x20010DB8 << 32, 0xFFFE]]
    assert messages.halves_of(b"\xff" * 16).tolist() == [[-1, -1]]


def test_control_messages_are_found_by_level_and_type() -> None:
    size = struct.calcsize("@Nii")
    one = struct.pack("@Nii", size + 4, 1, 40) + struct.pack("=I4x", 9)
    other = struct.pack("@Nii", size + 20, 41, 50) + bytes(24)
    assert messages.control_places(one + other) == {(1, 40): size, (41, 50): 2 * size + 8}
    assert messages.control_places(b"") == {}


@given(st.binary(max_size=100))
def test_control_messages_of_any_octets_end(octets: bytes) -> None:
    assert all(at <= len(octets) for at in messages.control_places(octets).values())


def test_what_fails_is_told_and_what_would_wait_is_nothing() -> None:
    table = np.zeros(1, messages.MESSAGE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        assert messages.receive(one.fileno(), table) == 0
        with pytest.raises(OSError, match=os.strerror(errno.EDESTADDRREQ)):
            messages.send(one.fileno(), table)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        messages.receive(-1, table)
