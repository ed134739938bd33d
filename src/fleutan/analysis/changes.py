# SPDX-License-Identifier: Apache-2.0
"""How paths differ from what they were: by destination, from one trace to a later one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fleutan.analysis.divergence import Divergence, divergence
from fleutan.analysis.paths import Path


class Change(NamedTuple):
    """A path to a destination as it was and as it is, aligned."""

    before: Path
    after: Path
    aligned: Divergence


class Changes(NamedTuple):
    """What became of the paths: those that changed, those that are new, those that are gone; of the rest none."""

    changed: tuple[Change, ...]
    new: tuple[Path, ...]
    gone: tuple[Path, ...]

    def __bool__(self) -> bool:
        return any(self)


def changes(before: Sequence[Path], after: Sequence[Path]) -> Changes:
    """Compares two traces of the same flows.

    Of the paths of a destination (by one method) those are the same of which every hop that
    answered both times is; what is left on both sides has changed, in order.
    """
    ends = dict.fromkeys((path.destination, path.method) for path in (*before, *after))
    changed: list[Change] = []
    new: list[Path] = []
    gone: list[Path] = []
    for end in ends:
        old, now = ([path for path in paths if (path.destination, path.method) == end] for paths in (before, after))
        for path in list(now):
            same = next((one for one in old if _is_same(one, path)), None)
            if same is not None:
                old.remove(same)
                now.remove(path)
        pairs = min(len(old), len(now))
        changed += [Change(one, two, divergence([one, two])) for one, two in zip(old, now, strict=False)]
        gone += old[pairs:]
        new += now[pairs:]
    return Changes(tuple(changed), tuple(new), tuple(gone))


def _is_same(one: Path, other: Path) -> bool:
    return not divergence([one, other]).branches
