# SPDX-License-Identifier: Apache-2.0
"""Finding what runs on this host, by walking through its control groups a little at a time.

A walk takes no more than a share of a processor: on most hosts it is over at once, with ten thousand
containers it is spread over some ten seconds.  What a walk found counts until the next is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from fleutan.linux.cgroupstats import files, parse
from fleutan.linux.cgroupstats.groups import is_populated
from fleutan.linux.cgroupstats.hierarchies import Hierarchies
from fleutan.linux.cgroupstats.walk import Group, groups
from fleutan.sources.counters.entities.kinds import Choice, Entity, begun

#: Seconds from the beginning of one walk to that of the next at the least.
REFRESH_S = 10.0
#: The share of a processor that walking may take, and seconds of it that may be taken at once.
SHARE, AT_ONCE_S = 0.01, 0.05
#: The same for the first walk: before it is over there is nothing to tell.
FIRST_AT_ONCE_S = 0.25
#: More are not told.
MOST = 20_000

Around = tuple[Entity, ...]


class Found(NamedTuple):
    """What a walk found: entities by their keys; and by the ids of v2's groups the keys of those they are part of."""

    entities: Mapping[str, Entity]
    ids: Mapping[int, tuple[str, ...]]
    left_out: int = 0


class Finder:
    """Walks through the hierarchies, again and again, as ``advance`` is called."""

    def __init__(
        self,
        where: Hierarchies,
        choice: Choice,
        clock: Callable[[], float] = time.monotonic,
        refresh: float = REFRESH_S,
        most: int = MOST,
    ) -> None:
        self.found = Found({}, {})
        self.walks = 0
        self._where, self._choice, self._clock = where, choice, clock
        self._refresh, self._most = refresh, most
        self._due = self._called = clock()
        self._walk: Iterator[None] | None = None
        self._known: dict[str, Around] = {}

    def advance(self) -> bool:
        """Walks on for a moment; whether ``found`` is new."""
        now = self._clock()
        if self._walk is None:
            if now < self._due:
                self._called = now
                return False
            self._walk, self._due = self._steps(), now + self._refresh
        at_once = min(SHARE * (now - self._called), AT_ONCE_S) if self.walks else FIRST_AT_ONCE_S
        self._called = now
        for _ in self._walk:
            if self._clock() - now >= at_once:
                return False
        self._walk = None
        self.walks += 1
        return True

    def _steps(self) -> Iterator[None]:
        """One whole walk, a group a step; what it found is there at its end."""
        walk = _Walk(self._choice, self._known, self._most)
        for mount in self._where.walked():
            for group in groups(mount):
                walk.see(group, mount == self._where.v2)
                yield
        self.found = Found(walk.alive, walk.ids, len(walk.left_out))
        self._known = walk.around


class _Walk:
    """What a walk has found so far: ``around`` is what each group is a part of, outermost first."""

    def __init__(self, choice: Choice, known: Mapping[str, Around], most: int) -> None:
        self.alive: dict[str, Entity] = {}
        self.around: dict[str, Around] = {}
        self.ids: dict[int, tuple[str, ...]] = {}
        self.left_out: set[str] = set()
        self._choice, self._known, self._most = choice, known, most

    def see(self, group: Group, is_v2: bool) -> None:
        around = self._around(group.path)
        told = [entity for entity in around if self._choice.holds(entity)]
        if not told:
            return
        if is_v2:
            # The kernel tells of a group and all below it: it is enough to look where something begins.
            if told[-1].path == group.path and is_populated(group.folder):
                self._add(told[-1:])
            if keys := tuple(entity.key for entity in told if entity.key in self.alive):
                self.ids[group.inode] = keys
        elif any(entity.key not in self.alive for entity in told) and _has_processes(group.folder):
            self._add(told)

    def _around(self, path: str) -> Around:
        """Looked up where the last walk was, too: to read a path takes longer than all the rest."""
        if path in self.around:
            return self.around[path]
        around = self._known.get(path)
        if around is None:
            outer = self.around.get(path.rpartition("/")[0], ())
            entity = begun(path, outer)
            around = (*outer, entity) if entity else outer
        self.around[path] = around
        return around

    def _add(self, told: Iterable[Entity]) -> None:
        for entity in told:
            if entity.key in self.alive:
                continue
            if len(self.alive) < self._most:
                self.alive[entity.key] = entity
            else:
                self.left_out.add(entity.key)


def _has_processes(folder: str) -> bool:
    return bool(parse.pids(files.text(f"{folder}/cgroup.procs")))
