# SPDX-License-Identifier: Apache-2.0
"""Jobs of a batch system in a question: rows of their nodes, and their time where no other is asked for.

Who knows of jobs is asked by ``sources.jobs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from fleutan.address import parse_prefix
from fleutan.errors import UsageError
from fleutan.past.request import Request
from fleutan.query.expression import Comparison, Endpoint, Expression, all_of
from fleutan.sources.jobs import Job, grid_job, job
from fleutan.sources.jobs import Lookup as Settings

#: Looks a job up by its identity.
Lookup = Callable[[str], Sequence[Job]]
#: The parameters that name jobs.
NAMES = ("jobid", "gridjobid")


def found(words: Mapping[str, str], lookups: Mapping[str, Lookup]) -> list[Job]:
    """The jobs that the parameters name.  Raises what the lookups raise."""
    named = [name for name in NAMES if name in words]
    for name in named:
        if name not in lookups:
            raise UsageError(f"{name}: nobody is named who knows of jobs: see [jobs] of the configuration")
    return [one for name in named for one in lookups[name](words[name])]


def lookups_of(settings: Settings) -> dict[str, Lookup]:
    """Who looks jobs up as settings say: none where they name nobody."""
    if settings.source == "none":
        return {}
    return {"jobid": lambda word: job(word, settings), "gridjobid": lambda word: grid_job(word, settings)}


def expression(jobs: Iterable[Job]) -> Expression:
    """Rows of which either end is a node of the jobs."""
    addresses = dict.fromkeys(address for one in jobs for address in one.addresses)
    return Comparison(("src", "dst"), "=", tuple(Endpoint(parse_prefix(address)) for address in addresses))


def narrowed(request: Request, jobs: Sequence[Job], timed: bool, now_ns: int) -> Request:
    """The request of the jobs' nodes; without a time of its own (``timed``) of the jobs' time."""
    if not jobs:
        return request
    request = replace(request, filter=all_of([request.filter, expression(jobs)]))
    if timed:
        return request
    ends = [now_ns if one.end_ns is None else one.end_ns for one in jobs]
    return replace(request, start_ns=min(one.start_ns for one in jobs), end_ns=max(ends))
