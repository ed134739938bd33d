# SPDX-License-Identifier: Apache-2.0
"""Whose sockets are gone, or were never seen: owners for rows that have no inode.

A row is matched with Tables that have ``cookie`` and ``pids`` (flows, lifecycle): by its cookie,
by its ends, or by the socket that waits at its local end.  Each way gives ``Claims``; what they
say together is joined as in ``owners``, with what is remembered of processes that have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.analysis import alike
from fleutan.column import Column
from fleutan.linux.proc import Holders, Process
from fleutan.sources.owners import Read, with_owners
from fleutan.table import Table

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: What sockets are told apart by; the last narrows the search down before the rest is compared.
_LOCAL = ("netns_inode", "proto", "src", "sport")
_ENDS = ("netns_inode", "proto", "src", "dst", "dport", "sport")
_ANY_IPV4, _ANY_IPV6 = (0, address.MAPPED), (0, 0)


class Claims(NamedTuple):
    """That process ``pids[i]`` owns row ``rows[i]``; a row may have several."""

    rows: Ints
    pids: Ints


NO_CLAIMS = Claims(np.zeros(0, np.int64), np.zeros(0, np.int64))


class Remembered(NamedTuple):
    """What is known of a process that may have ended: its command, and the path of its control group."""

    comm: str | None
    cgroup: str | None = None


def together(claims: Iterable[Claims]) -> Claims:
    """All claims."""
    rows, pids = zip(NO_CLAIMS, *claims, strict=True)
    return Claims(np.concatenate(rows), np.concatenate(pids))


def by_cookie(columns: Mapping[str, Column], left: Ints, table: Table) -> Claims:
    """Who holds the sockets of these rows, by their cookies."""
    left = left[columns["cookie"].mask()[left]]
    return _matched(_picked(columns, left, ("cookie",)), left, table, table.column("cookie").mask())


def by_ends(columns: Mapping[str, Column], left: Ints, table: Table) -> Claims:
    """Who holds the sockets of these rows, by protocol, addresses, ports and namespace."""
    return _matched(_picked(columns, left, _ENDS), left, table)


def by_listener(columns: Mapping[str, Column], left: Ints, table: Table) -> Claims:
    """Who holds the socket that waits at these rows' local ends: at the address, else at any.

    Of a socket for any IPv6 address it is taken that it waits for IPv4 too.
    """
    waits = table.column("dport").values == 0
    found: list[Claims] = []
    for at in (None, _ANY_IPV4, _ANY_IPV6):
        rows = left[address.is_ipv4(columns["src"].values[left])] if at == _ANY_IPV4 else left
        ours = _picked(columns, rows, _LOCAL)
        if at is not None:
            ours["src"] = Column(np.tile(np.array(at, np.int64), (len(rows), 1)))
        found.append(_matched(ours, rows, table, waits))
        left = left[~np.isin(left, found[-1].rows)]
    return together(found)


def _picked(columns: Mapping[str, Column], rows: Ints, names: Sequence[str]) -> dict[str, Column]:
    return {name: columns[name].take(rows) for name in names}


def _matched(ours: Mapping[str, Column], rows: Ints, table: Table, among: Mask | None = None) -> Claims:
    """The owners of those of the table (and of a mask) that are alike in all columns of ``ours``, of these rows."""
    pids = table.column("pids")
    *_, hint = ours
    if not len(rows):
        return NO_CLAIMS
    owned = np.flatnonzero(pids.mask() if among is None else pids.mask() & among)
    others = owned
    if len(owned) > len(rows):  # of a crowd most are no match by one column already
        others = owned[np.isin(table.columns[hint].values[owned], ours[hint].values)]
    if not len(others):
        return NO_CLAIMS
    names = tuple(ours)
    mine, theirs = alike.shared(*alike.paired(ours, _picked(table.columns, others, names), names))
    order = np.argsort(theirs, kind="stable")
    sizes = np.bincount(theirs, minlength=mine.max() + 1)
    first, many = (np.cumsum(sizes) - sizes)[mine], sizes[mine]
    sets = pids.values[others[order[_ranges(first, many)]]]
    return _members(np.repeat(rows, many), sets, pids.words or ())


def _members(rows: Ints, sets: NDArray[np.int32], words: Sequence[Sequence[int]]) -> Claims:
    """A claim for each member of each row's set."""
    lengths = np.array([len(members) for members in words], np.int64)
    flat = np.array([pid for members in words for pid in members], np.int64)
    starts = np.cumsum(lengths) - lengths
    return Claims(np.repeat(rows, lengths[sets]), flat[_ranges(starts[sets], lengths[sets])])


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """``starts[0], starts[0] + 1 ...``, so many of each, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())


def with_claims(
    columns: Mapping[str, Column],
    claims: Claims,
    wanted: Collection[str],
    read: Read,
    remembered: Callable[[Collection[int]], Mapping[int, Remembered]],
) -> tuple[dict[str, Column], Table]:
    """The columns with the wanted ones of ``owners.SOCKET_FIELDS``, and the table ``owners``.

    ``remembered`` tells of processes that ``read`` does not find any more.
    """
    rows = len(columns["cookie"])
    numbered = {**columns, "inode": Column(np.arange(1, rows + 1))}
    holders = Holders(claims.pids.tolist(), (claims.rows + 1).tolist(), 0)
    found, owners = with_owners(numbered, holders, wanted, _remembering(read, remembered))
    del found["inode"]
    return found, owners


def remembered_by(tables: Iterable[Table]) -> Callable[[Collection[int]], dict[int, Remembered]]:
    """What tables with ``owners``, read while they lived, tell of processes that have ended; the first that does."""

    def remembered(gone: Collection[int]) -> dict[int, Remembered]:
        found: dict[int, Remembered] = {}
        for owners in (table.related["owners"] for table in tables if "owners" in table.related):
            rows = owners.take(np.isin(owners.columns["pid"].values, [*gone]))
            texts = [
                rows.columns[name].objects() if name in rows else [None] * len(rows) for name in ("comm", "cgroup")
            ]
            for pid, comm, cgroup in zip(rows.columns["pid"].values.tolist(), *texts, strict=True):
                if comm is not None:
                    found.setdefault(pid, Remembered(comm, cgroup))
        return found

    return remembered


def _remembering(read: Read, remembered: Callable[[Collection[int]], Mapping[int, Remembered]]) -> Read:
    def reading(pids: Iterable[int], details: Collection[str]) -> list[Process]:
        pids = list(pids)
        alive = read(pids, details)
        gone = remembered(set(pids).difference(process.pid for process in alive))
        return [*alive, *(_gone(pid, known) for pid, known in gone.items())]

    return reading


def _gone(pid: int, known: Remembered) -> Process:
    return Process(pid, known.comm, cgroup=None if known.cgroup is None else f"0::{known.cgroup}\n")
