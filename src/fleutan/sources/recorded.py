# SPDX-License-Identifier: Apache-2.0
"""Datagrams of a capture file or of standard input, in batches, as fast as they are wanted or in their own time.

What lives here opens and reads, a bounded chunk at a time; what a file means stands in
``protocols.capture``.
"""

from __future__ import annotations

import fcntl
import os
import select
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fleutan.errors import FleutanError
from fleutan.linux.allocation import keep_freed
from fleutan.protocols.capture import rejects
from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.fragments import Fragments
from fleutan.protocols.capture.reading import Reader
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.sflow.sampling import Sampler
from fleutan.sources.datagrams import NONE, SLICE, Account, quiet

Ints = NDArray[np.int64]

#: What stands for standard input.
STANDARD_INPUT = "-"
#: Octets read at a time: columns of so many datagrams are worth their making, and stay in a CPU's cache.
CHUNK = 3 << 20
#: What a pipe is asked to hold, so that little is read at a time only where little comes.
_PIPE = 1 << 20
#: Of these nothing can be read, so that to go on would look like an empty file.
_HOPELESS = (rejects.NOT_A_CAPTURE, rejects.COMPRESSED)
_SECOND = 1_000_000_000
#: The shortest pause between batches in their own time, in seconds: what falls into it comes together.
_TICK = 0.01


class Recorded:
    """Datagrams in a capture file (``-``: standard input), of those to these ports only if any are named.

    With a ``sampler`` they are those that it makes of the file's frames, whatever these are.
    With ``now``, a clock in ns, they come in their own time, as far from the first as the file
    says; ``sleep`` waits so many seconds (its own way is ended by ``stop``).  Opened by ``with``;
    entering raises FleutanError where the file cannot be opened, iterating where it cannot be
    read or is no capture file.
    """

    def __init__(
        self,
        path: str,
        ports: Collection[int] = (),
        now: Callable[[], int] | None = None,
        sleep: Callable[[float], object] | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        self._path, self._ports = path, list(ports)
        self._now, self._sleep = now, sleep or self._pause
        self._reader, self._fragments, self._sampler = Reader(), Fragments(), sampler
        self._unread: Counter[str] = Counter()
        self._account = Account(path, 0, 0, 0, None, {})
        self._stopped = False
        self._wake = -1

    def __enter__(self) -> Self:
        keep_freed()
        with ExitStack() as held:
            self._file = self._opened(held)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            held.callback(os.close, self._wake)
            self._held = held.pop_all()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._stopped, self._wake = True, -1
        self._held.close()

    def _opened(self, held: ExitStack) -> int:
        if self._path == STANDARD_INPUT:
            with suppress(OSError):  # no pipe, or not as much
                fcntl.fcntl(0, fcntl.F_SETPIPE_SZ, _PIPE)
            return 0
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._failed(error.strerror) from None
        held.callback(os.close, file)
        return file

    def _failed(self, reason: str | None) -> FleutanError:
        name = "standard input" if self._path == STANDARD_INPUT else self._path
        return FleutanError(f"reading {name}: {(reason or 'failed').lower()}")

    def __iter__(self) -> Iterator[Datagrams]:
        return self.batches()

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        """Batches as they are read; an empty one whenever none came for so long; ends with the file or ``stop``."""
        found = self._read(seconds)
        for batch in found if self._now is None else self._paced(found, self._now):
            self._count(batch)
            yield batch

    def stop(self) -> None:
        """Ends ``batches`` after the batch that is worked on; may be called by a signal's handler."""
        self._stopped = True
        if self._wake >= 0:
            os.eventfd_write(self._wake, 1)

    def accounts(self) -> list[Account]:
        """What was read, and what of the file could not be."""
        rejected = self._reader.rejects + self._fragments.rejects + self._unread
        if self._sampler is not None:
            rejected += self._sampler.rejects
        return [self._account._replace(rejected=dict(rejected))]

    def _read(self, seconds: float | None) -> Iterator[Datagrams]:
        waiting = select.poll()
        for descriptor in (self._file, self._wake):
            waiting.register(descriptor, select.POLLIN)
        waits = quiet(seconds)
        while not self._stopped:
            wait, is_last = next(waits)
            if not waiting.poll(wait * 1000):
                if is_last:
                    yield NONE
            elif not self._stopped:
                waits = quiet(seconds)
                octets, came = self._chunk()
                yield from self._made(octets)
                if not came:
                    self._reader.finish()
                    self._fragments.finish()
                    return

    def _chunk(self) -> tuple[memoryview, int]:
        """What comes next, behind what is left of what came before; how much came: nothing at the end."""
        left = self._reader.taken()
        octets = np.empty(len(left) + CHUNK, np.uint8).data
        octets[: len(left)] = left
        came = self._filled(octets[len(left) :])
        return octets[: len(left) + came], came

    def _filled(self, room: memoryview) -> int:
        """How much of what there is now went into the room."""
        came = 0
        try:
            while came < len(room) and (more := os.readv(self._file, [room[came:]])):
                came += more
                if not select.select((self._file,), (), (), 0)[0]:
                    break
        except OSError as error:
            raise self._failed(error.strerror) from None
        return came

    def _made(self, octets: memoryview) -> Iterator[Datagrams]:
        """The datagrams that are whole with these octets, if there are any."""
        frames = self._reader.feed(octets)
        for reason in _HOPELESS:
            if self._reader.rejects[reason]:
                raise self._failed(reason)
        self._unread.update(frames.unread())
        datagrams = self._sampler.datagrams(frames) if self._sampler else udp_datagrams(frames, self._fragments)
        if self._ports:
            datagrams = datagrams.take(np.isin(datagrams.dport, self._ports))
        if datagrams.spans.rows:
            yield datagrams

    def _count(self, batch: Datagrams) -> None:
        known = self._account
        self._account = known._replace(
            received=known.received + batch.spans.rows,
            octets=known.octets + int(batch.sizes.sum()),
            truncated=known.truncated + int(np.count_nonzero(batch.spans.sizes < batch.sizes)),
        )

    def _paced(self, batches: Iterator[Datagrams], now: Callable[[], int]) -> Iterator[Datagrams]:
        """The same datagrams, each not before its time; those whose time is not known, with what is before them."""
        first, began = 0, now()
        for batch in batches:
            timed = batch.at_ns[batch.at_ns > 0]
            if not first and len(timed):
                first, began = int(timed[0]), now()
            due = np.maximum.accumulate(batch.at_ns) - first
            yield from self._in_time(batch, due, began, now)

    def _in_time(self, batch: Datagrams, due: Ints, began: int, now: Callable[[], int]) -> Iterator[Datagrams]:
        """A batch in the parts that are due at once; ``due`` is in ns since it began, and in order."""
        given = 0
        while given < len(due) and not self._stopped:
            elapsed = now() - began
            end = int(due.searchsorted(elapsed, "right"))
            if end > given:
                yield batch.take(np.arange(given, end))
                given = end
            else:
                self._sleep(max((int(due[given]) - elapsed) / _SECOND, _TICK))
        if not len(due):
            yield batch

    def _pause(self, seconds: float) -> None:
        """Sleeps so long, until ``stop`` or for SLICE at the longest: whoever waits longer asks again."""
        waiting = select.poll()
        waiting.register(self._wake, select.POLLIN)
        waiting.poll(min(seconds, SLICE) * 1000)
