# SPDX-License-Identifier: Apache-2.0
"""Why a flow is no faster: one verdict per established TCP flow, its evidence and a hint.

The first of ``rules.RULES`` that holds decides; one whose figures are unknown is passed over, so
nothing is guessed.  A table of the kind DELTAS (``rates.compare``) has counters over an interval,
and the rules that need an interval then apply; any other table's counters run since the
connection began.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.evidence import names, sentences
from fleutan.analysis.figures import COMPUTED, Figures
from fleutan.analysis.rules import RULES, THRESHOLDS, At
from fleutan.column import Column
from fleutan.errors import UsageError
from fleutan.fields import BY_NAME, nearest
from fleutan.table import Table

GIVES = ("limit", "evidence", "hint")
_WORDS = ("proto", "state", "timer", "ca_state", "cong")


def _fields() -> tuple[str, ...]:
    figures = (name for rule in RULES for name in (*rule.needs, *names(rule.evidence), "ssthresh"))
    return tuple(
        dict.fromkeys(field for name in figures for field in (COMPUTED[name].of if name in COMPUTED else (name,)))
    )


#: The fields that the rules read.
NEEDS = (*_WORDS, *_fields())


def verdicts(table: Table, thresholds: At | None = None, fields: Collection[str] = GIVES) -> dict[str, Column]:
    """The columns ``limit``, ``evidence`` and ``hint`` (of these, ``fields``), of the table's length.

    Unknown for what is no established TCP flow, for flows that vanished, and where no rule
    holds.  Without ``evidence`` it takes no text per flow; ask for it of the rows that are
    shown (``verdicts(table.take(rows))``).  Raises UsageError for a threshold that is none.
    """
    check(thresholds or {})
    figures = Figures(table)
    which = _decided(figures, thresholds or {})
    found: dict[str, Column] = {}
    if "limit" in fields:
        found["limit"] = _by_rule(which, [rule.limit for rule in RULES])
    if "evidence" in fields:
        found["evidence"] = _evidence(which, figures)
    if "hint" in fields:
        found["hint"] = _by_rule(which, [rule.hint for rule in RULES])
    return found


def check(thresholds: At) -> None:
    """Raises UsageError for a threshold that is none."""
    known = [threshold.name for threshold in THRESHOLDS]
    for name, value in thresholds.items():
        if np.isnan(value):
            raise UsageError(f"threshold {name}: nothing can be compared with {value}")
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near in known else f"there are {', '.join(known)}"
            raise UsageError(f"no threshold of the limits is called {name!r}; {hint}")


def summary(table: Table) -> list[tuple[str | None, int]]:
    """Each verdict in the column ``limit`` and how many flows have it, most first; None: not known."""
    column = table.column("limit")
    words = [None, *(column.words or ())]
    counts = np.bincount(column.values + 1, minlength=len(words)).tolist()
    found = sorted(zip(words, counts, strict=True), key=lambda verdict: -verdict[1])
    return [verdict for verdict in found if verdict[1]]


def _decided(figures: Figures, chosen: At) -> NDArray[np.int64]:
    at = {threshold.name: threshold.default for threshold in THRESHOLDS} | dict(chosen)
    open_ = figures.says("proto", "tcp") & figures.says("state", "established") & ~figures.says("change", "vanished")
    which = np.full(len(open_), -1, np.int64)
    for number, rule in enumerate(RULES):
        if not open_.any():
            break
        holds = open_ & figures.known(rule.needs) & rule.when(figures, at)
        which[holds] = number
        open_ &= ~holds
    return which


def _by_rule(which: NDArray[np.int64], texts: Sequence[str | None]) -> Column:
    """The text of each row's rule; the last code is that of rows without one."""
    words = list(dict.fromkeys(text for text in texts if text is not None))
    codes = np.array([-1 if text is None else words.index(text) for text in (*texts, None)], np.int32)
    return Column(codes[which], None, tuple(words))


def _evidence(which: NDArray[np.int64], figures: Figures) -> Column:
    codes = np.full(len(which), -1, np.int32)
    words: list[str] = []
    for number in np.unique(which[which >= 0]).tolist():
        template = RULES[number].evidence
        rows = np.flatnonzero(which == number)
        told = {name: figures[name][rows] for name in names(template)}
        found, texts = sentences(template, told, {name: _unit(name) for name in told})
        codes[rows] = found + len(words)
        words += texts
    return Column(codes, None, tuple(words))


def _unit(name: str) -> str:
    return COMPUTED[name].unit if name in COMPUTED else BY_NAME[name].unit
