# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.asking import until

from fleutan.errors import FleutanError
from fleutan.faces.web.bounds import Bounds
from fleutan.faces.web.spool import PIECE, ReaderGone, ReaderSlow, Room, Spool

SMALL = Bounds(spool=3 * PIECE, spools=4 * PIECE, held=1000, early=100, patience=5.0)


async def taken(spool: Spool) -> bytes:
    await spool.begun()
    return b"".join([piece async for piece in spool.pieces()])


def run(write: Callable[[Spool], object], read: Callable[[Spool], Any], bounds: Bounds = SMALL) -> tuple[Any, Room]:
    """What the reader makes of what the writer, in a thread, wrote; and the room that is left."""
    room = Room(bounds.spools)

    async def both() -> Any:
        spool = Spool(room, bounds, asyncio.get_running_loop())
        thread = threading.Thread(target=write, args=(spool,))
        thread.start()
        try:
            return await read(spool)
        finally:
            spool.close()
            await asyncio.to_thread(thread.join)

    return asyncio.run(both()), room


def test_octets_come_as_they_were_written_however_many() -> None:
    octets = np.random.default_rng(1).bytes(20 * PIECE + 17)
    sizes = [1, 50, 2 * PIECE, PIECE + 1, 3 * PIECE, 7]

    def write(spool: Spool) -> None:
        at = turn = 0
        while at < len(octets):
            spool.write(octets[at : at + sizes[turn % len(sizes)]])
            at += sizes[turn % len(sizes)]
            turn += 1
        spool.end()

    found, room = run(write, taken)
    assert found == octets
    assert room.free == SMALL.spools


def test_an_error_before_anything_is_raised_at_the_beginning() -> None:
    def write(spool: Spool) -> None:
        spool.write(b"a few")
        spool.end(FleutanError("no"))

    with pytest.raises(FleutanError, match="no"):
        run(write, lambda spool: spool.begun())


def test_an_error_later_comes_behind_what_was_written() -> None:
    async def read(spool: Spool) -> list[bytes]:
        await spool.begun()
        found = []

        async def rest() -> None:
            async for piece in spool.pieces():
                found.append(piece)
                if len(found) == 1:
                    spool.end(FleutanError("no"))

        with pytest.raises(FleutanError, match="no"):
            await rest()
        return found

    found, _ = run(lambda spool: spool.write(b"x" * 200), read)
    assert b"".join(found) == b"x" * 200


def test_an_empty_answer_is_one() -> None:
    found, _ = run(lambda spool: spool.end(), taken)
    assert found == b""


def test_the_writer_is_told_that_the_reader_has_gone() -> None:
    told: list[Exception] = []

    def write(spool: Spool) -> None:
        try:
            while True:
                spool.write(b"x" * PIECE)
        except ReaderGone as error:
            told.append(error)

    async def leave(spool: Spool) -> None:
        await spool.begun()
        spool.close()
        spool.close()

    _, room = run(write, leave)
    assert [str(error) for error in told] == ["the client has gone"]
    assert room.free == SMALL.spools


def test_a_reader_that_takes_nothing_is_not_waited_for_for_ever() -> None:
    bounds = Bounds(spool=2 * PIECE, spools=100 * PIECE, held=10, early=10, patience=0.05)
    told: list[Exception] = []

    def write(spool: Spool) -> None:
        try:
            spool.write(b"x" * 3 * PIECE)
        except ReaderSlow as error:
            told.append(error)

    async def wait(spool: Spool) -> None:
        await spool.begun()
        await asyncio.to_thread(until, lambda: told)

    run(write, wait, bounds)
    assert "took nothing" in str(told[0])


def test_all_spools_together_are_bounded() -> None:
    room = Room(PIECE)
    bounds = Bounds(spool=10 * PIECE, held=10, early=10, patience=0.01)

    async def two() -> None:
        loop = asyncio.get_running_loop()
        first, second = Spool(room, bounds, loop), Spool(room, bounds, loop)
        first.write(b"x" * (PIECE - 1))
        with pytest.raises(ReaderSlow):
            second.write(b"xx")
        first.close()
        second.write(b"xx")
        second.close()

    asyncio.run(two())
    assert room.free == PIECE


class Full(io.BytesIO):
    def write(self, _octets: Any) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said() -> None:
    async def one() -> None:
        spool = Spool(Room(1000), SMALL, asyncio.get_running_loop(), Full())
        with pytest.raises(FleutanError, match="cannot be kept until it is sent: No space left"):
            spool.write(b"x")
        spool.close()

    asyncio.run(one())


def test_a_spool_outlives_its_loop() -> None:
    loop = asyncio.new_event_loop()
    spool = Spool(Room(1000), SMALL, loop)
    loop.close()
    spool.write(b"x")
    spool.end()
    spool.close()
