# SPDX-License-Identifier: Apache-2.0
"""``wait=yes``: an answer that goes on, interval after interval as they end, until its end or the client's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf

from fleutan.errors import UsageError
from fleutan.faces.web.desk import Work
from fleutan.past.jobs import NAMES
from fleutan.past.request import MIDDLE, SECOND, Request
from fleutan.query.times import FOREVER
from fleutan.table import Table

#: Modules that list rows as they are: they have no intervals, and need none to go on.
LISTINGS = ("tuple", "trace", "drops", "counters", "paths", "exporters", "flow-reassembly")
#: Modules whose answer is one of the whole window.
WHOLE = ("owners", "limits")
#: A lake is asked at most so often: what is written is in it after 5 s.
STEP = 5 * SECOND
#: What says when a window ends, and what says one at all.
ENDS, WINDOWS = ("time", "end", "to", "during"), ("time", "start", "end", "from", "to", "since", "during")


@dataclass(frozen=True)
class Following:
    """An answer of [``start_ns``, ``end_ns``) whose rows come as intervals of ``width_ns`` end.

    An interval is told ``settle_ns`` after its end: rows come into a lake later than they were.
    """

    start_ns: int
    end_ns: int
    width_ns: int
    settle_ns: int

    @property
    def step_ns(self) -> int:
        """So much is asked at once: whole intervals."""
        return -(-STEP // self.width_ns) * self.width_ns

    def asked(self, request: Request) -> Request:
        """The request of the whole, with intervals where its module can have them."""
        bounded = replace(request, start_ns=self.start_ns, end_ns=self.end_ns)
        return bounded if request.module in LISTINGS else replace(bounded, interval_ns=self.width_ns, granularity=1)

    def tables(self, work: Work, request: Request) -> Iterator[Table]:
        """What was, then each step as it ends; a database is held only while it is asked."""
        at, begun = request.start_ns, False
        while at < self.end_ns:
            upto = self.settled(work.service.now_ns())
            if upto > at:
                window = replace(request, start_ns=at, end_ns=upto)
                yield from work.tables(window, inf if begun else None)
                at = upto
            if not begun:
                work.spool.begin()
                begun = True
            if at < self.end_ns:
                work.pause(self.seconds(at, work.service.now_ns()))

    def settled(self, now_ns: int) -> int:
        """Until when all rows are there: the end of a step, or of the whole."""
        settled = now_ns - self.settle_ns
        return self.end_ns if settled >= self.end_ns else settled // self.step_ns * self.step_ns

    def seconds(self, at: int, now_ns: int) -> float:
        """How long it is until the step that ``at`` is in can be told."""
        ends = min((at // self.step_ns + 1) * self.step_ns, self.end_ns)
        return max(0.0, (ends + self.settle_ns - now_ns) / 1e9)


def following(request: Request, words: Mapping[str, str], now_ns: int, settle_ns: int) -> Following:
    """How the request goes on: without an end for ever, without any window from now on.

    Raises UsageError for modules that say one thing of a whole window, and for forms of whole answers.
    """
    if request.module in WHOLE:
        raise UsageError(f"{request.module} has no intervals: ask it without wait=yes, again and again")
    if words.get("format") == "parquet":
        raise UsageError("a Parquet file ends before it can be read: ask for it without wait=yes")
    start_ns, end_ns = _window(request, words, now_ns)
    return Following(start_ns, end_ns, _width(request, now_ns), settle_ns)


def _window(request: Request, words: Mapping[str, str], now_ns: int) -> tuple[int, int]:
    if any(word in words for word in ENDS):
        return request.start_ns, request.end_ns
    if any(word in words for word in WINDOWS):
        return request.start_ns, FOREVER
    if any(word in words for word in NAMES):  # of jobs: theirs, and of one that runs what is to come
        return request.start_ns, request.end_ns if request.end_ns < now_ns else FOREVER
    return now_ns, FOREVER


def _width(request: Request, now_ns: int) -> int:
    """The interval that is said, else one that suits how far back the answer begins."""
    past_ns = min(max(0, now_ns - request.start_ns), MIDDLE)
    return replace(request, end_ns=request.start_ns + past_ns).fitting_ns
