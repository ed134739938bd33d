# SPDX-License-Identifier: Apache-2.0
"""Paths to new peers, traced beside the recording, in a thread: a trace takes longer than an interval may.

How paths are traced is the business of ``live.paths``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from threading import Thread
from typing import Self

import numpy as np

from fleutan import address
from fleutan.analysis import paths as analysis
from fleutan.analysis.paths import Hop, Path
from fleutan.column import Column, text_column
from fleutan.errors import FleutanError
from fleutan.live import Question
from fleutan.live.paths import Answer, Settings, ask
from fleutan.programs.recording import kept
from fleutan.sources.capture import Reader
from fleutan.table import Table

#: Peers that are traced at a time, and that are remembered as traced; the oldest are forgotten.
MOST, REMEMBERED = 64, 65_536
Ask = Callable[[Sequence[str]], Answer]


def asking(netns: str | None) -> Ask:
    """Traces addresses from a namespace, inside their flows where that can be."""

    def trace(peers: Sequence[str]) -> Answer:
        with Reader(netns) as reader:
            return ask(Question(), reader, Settings(destinations=tuple(peers)))

    return trace


class Paths:
    """Traces every so many minutes the peers that flows had since then, each once; ``say`` is told what went wrong."""

    def __init__(
        self,
        minutes: float,
        trace: Ask,
        say: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._seconds, self._trace, self._say, self._clock, self._now_ns = 60 * minutes, trace, say, clock, now_ns
        self._new: dict[str, None] = {}
        self._traced: dict[str, None] = {}
        self._due = clock() + self._seconds
        self._thread: Thread | None = None
        self._answers: list[Answer | FleutanError] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """A trace under way is given up: its thread ends with the process."""

    def saw(self, flows: Table) -> None:
        """The peers of these flows are to be traced, if they were not yet."""
        for peer in peers(flows):
            if peer not in self._traced and len(self._new) < REMEMBERED:
                self._new[peer] = None

    def tables(self) -> Iterator[Table]:
        """The paths that were found since the call before."""
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            answer = self._answers.pop()
            if isinstance(answer, FleutanError):
                self._say(f"paths: {answer}")
            else:
                yield found(answer, self._now_ns())
        if self._thread is None and self._clock() >= self._due and self._new:
            self._due = self._clock() + self._seconds
            self._begin([*self._new][:MOST])

    def _begin(self, wanted: Sequence[str]) -> None:
        for peer in wanted:
            del self._new[peer]
            self._traced[peer] = None
        while len(self._traced) > REMEMBERED:
            del self._traced[next(iter(self._traced))]
        self._thread = Thread(target=self._run, args=(wanted,), name="paths", daemon=True)
        self._thread.start()

    def _run(self, wanted: Sequence[str]) -> None:
        try:
            self._answers.append(self._trace(wanted))
        except FleutanError as error:
            self._answers.append(error)
        except OSError as error:
            self._answers.append(FleutanError(error.strerror or str(error)))


def peers(flows: Table) -> list[str]:
    """The addresses of other hosts that flows of this one go to."""
    ends, own = flows.columns["dst"], flows.columns["src"]
    meant = ends.mask() & (flows.columns["dport"].values != 0) & (ends.values != own.values).any(axis=1)
    meant &= ~(flows.columns["forwarded"].mask() & (flows.columns["forwarded"].values != 0))
    return [text for text in address.texts(np.unique(ends.values[meant], axis=0)) if _is_away(text)]


def _is_away(text: str) -> bool:
    end = ip_address(text)
    return not (end.is_loopback or end.is_multicast or end.is_unspecified or text == "255.255.255.255")


def found(answer: Answer, now_ns: int) -> Table:
    """The table ``paths`` as it is kept."""
    table = analysis.table(answer.paths, answer.flows)
    rows = analysis.flows_of(answer.flows)
    first = [int(rows[path.id][0]) if path.id in rows else -1 for path in answer.paths]
    columns = {
        "time": Column(np.full(len(table), now_ns, np.int64)),
        "via_rtt": text_column([_rtts(path) for path in answer.paths]),
        **{name: _of_first(answer.flows.columns[name], first) for name in ("netns", "netns_inode")},
    }
    return kept.chosen("paths", table.with_columns(columns))


def _of_first(column: Column, rows: Sequence[int]) -> Column:
    """The column of the first flow of each path; unknown where a path has none."""
    there = np.array(rows, np.int64)
    if column.words is not None:
        codes = np.append(column.values, np.int32(-1))[there]
        return Column(codes.astype(np.int32), None, column.words)
    values, known = np.append(column.values, 0)[there], np.append(column.mask(), False)[there]
    return Column(values, known)


def _rtts(path: Path) -> str:
    return " ".join(map(_rtt, path.hops))


def _rtt(hop: Hop) -> str:
    return "*" if hop.rtt_us is None else f"{hop.rtt_us / 1000:.3f}"
