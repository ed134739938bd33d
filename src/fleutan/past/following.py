# SPDX-License-Identifier: Apache-2.0
"""An answer that goes on: what was, then interval after interval as they end, until its own end.

What lives here reads no clock and does not wait: both are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from fleutan.errors import UsageError
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
#: So long after its end an interval has all its rows, unless it is said otherwise.
SETTLE = 10 * SECOND
#: What says when a window ends, and what says one at all.
ENDS, WINDOWS = ("time", "end", "to", "during"), ("time", "start", "end", "from", "to", "since", "during")
#: Forms that are of a whole answer, and why.
FORMS = {
    "parquet": "a Parquet file ends before it can be read: ask for it without wait=yes",
    "plot": "a picture shows what was: draw it without --wait",
}


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

    def answer(
        self,
        request: Request,
        ask: Callable[[Request], Iterator[Table]],
        now_ns: Callable[[], int],
        pause: Callable[[float], object],
    ) -> Iterator[Table]:
        """What was, then each step as it ends; ``pause`` waits for so many seconds, or raises what ends it all."""
        at = request.start_ns
        while at < self.end_ns:
            upto = self.settled(now_ns())
            if upto > at:
                yield from ask(replace(request, start_ns=at, end_ns=upto))
                at = upto
            if at < self.end_ns:
                pause(self.seconds(at, now_ns()))

    def settled(self, now_ns: int) -> int:
        """Until when all rows are there: the end of a step, or of the whole."""
        settled = now_ns - self.settle_ns
        return self.end_ns if settled >= self.end_ns else settled // self.step_ns * self.step_ns

    def seconds(self, at: int, now_ns: int) -> float:
        """How long it is until the step that ``at`` is in can be told."""
        ends = min((at // self.step_ns + 1) * self.step_ns, self.end_ns)
        return max(0.0, (ends + self.settle_ns - now_ns) / 1e9)


def following(
    request: Request, words: Mapping[str, str], now_ns: int, settle_ns: int = SETTLE, form: str = ""
) -> Following:
    """How the request goes on: without an end for ever, without any window from now on.

    Raises UsageError for modules that say one thing of a whole window, and for forms of whole answers.
    """
    if request.module in WHOLE:
        raise UsageError(f"{request.module} has no intervals: ask it without wait=yes, again and again")
    if why := FORMS.get(form or words.get("format", "")):
        raise UsageError(why)
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
