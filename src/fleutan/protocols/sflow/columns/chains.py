# SPDX-License-Identifier: Apache-2.0
"""Lists of tagged, sized entries, followed in many strings at once.

An sFlow datagram is a list of samples, a sample a list of structures, an AS path a list of
segments: each entry is a tag, a length and a body.  What lives here finds the entries and knows
no tag.  All lists take a step at the same time; a few that are much longer than the others leap
(``_leap``), so that no list of forged entries costs more than its octets are worth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleutan.protocols.sflow.columns.words import Words
from fleutan.protocols.spans import Ints, Mask

#: Words and octets of a tag and a length.
HEAD, HEAD_OCTETS = 2, 8
#: From which step on how few lists leap: a step costs as much for a hundred lists as for one, a
#: leap as much as some ten steps a thousand words.
STEPS, FEW = 32, 64


class Chains(NamedTuple):
    """The entries of ``n`` lists: first those that are first in their lists, then the second ones, and so on.

    ``owner`` (which list), ``number`` (which in its list), ``at`` (the body's first word),
    ``ends`` (the octet behind the body, at most that behind its list) and ``overrun`` (whether it
    claims to be longer than its list) have a row an entry.  ``found``
    ``(n,)`` says how many entries each list has, ``reached`` ``(n,)`` the octet behind the last of
    them.
    """

    owner: Ints
    number: Ints
    at: Ints
    ends: Ints
    overrun: Mask
    found: Ints
    reached: Ints

    def in_order(self) -> Chains:
        """The entries list by list."""
        firsts = np.cumsum(self.found) - self.found
        rows = np.empty(len(self.owner), np.int64)
        rows[firsts[self.owner] + self.number] = np.arange(len(rows))
        return self.take(rows)

    def take(self, some: Mask | Ints) -> Chains:
        """These entries; ``found`` and ``reached`` go on to tell of all."""
        numbers = np.flatnonzero(some) if some.dtype == np.bool_ else some
        return Chains(
            self.owner.take(numbers),
            self.number.take(numbers),
            self.at.take(numbers),
            self.ends.take(numbers),
            self.overrun.take(numbers),
            self.found,
            self.reached,
        )


class _Front(NamedTuple):
    """Lists that go on: which they are, at which word, up to which octet, how many entries they promise."""

    rows: Ints
    at: Ints
    ends: Ints
    counts: Ints

    def take(self, some: Mask | Ints) -> _Front:
        # Numbers once, then each column by them: by a mask each costs several times as much.
        numbers = np.flatnonzero(some) if some.dtype == np.bool_ else some
        return _Front(*(column.take(numbers) for column in self))


class _Entries(NamedTuple):
    """What a step finds; columns as in ``Chains``."""

    owner: Ints
    number: Ints
    at: Ints
    ends: Ints
    overrun: Mask


def follow(words: Words, starts: Ints, ends: Ints, counts: Ints, unit: int = 1) -> Chains:
    """The entries of lists that lie from these words up to these octets, at most ``counts`` of each.

    A list goes on as long as a tag and a length lie within it: what is longer than the list is
    its last entry, as far as it is there.  A forged count makes nothing larger.  Lengths are in
    ``unit`` octets; bodies are padded to words, but for the last where the padding is missing.
    """
    found, reached = np.zeros(len(starts), np.int64), np.minimum(4 * starts, ends)
    parts: list[_Entries] = []
    front, step = _Front(np.arange(len(starts)), starts, ends, counts), 0
    while True:
        goes = (front.counts > step) & (4 * front.at <= front.ends - HEAD_OCTETS)
        if not goes.all():
            _leave(front.take(~goes) if goes.any() else front, step, found, reached)
            front = front.take(goes)
        if not len(front.rows):
            break
        if step >= STEPS and len(front.rows) <= FEW:
            parts.append(_leap(words, front, step, unit, found, reached))
            break
        entries, behind = _entries(words, front, np.full(len(front.rows), step), unit)
        parts.append(entries)
        front, step = front._replace(at=behind), step + 1
    return Chains(*_joined(parts), found, reached)


def _entries(words: Words, front: _Front, number: Ints, unit: int) -> tuple[_Entries, Ints]:
    """The entries that these lists have where they are, and the words behind them."""
    size = words.at(front.at + 1)
    if unit != 1:
        size *= unit
    body = front.at + HEAD
    behind = body + (size + 3 >> 2)
    promised = 4 * body + size
    ends = np.minimum(promised, front.ends)
    return _Entries(front.rows, number, body, ends, promised > ends), behind


def _joined(parts: list[_Entries]) -> _Entries:
    if not parts:
        none = np.zeros(0, np.int64)
        return _Entries(none, none, none, none, none > 0)
    return parts[0] if len(parts) == 1 else _Entries(*map(np.concatenate, zip(*parts, strict=True)))


def _leave(front: _Front, steps: int | Ints, found: Ints, reached: Ints) -> None:
    """Says how far these lists came, which go no further."""
    found[front.rows] = steps
    reached[front.rows] = np.minimum(4 * front.at, front.ends)


def _leap(words: Words, front: _Front, step: int, unit: int, found: Ints, reached: Ints) -> _Entries:
    """All further entries of these lists.

    Each word is looked at as if an entry began there, so that it points to the next one; pointers
    are then doubled: the entries 1, 2, 4, 8 … ahead of those known become known.
    """
    heads = (front.ends - HEAD_OCTETS >> 2) - front.at + 1  # where an entry can begin
    firsts = np.cumsum(heads) - heads
    total = int(heads.sum())
    owner = np.repeat(np.arange(len(heads)), heads)
    number = np.arange(total)
    at = number + (front.at - firsts)[owner]
    ahead = number + HEAD + (words.at(at + 1) * unit + 3 >> 2)
    entries = np.flatnonzero(_reachable(np.where(ahead < (firsts + heads)[owner], ahead, total), firsts))
    mine = owner[entries]
    rank = np.arange(len(entries)) - np.searchsorted(entries, firsts)[mine]
    kept = rank < front.counts[mine] - step
    at, front, rank = at[entries[kept]], front.take(mine[kept]), step + rank[kept]
    found_here, behind = _entries(words, front._replace(at=at), rank, unit)
    _leave(front._replace(at=behind), rank + 1, found, reached)  # of a list named twice the last counts
    return found_here


def _reachable(ahead: Ints, firsts: Ints) -> Mask:
    """Which numbers are reached from ``firsts``, where each leads to a higher one, or out of all."""
    out = len(ahead)
    ahead = np.append(ahead, out)
    known = np.zeros(out + 1, np.bool_)
    known[firsts] = known[out] = True
    while not known[found := ahead[known]].all():
        known[found] = True
        ahead = ahead[ahead]
    return known[:out]
