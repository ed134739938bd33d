# SPDX-License-Identifier: Apache-2.0
"""The memory of batches, by a socket of loopback and by what the kernel would have written."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from fleutan.errors import FleutanError
from fleutan.linux import messages
from fleutan.linux.listening import listen
from fleutan.linux.rooms import CONTROL, ROW, Room


def pieces(room: Room, row: int) -> list[tuple[int, int]]:
    """Where the kernel is told to write a message: places in ``octets``, and lengths."""
    many = int(room.messages["header"]["iovlen"][row])
    start = messages.address_of(room.octets)
    found = room._pieces[row][:many]
    return [(int(base) - start, int(length)) for base, length in zip(found["base"], found["length"], strict=True)]


@pytest.mark.parametrize("longest", [1, 63, 64, 1000, ROW, ROW + 1, 9000, 1 << 16])
def test_rows_do_not_overlap_and_take_the_longest(longest: int) -> None:
    room = Room(5, longest)
    taken = np.zeros(len(room.octets), np.int64)
    for row in range(5):
        parts = pieces(room, row)
        assert sum(length for _, length in parts) == longest
        for start, length in parts:
            assert start >= 0
            taken[start : start + length] += 1
    assert taken.max() == 1
    assert taken.sum() == 5 * longest


@pytest.mark.parametrize("longest", [100, ROW, ROW + 1, 9000])
def test_payloads_are_in_one_piece_wherever_they_were_written(longest: int) -> None:
    room = Room(6, longest)
    sizes = np.array([0, longest, min(longest, ROW), longest + 5, 1])
    whole = [np.random.default_rng(row).integers(0, 256, longest, np.uint8) for row in range(5)]
    for row, (octets, size) in enumerate(zip(whole, sizes.tolist(), strict=True), 1):
        written = 0
        for start, length in pieces(room, row):
            part = octets[written : min(written + length, size)]
            room.octets[start : start + len(part)] = part
            written += length
    starts, kept = room.payloads(slice(1, 6), sizes)
    assert kept.tolist() == np.minimum(sizes, longest).tolist()
    assert (starts % 4 == 0).all()
    for octets, start, size in zip(whole, starts.tolist(), kept.tolist(), strict=True):
        assert room.octets[start : start + size].tobytes() == octets[:size].tobytes()


def test_only_the_rows_that_are_asked_for_are_written() -> None:
    [ear] = listen("127.0.0.1", 0)
    room = Room(8, 100)
    with ear.socket, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for number in range(5):
            out.sendto(bytes([number]) * 10, ("127.0.0.1", ear.port))
        assert room.take(ear, 2, 0) == 0
        assert room.take(ear, 2, 3) == 3
        assert room.messages["length"].tolist() == [0, 0, 10, 10, 10, 0, 0, 0]
        assert room.take(ear, 0, 8) == 2  # headers that were used are made ready again
        assert room.messages["length"][:2].tolist() == [10, 10]
        assert (room.messages["header"]["controllen"][:2] < CONTROL).all()
        assert room.take(ear, 0, 8) == 0
    with pytest.raises(FleutanError, match=rf"^receiving at 127\.0\.0\.1 port {ear.port}: bad file descriptor$"):
        room.take(ear, 0, 8)
