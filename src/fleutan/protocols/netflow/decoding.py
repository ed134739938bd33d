# SPDX-License-Identifier: Apache-2.0
"""A batch of datagrams into records, all of one layout together.

What lives here joins the parts in their order: headers, sets, templates, what had waited for them,
records.  What the records mean is asked of ``flows``, ``sections`` and ``messages``, and what each
datagram held of ``accounts``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.exporters.assigning import Assigned, assign, learn, read_by, shifted
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.exporters.told import Told
from fleutan.protocols.netflow.exporters.waiting import waiting, with_waited
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.arrived import Arrived, arrived
from fleutan.protocols.netflow.wire.groups import Group, grouped
from fleutan.protocols.netflow.wire.headers import read_headers
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import alike
from fleutan.protocols.netflow.wire.templates import FIRST_NUMBER

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Batch(NamedTuple):
    """What ``datagrams`` datagrams say: the records of each layout in ``groups``.

    Of each set in ``since`` (``(sets,)`` each): ``counts`` is how many records it holds, ``options``
    whether they are option records, ``templates`` how many templates it brought, and ``unread``
    whether it has no template and waits for it or was given up.
    """

    datagrams: int
    since: Arrived
    groups: list[Group]
    counts: Ints
    options: Mask
    templates: Ints
    unread: Mask
    told: Told
    noted: Rejects

    def of(self, options: bool) -> list[Group]:
        """The groups of option records, or those of data records."""
        return [group for group in self.groups if group.options == options]

    def ranks(self, group: Group) -> Ints:
        """``(n,)`` the number of each of its records among all of its kind, data or option records."""
        counts = np.where(self.options == group.options, self.counts, 0)
        return (np.cumsum(counts) - counts)[group.sets] + group.place


def decode(datagrams: Datagrams, state: State) -> Batch:
    """Every record of a batch whose template is known by its end; what the batch teaches goes to ``state``.

    Nothing raises: what cannot be read is in ``noted``, by reason (``rejects.REASONS``).  A template
    holds for the sets behind it; sets before the first of its number are read by that one.  Records
    that had waited for a template since an earlier batch come first.
    """
    noted = Rejects()
    state.waiting.expire(int(datagrams.at_ns.max(initial=0)), noted)
    since = arrived(datagrams.spans.octets, *read_headers(datagrams, noted), noted)
    changes, templates = learn(since, state, noted)
    waited = state.waiting.release(changes)
    if waited:
        since, changes = with_waited(since, waited), shifted(changes, len(waited))
        templates = np.concatenate((np.zeros(len(waited), np.int64), templates))
    assigned = assign(since, changes, state)
    unread = (assigned.reader < 0) & (since.sets.number >= FIRST_NUMBER)
    _wait(since, np.flatnonzero(unread), state, noted)
    groups = _groups(since, assigned, noted)
    told = Told(state, since.scopes)
    counts, options = np.zeros(len(unread), np.int64), np.zeros(len(unread), np.bool_)
    for group in groups:
        counts += np.bincount(group.sets, minlength=len(counts))
        options[group.sets] = group.options
        if group.options:
            told.learn(state, group, since.scope[group.sets])
    told.settle()
    return Batch(len(datagrams.at_ns), since, groups, counts, options, templates, unread, told, noted)


def _groups(since: Arrived, assigned: Assigned, noted: Rejects) -> list[Group]:
    read = np.flatnonzero(assigned.reader >= 0)
    groups = []
    for rows, reader, _ in alike(assigned.reader[read], np.zeros(len(read), np.int64)):
        groups.append(grouped(since, read[rows], *read_by(assigned.readers[reader]), noted))
    return groups


def _wait(since: Arrived, rows: Ints, state: State, noted: Rejects) -> None:
    """Keeps what has no template, as far as there is room."""
    full = []
    for row in rows.tolist():
        if state.waiting.fits(since.scopes[since.scope[row]], int(since.sets.size[row])):
            state.waiting.add(waiting(since, row))
        else:
            full.append(row)
    noted.add(rejects.NO_TEMPLATE, since.datagram[np.array(full, np.int64)])
