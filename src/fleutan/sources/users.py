# SPDX-License-Identifier: Apache-2.0
"""Sockets that were used and lived only between two readings, as a Table: one row for each, with its owner.

The table is for the search by cookie in ``attribution``.  What TCP's were is told by ``lifecycle``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleutan.column import Column, text_column
from fleutan.linux import users
from fleutan.linux.cgroups import paths_by_id
from fleutan.linux.users import Noticed, Noticing
from fleutan.records import Records
from fleutan.sources.words import RULES, unknown
from fleutan.table import Reading, Table

Ints = NDArray[np.int64]

SOURCE = ", ".join(users.PROGRAMS)
_TOLD = ("cookie", "netns_inode")
_UNTOLD = ("proto", "src", "dst", "sport", "dport")


def noticing() -> Noticing:
    """The programs that see who uses a socket for ``table``, to be entered."""
    return Noticing()


def table(
    noticed: Noticed,
    flows: Sequence[Table] = (),
    host: str = "",
    groups: Callable[[], Mapping[int, str]] = paths_by_id,
) -> Table:
    """A Table of kind ``users``: ``cookie``, ``netns_inode``, and in ``pids`` who used the socket first.

    ``flows`` are Tables with ``pids`` and ``cookie``: sockets whose owners they tell are left
    out, for who holds a socket is more than who used it first.  Ends and protocol are unknown,
    so a search by them finds nothing.  The related table ``owners`` has ``pid``, ``comm`` and
    ``cgroup`` of every process as they were then, also of those that have ended; ``groups`` gives
    the paths of control groups by id, and is asked where there are any.
    """
    values = _brief(users.parse(noticed), flows)
    pids, first, sets = np.unique(values["pid"], return_index=True, return_inverse=True)
    columns = {name: RULES[name].read(values[RULES[name].word], None) for name in _TOLD}
    columns |= {name: _nothing(name, len(sets)) for name in _UNTOLD}
    columns["pids"] = Column(sets.astype(np.int32), None, tuple((pid,) for pid in pids.tolist()))
    owners = {
        "owner": Column(np.arange(len(pids))),
        "pid": Column(pids),
        "comm": text_column([comm.decode("utf-8", "replace") for comm in values["comm"][first].tolist()]),
        "cgroup": text_column(_paths(values["cgroup_id"][first].tolist(), groups)),
    }
    at_ns, interval_ns = noticed.ended_ns + noticed.wall_ns, noticed.ended_ns - noticed.began_ns
    reading = Reading(host, "all", at_ns, interval_ns, SOURCE, _notes(noticed))
    return Table("users", columns, reading, {"owners": Table("owners", owners)})


def _brief(records: Records, flows: Sequence[Table]) -> dict[str, NDArray[Any]]:
    """What is known of the sockets whose owners nobody else tells, and whose users can be numbered."""
    ours, left = records.values["idiag_cookie"], records.known["pid"].copy()
    for known in flows:
        cookies = known.columns["cookie"]
        told = cookies.values[cookies.mask() & known.columns["pids"].mask()]
        left &= ~np.isin(ours, told[_may_be(told, ours)])
    return {name: values[left] for name, values in records.values.items()}


def _may_be(told: Ints, ours: Ints) -> NDArray[np.bool_]:
    """Which have their last bits in common with any of ours: there are many flows, and few that have."""
    bits = np.zeros(1 << 16, np.bool_)
    bits[ours & 0xFFFF] = True
    found: NDArray[np.bool_] = bits[told & 0xFFFF]
    return found


def _nothing(name: str, rows: int) -> Column:
    """Unknown; a port is none that there is, for 0 is what a socket has that waits for anyone."""
    column = unknown(name, rows)
    return Column(np.full(rows, -1), column.known) if name.endswith("port") else column


def _paths(ids: Sequence[int], groups: Callable[[], Mapping[int, str]]) -> list[str | None]:
    """Of control groups by id; the root tells nothing, for there all processes are on a host with v1 hierarchies."""
    paths = groups() if ids else {}
    return [paths.get(number, "").rstrip("/") or None for number in ids]


def _notes(noticed: Noticed) -> tuple[str, ...]:
    """What the reading lacks."""
    if not noticed.pushed_out:
        return ()
    found = f"{noticed.pushed_out} sockets that were used found no room"
    return (f"{found}: packets of those that lived for a moment have no owner",)
