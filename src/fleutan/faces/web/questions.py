# SPDX-License-Identifier: Apache-2.0
"""Parameters of a request become a question, and a question bytes: what both sets of addresses share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from fleutan.errors import UsageError
from fleutan.exports import forms
from fleutan.exports.como import FORMATS, default_format
from fleutan.exports.como.options import Options, included
from fleutan.faces.web.bounds import Service
from fleutan.faces.web.desk import Work, Written
from fleutan.faces.web.failures import NoSuchModule
from fleutan.faces.web.following import Following, following
from fleutan.faces.web.following import tables as told
from fleutan.past import parquet
from fleutan.past.database import Limits
from fleutan.past.modules import MODULES
from fleutan.past.parameters import Moment, understood
from fleutan.past.request import Request
from fleutan.sources.names import services
from fleutan.table import Table


@dataclass(frozen=True)
class Question:
    """A request that was understood: in which form it is answered, and ``follow`` how it goes on, if it does."""

    request: Request
    form: str
    options: Options
    notes: tuple[str, ...] = ()
    follow: Following | None = None

    @property
    def media_type(self) -> str:
        """What HTTP calls the answer."""
        return forms.content_type(self.form)

    def pieces(self, work: Work) -> Iterator[bytes]:
        """The answer; to be taken in a thread."""
        request = self.request
        head: dict[str, Any] = {"start_ns": request.start_ns}
        head |= {} if self.follow else {"end_ns": request.end_ns}
        head |= {"notes": list(self.notes)} if self.notes else {}
        tables = self._tables(work)
        if self.form == "parquet":
            yield from parquet.pieces(tables, Limits(work.service.bounds.memory))
        else:
            yield from forms.pieces(self.form, request.module, tables, self.options, head)

    def _tables(self, work: Work) -> Iterator[Table]:
        return told(self.follow, work, self.request) if self.follow else work.tables(self.request)


def answering(module: str, words: Mapping[str, str], form: str = "") -> Written:
    """What answers a request, in a thread: understanding it may mean asking who knows of jobs, and of names.

    Raises what ``question`` raises.
    """

    def written(work: Work) -> Iterator[bytes]:
        asked = question(work.service, module, words, form)
        work.media_type = asked.media_type
        work.note(*asked.notes)
        yield from asked.pieces(work)
        work.note(*(f"{rows} rows were left out: {why}" for why, rows in asked.options.left_out.items()))

    return written


def question(service: Service, module: str, words: Mapping[str, str], form: str = "") -> Question:
    """What a request means; ``form`` is the one that is taken where none is said, '' the module's own.

    Raises NoSuchModule, and UsageError for what cannot be understood.
    """
    if module not in MODULES:
        raise no_such(module)
    wait = words.get("wait", "no")
    if wait not in ("yes", "no"):
        raise UsageError(f"wait={wait[:40]}: say yes or no")
    zone = UTC if "utc" in words else None
    now_ns = service.now_ns()
    asked = understood(module, words, Moment(now_ns, zone, service.jobs))
    request = asked.request
    follow = following(request, words, now_ns, service.settle_ns) if wait == "yes" else None
    request = follow.asked(request) if follow else request
    form = form_of(module, words.get("format") or form)
    return Question(request, form, options_of(request, words, follow), asked.notes, follow)


def no_such(module: str) -> NoSuchModule:
    """The error that says which modules there are."""
    return NoSuchModule(f"no module is called {module[:40]!r}; there are {', '.join(MODULES)}")


def form_of(module: str, form: str) -> str:
    """The form that is meant.  Raises UsageError for one that the module does not have."""
    there = forms.forms_of(module)
    if not form:
        return default_format(module) if module in FORMATS else "json"
    if form not in there:
        raise UsageError(f"{module} has no format {form[:40]!r}; it has {', '.join(there)}")
    return form


def options_of(request: Request, words: Mapping[str, str], follow: Following | None) -> Options:
    """What forms need to know."""
    is_whole = request.module in ("topaddr", "topports") and request.interval_ns is None and follow is None
    interval_ns = request.end_ns - request.start_ns if is_whole else request.fitting_ns
    side: Any = request.side
    return Options(
        follow.width_ns if follow else interval_ns,
        UTC if "utc" in words else None,
        words.get("url", ""),
        tuple(words["urlargs"].split("&")) if words.get("urlargs") else (),
        names=services(),
        include=included(words.get("include", "")),
        side=side,
    )
