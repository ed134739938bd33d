# SPDX-License-Identifier: Apache-2.0
"""A question about what happens on this host (drops, lives of connections), answered from reading to reading.

The question is one of ``fleutan.live``; its states, thresholds and rates have no meaning here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fleutan.analysis.figures import is_word
from fleutan.errors import UsageError
from fleutan.live import Question, host_name, predicate_of
from fleutan.sources import drops, flows, lifecycle
from fleutan.sources.capture import Capture, Reader
from fleutan.table import Table

#: What is remembered of the owners of sockets that are gone when all is read.
_REMEMBERED = ("pids", "comm", "cgroup")


class Counter(Protocol):
    """What counts while it is entered."""

    def wait(self, seconds: float) -> None:
        """Passes the time, and may take in meanwhile what was counted."""

    def read(self) -> Any:
        """What was counted since the last call."""


class Kind(NamedTuple):
    """Something that is counted: the kind of its table and the columns, who counts, and how a table is made of it."""

    name: str
    columns: tuple[str, ...]
    counting: Callable[[], AbstractContextManager[Counter]]
    table: Callable[..., Table]


KINDS = {
    "drops": Kind("drops", drops.COLUMNS, drops.counting, drops.table),
    "lifecycle": Kind("lifecycle", lifecycle.COLUMNS, lifecycle.watching, lifecycle.table),
}


class Events:
    """Counts while the context lasts; each reading tells what happened since the one before.

    Making one raises UsageError for a field that is not known of the kind, and FilterError;
    entering raises NotSupported with the reason where the kernel or the user's rights do not
    allow it.
    """

    def __init__(self, question: Question, reader: Reader, kind: Kind, every: bool = False) -> None:
        self._question = question
        self._predicate = predicate_of(question)
        self._reader = reader
        self._kind = kind
        self._every = every
        self._held = ExitStack()
        asked = self._predicate.fields | self._predicate.owner_fields if self._predicate else frozenset()
        for name in sorted(asked.union(question.fields)):
            require(name, kind)

    def __enter__(self) -> Events:
        self._counting = self._held.enter_context(self._kind.counting())
        self._before = _owners(self._reader.take())
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def after(self, seconds: float) -> Table:
        """What happened until so many seconds from now."""
        self._counting.wait(seconds)
        return self.read()

    def read(self) -> Table:
        """What happened since the last reading, as the question means it."""
        counts, after = self._counting.read(), self._reader.take()
        before, self._before = self._before, _owners(after)
        table = self._kind.table(counts, flows=(self._before, before), host=host_name())
        rows = self._scope(table, after)
        if self._predicate is not None:
            from fleutan.query.selection import matching

            rows &= matching(table, self._predicate)
        spaces = {dump.namespace.name for dump in after.namespaces}
        netns = "all" if self._every else " ".join(sorted(spaces))
        return replace(table.take(rows), reading=replace(table.reading, netns=netns))

    def _scope(self, table: Table, after: Capture) -> NDArray[np.bool_]:
        """Rows of these namespaces (and those of which it is not known), protocols and family."""
        kept = np.ones(len(table), np.bool_)
        if not self._every:
            spaces = table.column("netns_inode")
            inodes = [dump.namespace.inode for dump in after.namespaces]
            kept &= ~spaces.mask() | np.isin(spaces.values, inodes)
        if self._question.protos:
            kept &= is_word(table, "proto", *self._question.protos)
        if self._question.family:
            kept &= is_word(table, "family", self._question.family)
        return kept


def _owners(capture: Capture) -> Table:
    """Whose the sockets are, with the names of processes while they are there."""
    return flows.table(capture, _REMEMBERED)


def require(name: str, kind: Kind) -> str:
    """The name of a field that is known of the kind.  Raises UsageError for another."""
    from fleutan.fields import require as field

    found = field(name).name
    if found not in kind.columns:
        raise UsageError(f"{found} is not known of {kind.name}; 'fleutan {kind.name} --fields all' has what is")
    return found
