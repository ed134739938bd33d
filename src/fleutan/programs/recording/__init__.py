# SPDX-License-Identifier: Apache-2.0
"""Recording: what this host's kernel sees, interval after interval, as Tables into a sink.

``run`` is the daemon, ``record`` its loop.  What a Table of a kind has stands in
``lake.kinds_host``; where it goes and how long it is kept is the sink's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from math import inf
from typing import NamedTuple

from fleutan.errors import FleutanError, Gone
from fleutan.live.rounds import Rounds
from fleutan.programs.recording import kept
from fleutan.programs.recording.beside import Beside
from fleutan.programs.recording.flows import Flows
from fleutan.programs.recording.pace import Pace, Side, Sink, Stop
from fleutan.programs.recording.settings import Settings
from fleutan.programs.recording.telling import Telling, lacking
from fleutan.programs.signals import Orders
from fleutan.sources.capture import Reader, without_remnants
from fleutan.sources.counting import Meters, lasting
from fleutan.sources.doctor import restricted
from fleutan.sources.memory import spare
from fleutan.table import Table

_SECOND = 1_000_000_000
Say = Callable[[str], object]


def _reader(settings: Settings) -> Reader:
    return Reader(settings.netns, settings.source, kernel=without_remnants())


def _beside(settings: Settings) -> Beside:
    return Beside(settings.netns)


def _sides(settings: Settings, say: Say) -> list[AbstractContextManager[Side]]:
    """What has a pace of its own."""
    made: list[AbstractContextManager[Side]] = []
    if settings.packets is not None:
        from fleutan.programs.recording.packets import Packets
        from fleutan.sources.tapped import sampling

        made.append(Packets(sampling(settings.packets, settings.one_in), say))
    if settings.paths is not None:
        from fleutan.programs.recording.paths import Paths, asking

        made.append(Paths(settings.paths, asking(settings.netns), say))
    return made


class Host(NamedTuple):
    """What is asked of this host; tests put others in its place."""

    sides: Callable[[Settings, Say], Sequence[AbstractContextManager[Side]]] = _sides
    reader: Callable[[Settings], Reader] = _reader
    beside: Callable[[Settings], Beside] = _beside
    meters: Callable[[], Meters] = lasting
    hidden: Callable[[], Sequence[str]] = restricted
    steady: Callable[[], float] = time.monotonic
    now_ns: Callable[[], int] = time.time_ns


HOST = Host()


def run(
    configured: Callable[[bool], Settings],
    opened: Callable[[Settings], AbstractContextManager[Sink]],
    orders: Orders,
    say: Say,
    host: Host = HOST,
) -> None:
    """Records until it is ordered to stop, or for as many intervals as the settings say.

    Where it is ordered to reload the sink is closed, and all begins again with the settings as
    they are then: ``configured`` is told that it is so.  Raises what ``record`` does.
    """
    spare()
    again = False
    while True:
        settings = configured(again)
        with opened(settings) as sink:
            record(settings, sink, orders, say, host)
        if not orders.asked or orders.stopped:
            return
        orders.reloaded()
        again = True


def record(settings: Settings, sink: Sink, stop: Stop, say: Say, host: Host = HOST) -> None:
    """Records until it is stopped, or for so many intervals; what an interval began is kept when it is stopped.

    ``say`` is told what cannot be recorded, and once each what a reading lacks.  Raises what
    ``Reader`` does when it is made, and Gone when the one namespace asked for is; any other
    failure is said, and the next interval is tried.
    """
    telling = Telling(say)
    with ExitStack() as held:
        entered = [held.enter_context(side) for side in host.sides(settings, say)]
        beside = held.enter_context(host.beside(settings))
        reader = held.enter_context(host.reader(settings))
        question, pace = Flows(), Pace(beside, sink, stop, entered, host.steady, host.now_ns)
        rounds = held.enter_context(Rounds(question, reader, besides=pace, meters=host.meters, readings=inf))
        if lacks := lacking(rounds.why, beside.why, host.hidden()):
            say(lacks)
        for _ in range(settings.count) if settings.count is not None else count():
            try:
                pace.keep(_tables(settings, question, beside, rounds))
            except Gone:
                raise
            except FleutanError as error:
                telling.tell([str(error)])
                pace.wait(settings.seconds, reader.wait)
            telling.tell(pace.notes)
            if stop.came:
                return


def _tables(settings: Settings, question: Flows, beside: Beside, rounds: Rounds) -> Iterator[Table]:
    """What an interval gives: a Table of each kind that has rows."""
    answer = rounds.after(length(settings, question.between[-1].reading.at_ns))
    reading, related = answer.reading, answer.related
    yield answer
    known = question.between[::-1]
    if lives := related.get("lifecycle"):
        yield kept.lives(lives)
        known = (*known, lives)
    if (dropped := beside.dropped(known)) is not None:
        yield kept.of_interval("drops", dropped, reading)
    if (carried := beside.carried(related.get("traffic"))) is not None:
        yield kept.of_interval("queues", carried, reading)


def length(settings: Settings, began_ns: int) -> float:
    """How long the interval that began then is to be: to a whole multiple of its length, not below half of that."""
    if not settings.aligned:
        return settings.seconds
    length = round(settings.seconds * _SECOND)
    past = began_ns % length
    return (length - past + (length if 2 * past > length else 0)) / _SECOND
