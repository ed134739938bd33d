# SPDX-License-Identifier: Apache-2.0
"""The parameters of a question as text, as a URL or a command line has them, become a Request.

Those of Metroflux are spelled as it spells them; CoMo's of single modules too.  Which form an
answer has is also a parameter, but forms are no business of this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple

from fleutan.errors import UsageError
from fleutan.fields import nearest
from fleutan.past.jobs import Lookup, found, narrowed
from fleutan.past.request import MINUTE, SECOND, Request
from fleutan.query import times
from fleutan.query.filter import PAST_SYNONYMS, parse

#: Every parameter: what it says.
PARAMETERS: Mapping[str, str] = {
    "time": "time range A:B, as in -1h:0 or @093000:+10m",
    "start": "beginning of the window, unix time",
    "end": "end of the window, unix time",
    "during": "time range as people write it, as in yesterday 14:00..15:00",
    "from": "beginning of the window as people write it",
    "to": "end of the window as people write it",
    "since": "the window's length back from now, as in 3h",
    "interval": "measurement interval: seconds, or 10s, 5m, 1h",
    "granularity": "so many intervals become one",
    "source": "tuple (flow records) or trace (packet samples)",
    "filter": "which records are meant",
    "format": "how the answer is written",
    "wait": "yes: goes on as records come",
    "jobid": "only the nodes and the time of a job",
    "gridjobid": "the same of a grid job",
    "topn": "so many are told",
    "use-src": "topaddr: sources",
    "use-dst": "topaddr: destinations",
    "keys": "talkers, owners, limits: comma-separated fields that are told apart",
    "measures": "talkers: comma-separated fields that are added up",
    "order": "talkers: the measure to sort by",
    "limit": "at most so many rows",
    "include": "protocol: a protocol that is told apart",
    "url": "topaddr as HTML: where addresses lead",
    "urlargs": "topaddr as HTML: further arguments there",
    "utc": "dates in UTC",
}
#: What says which window is meant; those of one row cannot be together with those of another.
_WINDOWS = (("time",), ("start", "end"), ("during",), ("from", "to", "since"))
#: Largest numbers that are taken.
MOST_ROWS, MOST_GRANULARITY = 100_000_000, 1_000_000


class Asked(NamedTuple):
    """A question, and ``notes`` that say in a line each how it was understood."""

    request: Request
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moment:
    """When and where a question is asked.

    ``now_ns`` is UTC, ``zone`` the one that people mean (None: this system's); ``jobs`` are who looks
    up what ``jobid`` and ``gridjobid`` name.
    """

    now_ns: int
    zone: tzinfo | None = None
    jobs: Mapping[str, Lookup] = field(default_factory=dict)


def understood(module: str, words: Mapping[str, str], moment: Moment, default_ns: int = 60 * MINUTE) -> Asked:
    """The Request that the parameters mean; without a window the last ``default_ns``.

    Raises UsageError for parameters that there are not, and values that are none.
    """
    for word in words:
        if word not in PARAMETERS:
            near = nearest(word, PARAMETERS)
            hint = f"did you mean {near}?" if near in PARAMETERS else f"there are {', '.join(PARAMETERS)}"
            raise UsageError(f"no parameter is called {word[:40]!r}; {hint}")
    if words.get("wait", "no") not in ("yes", "no"):
        raise UsageError(f"wait={words['wait'][:40]}: say yes or no")
    window = window_of(words, moment, default_ns)
    request = Request(
        module,
        window.start_ns,
        window.end_ns,
        parse(words.get("filter", ""), PAST_SYNONYMS),
        words.get("source", ""),
        _interval(words),
        _number(words, "granularity", 1, MOST_GRANULARITY) or 1,
        _number(words, "topn", 0, MOST_ROWS) if "topn" in words else _number(words, "limit", 0, MOST_ROWS),
        "src" if "use-src" in words else "dst",
        _names(words.get("keys")),
        _names(words.get("measures")),
        words.get("order", ""),
    )
    timed = any(word in words for row in _WINDOWS for word in row)
    return Asked(narrowed(request, found(words, moment.jobs), timed, moment.now_ns), window.notes)


def window_of(words: Mapping[str, str], moment: Moment, default_ns: int) -> times.Window:
    """The window that the parameters say; what goes on has no end unless one is said, and begins now."""
    given = [row for row in _WINDOWS if any(word in words for word in row)]
    if len(given) > 1:
        raise UsageError(f"{given[0][0]} and {given[1][0]} both say a time: leave one out")
    now_ns, zone = moment.now_ns, moment.zone
    if "time" in words:
        return times.parse_range(words["time"], now_ns)
    if "during" in words:
        return times.parse_during(words["during"], now_ns, zone)
    goes_on = words.get("wait") == "yes"
    if "start" in words or "end" in words:
        found = times.parse_bounds(words.get("start"), words.get("end"), now_ns)
        is_open = "end" not in words and not goes_on
        return found._replace(end_ns=max(now_ns, found.start_ns)) if is_open else found
    if "since" in words and "from" in words:
        raise UsageError("from and since both say a beginning: leave one out")
    begins = words.get("from", words.get("since"))
    start_ns = now_ns if goes_on else now_ns - default_ns
    start_ns = start_ns if begins is None else times.parse_moment(begins, now_ns, zone)
    end_ns = times.FOREVER if goes_on else now_ns
    end_ns = end_ns if "to" not in words else times.parse_moment(words["to"], now_ns, zone)
    if end_ns < start_ns:
        raise UsageError("the window ends before it begins")
    return times.Window(start_ns, end_ns)


def _interval(words: Mapping[str, str]) -> int | None:
    if "interval" not in words:
        return None
    found = times.parse_duration(words["interval"])
    if found <= 0:
        raise UsageError("an interval of 0: say seconds, as in interval=5")
    if found < SECOND // 1000:
        raise UsageError("an interval below a millisecond: say a longer one")
    if found * (_number(words, "granularity", 1, MOST_GRANULARITY) or 1) > times.FOREVER:
        raise UsageError("interval times granularity is longer than time is here: say less")
    return found


def _number(words: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    if name not in words:
        return None
    text = words[name].strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and least <= int(text) <= most):
        raise UsageError(f"{name}={words[name][:40]}: say a number from {least} to {most}")
    return int(text)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
