# SPDX-License-Identifier: Apache-2.0
"""The counters of network devices as a Table: a row for each device and direction.

What lies between two readings is computed in ``analysis.queues``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np

from fleutan.column import Column, text_column
from fleutan.errors import FleutanError
from fleutan.linux import interfaces, namespaces
from fleutan.linux.interfaces import Side
from fleutan.linux.namespaces import Namespace
from fleutan.table import Reading, Table

COUNTERS = ("bytes", "packets", "errors", "dropped")


class Kernel(NamedTuple):
    """What is asked of Linux; whoever has figures of another origin puts them in its place."""

    counters: Callable[[], list[Side]] = interfaces.counters
    entered: Callable[[Namespace], AbstractContextManager[None]] = namespaces.entered


LINUX = Kernel()


def table(spaces: Iterable[Namespace], kernel: Kernel = LINUX) -> Table:
    """The Table ``interfaces`` of these namespaces; a note says which could not be read."""
    rows: list[tuple[Namespace, Side]] = []
    notes: list[str] = []
    for space in spaces:
        try:
            with kernel.entered(space):
                rows += [(space, side) for side in kernel.counters()]
        except FleutanError as error:
            notes.append(str(error))
    columns = {
        "netns": text_column([space.name for space, _ in rows]),
        "netns_inode": Column(np.array([space.inode for space, _ in rows], np.int64)),
        "dev": text_column([side.dev for _, side in rows]),
        "direction": text_column([side.direction for _, side in rows]),
        **{name: Column(np.array([getattr(side, name) for _, side in rows], np.int64)) for name in COUNTERS},
    }
    return Table("interfaces", columns, Reading(source="rtnetlink", notes=tuple(notes)))
