# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from mmap import PAGESIZE

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bpf import FOLDER, needs_bpf

from fleutan.linux.libbpf import BpfObject
from fleutan.linux.ringbuffer import Octets, RingBuffer, entries

BUSY, DISCARDED = 1 << 31, 1 << 30


def piece(*strings: bytes, flags: int = 0) -> Octets:
    """Strings as they lie in a ring; ``flags`` for the last one's head."""
    heads = [len(one) for one in strings[:-1]] + [len(one) | flags for one in strings[-1:]]
    pairs = zip(heads, strings, strict=True)
    return np.frombuffer(
        b"".join(struct.pack("=II", head, 7) + one + bytes(-len(one) % 8) for head, one in pairs), "u1"
    )


def read(waiting: Octets) -> tuple[list[bytes], int]:
    found = entries(waiting)
    spans = zip(found.starts.tolist(), found.sizes.tolist(), strict=True)
    return [waiting[start : start + size].tobytes() for start, size in spans], found.end


def test_nothing_is_no_entries() -> None:
    assert read(piece()) == ([], 0)


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_what_was_written_is_read(strings: list[bytes]) -> None:
    waiting = piece(*strings)
    assert read(waiting) == (strings, len(waiting))


@given(st.integers(0, 100), st.integers(1, 20))
def test_entries_of_one_size_may_look_like_heads(size: int, count: int) -> None:
    strings = [bytes([size] * size)] * count
    assert read(piece(*strings))[0] == strings


def test_what_is_still_being_written_is_left_for_later() -> None:
    assert read(piece(b"first", b"second", flags=BUSY)) == ([b"first"], 16)
    assert read(piece(b"first", b"a longer one", flags=BUSY)) == ([b"first"], 16)
    assert read(piece(b"only", flags=BUSY)) == ([], 0)


def test_what_a_program_threw_away_is_passed_over() -> None:
    assert read(piece(b"first", b"away", flags=DISCARDED)) == ([b"first"], 32)
    assert read(piece(b"first", b"far away for good", flags=DISCARDED)) == ([b"first"], 48)
    assert read(piece(b"away", flags=DISCARDED)) == ([], 16)


# -- the kernel: records of TCP's beginnings and ends (lifecycle.bpf.c), 192 octets each


@contextmanager
def ring(room: int) -> Iterator[RingBuffer]:
    with ExitStack() as held:
        elf = (FOLDER / "lifecycle.bpf.o").read_bytes()
        loaded = held.enter_context(BpfObject("lifecycle", elf, bytes(4), sizes={"records": room}))
        made = held.enter_context(RingBuffer(loaded.map("records")))
        loaded.attach("inet_sock_set_state")
        yield made


def listen_and_close() -> int:
    """Two records: a socket that listens, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def ports(made: RingBuffer) -> list[int]:
    """The ports in what waits."""
    found = made.read()
    assert (found.sizes == 192).all()
    assert (found.starts % 8 == 0).all()
    at = found.starts + 9 * 8 + 2 * 16 + 11 * 4
    return [int(found.octets[place : place + 2].view(np.uint16)[0]) for place in at.tolist()]


@needs_bpf
def test_the_kernels_entries_are_read_round_after_round() -> None:
    with ring(PAGESIZE) as made:
        assert made.room == PAGESIZE
        for _ in range(30):  # the ring holds 20 records
            wanted = [listen_and_close() for _ in range(5)]
            found = ports(made)
            assert [port for port in found if port in wanted] == [port for port in wanted for _ in range(2)]
        assert ports(made) == []


@needs_bpf
def test_a_reader_is_woken_when_the_program_says_so() -> None:
    with ring(PAGESIZE) as made:
        waiting = select.poll()
        waiting.register(made, select.POLLIN)
        assert waiting.poll(0) == []
        for _ in range(10):  # the program wakes who reads a ring that is half full
            listen_and_close()
        assert waiting.poll(10_000) == [(made.fileno(), select.POLLIN)]
        began = time.monotonic()
        made.wait(10)
        assert time.monotonic() - began < 5
        assert len(ports(made)) >= 19
        made.wait(0)


@needs_bpf
def test_nothing_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with ring(PAGESIZE) as made:
        listen_and_close()
        kept = made.read()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(kept.sizes) >= 2
    with pytest.raises(AttributeError):
        made.read()
