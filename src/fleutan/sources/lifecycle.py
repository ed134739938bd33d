# SPDX-License-Identifier: Apache-2.0
"""Connections that began or ended, as a Table: one row for each, with its owner.

Joins the records of ``linux.lifecycle`` that are of one connection, says how it ended, and finds
whose it was: who was seen with it, else who holds it, else who holds the listener that accepted
it.  The counters are tcp_info's last; there a SYN and a FIN count as a byte each.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.column import Column
from fleutan.linux import lifecycle, namespaces
from fleutan.linux.cgroups import paths_by_id
from fleutan.linux.lifecycle import BY_CLOSE, BY_CONNECT, BY_LISTEN, Lives, Watching
from fleutan.records import Records
from fleutan.sources.attribution import NO_CLAIMS, Claims, Remembered, by_cookie, by_listener, together, with_claims
from fleutan.sources.names import user_name
from fleutan.sources.owners import SOCKET_FIELDS, Read, read_processes
from fleutan.sources.words import RULES, STATES, Coded, Named, Rule, Whole, unknown
from fleutan.table import Reading, Table

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

SOURCE = "inet_sock_set_state"
#: AF_* (include/linux/socket.h).
IPV4 = 2

#: ROLE_* and BY_* (linux/lifecycle.py) in our words.
ROLES = {lifecycle.ROLE_CONNECT: "client", lifecycle.ROLE_ACCEPT: "server", lifecycle.ROLE_LISTEN: "listener"}
CALLS = {BY_CONNECT: "connect", BY_LISTEN: "listen", BY_CLOSE: "close"}
HOLDER, LISTENER = "holder", "listener"
#: The row of all that found no room.
OTHER = "other"
OPEN, CLOSED, GIVEN_UP, ABORTED, FAILED = "open", "closed", "given up", "aborted", "failed"
#: How a connection ended, by sk_err when it did.
ENDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: ABORTED,
    errno.ETIMEDOUT: "timed out",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
}
#: TCP_* states (include/net/tcp_states.h) before CLOSE by who closed first.
FIRST = {4: "local", 5: "local", 6: "local", 8: "remote", 9: "remote", 10: "local", 11: "both"}
_ESTABLISHED, _SYN_SENT, _SYN_RECV, _CLOSE, _CLOSE_WAIT = 1, 2, 3, 7, 8
#: sk_err values by name, as far as TCP sets them.
_ERRORS = {number: name for number, name in errno.errorcode.items() if number}

#: Counters of the row "other" by what ``Lost`` calls them.
_SUMS = {
    "connections": "ended",
    "bytes_sent": "bytes_sent",
    "bytes_acked": "bytes_acked",
    "bytes_received": "bytes_received",
    "bytes_retrans": "bytes_retrans",
    "segs_out": "segs_out",
    "segs_in": "segs_in",
    "retrans": "total_retrans",
}


class Surroundings(NamedTuple):
    """What is asked of this host beside the records; tests put others in its place."""

    spaces: Callable[[], Mapping[int, str]]
    processes: Read
    groups: Callable[[], Mapping[int, str]]


def space_names() -> dict[int, str]:
    """Names of the network namespaces by inode."""
    return {space.inode: space.name for space in namespaces.every()[0]}


HOST = Surroundings(space_names, read_processes, paths_by_id)


def watching() -> Watching:
    """The program that sees beginnings and ends for ``table``, to be entered."""
    return Watching()


def table(
    lives: Lives,
    wanted: Collection[str] = SOCKET_FIELDS,
    flows: Sequence[Table] = (),
    host: str = "",
    around: Surroundings = HOST,
) -> Table:
    """A Table of kind ``lifecycle``: a row for each connection or listener that began or ended.

    What began and ended is one row, as it ended.  ``wanted`` are fields of owners.  ``flows`` are
    Tables read before or after, with ``pids``, ``cookie`` and ends: they tell the owner where no
    call was seen (``owner_by`` says which it was).  A call is sure; so is who holds the socket;
    of a listener that several processes hold, any of them may have accepted.  The last row has
    ``outcome`` "other" where something found no room: the sums of that.  The related table
    ``owners`` is as that of flows.
    """
    records = lifecycle.parse(lives)
    if records.rows:
        records = taken(records, last_of_each(records))
        columns = _columns(records, lives, around.spaces())
        claims, columns["owner_by"] = _claims(records, columns, flows)
        columns, owners = with_claims(columns, claims, wanted, around.processes, _memory(records, around.groups))
    else:
        columns, owners = _nothing(tuple(wanted))
    if lives.lost.ended:
        sums = {name: getattr(lives.lost, word) for name, word in _SUMS.items()}
        columns = with_row(columns, {"outcome": OTHER, **sums})
    at_ns, interval_ns = lives.ended_ns + lives.wall_ns, lives.ended_ns - lives.began_ns
    return Table(
        "lifecycle", columns, Reading(host, "all", at_ns, interval_ns, SOURCE, _notes(lives)), {"owners": owners}
    )


@cache
def _nothing(wanted: tuple[str, ...]) -> tuple[dict[str, Column], Table]:
    """The columns and the owners where nothing began or ended, as in most readings of a quiet host."""
    columns = {name: unknown(name, 0) for name in (*_RULES, *_MADE, "netns", "owner_by")}
    return with_claims(columns, NO_CLAIMS, wanted, lambda *_: [], lambda _: {})


def ended(table: Table) -> Table:
    """Of a table of this kind the connections that ended."""
    words = table.columns["outcome"].words or ()
    other = [words.index(word) for word in (OPEN, OTHER) if word in words]
    roles = table.columns["role"].words or ()
    listening = [roles.index(word) for word in ("listener",) if word in roles]
    over = ~np.isin(table.columns["outcome"].values, [-1, *other])
    return table.take(over & ~np.isin(table.columns["role"].values, listening))


def last_of_each(records: Records) -> Ints:
    """The rows of a connection's last word, in order of time: the end where it came, else the beginning."""
    cookie, began = records.values["idiag_cookie"], records.values["begun_ns"]
    order = np.lexsort((np.arange(records.rows), began, cookie))
    changes = (np.diff(cookie[order]) != 0) | (np.diff(began[order]) != 0)
    return np.sort(order[np.append(changes, True)])


def taken(records: Records, rows: Ints) -> Records:
    """These rows, by their numbers."""
    values = {name: values[rows] for name, values in records.values.items()}
    return Records(len(rows), values, {name: known[rows] for name, known in records.known.items()})


def _columns(records: Records, lives: Lives, spaces: Mapping[int, str]) -> dict[str, Column]:
    """Everything but whose they are."""
    inodes = np.unique(records.values["netns_inode"]).tolist()
    rules = _RULES | {"netns": Coded("netns_inode", {inode: spaces.get(inode, str(inode)) for inode in inodes})}
    columns = {name: rule.read(records.values[rule.word], records.known.get(rule.word)) for name, rule in rules.items()}
    return columns | {name: make(records, lives) for name, make in _MADE.items()}


def _is_ended(records: Records) -> Mask:
    ended: Mask = records.values["new_state"] == _CLOSE
    return ended


def _words(codes: Mapping[str, Mask], rows: int) -> Column:
    """A text column: each word where its mask is, a later one over an earlier; unknown elsewhere."""
    column = np.full(rows, -1, np.int32)
    for code, mask in enumerate(codes.values()):
        column[mask] = code
    return Column(column, None, tuple(codes))


def _outcome(records: Records, _: Lives) -> Column:
    ended, error, before = _is_ended(records), records.values["sk_err"], records.values["old_state"]
    quiet = ended & (error == 0)
    words: dict[str, Mask] = {OPEN: ~ended, CLOSED: quiet, FAILED: ended & (error != 0)}
    for word in dict.fromkeys(ENDS.values()):
        words[word] = ended & np.isin(error, [number for number, end in ENDS.items() if end == word])
    words[ABORTED] |= quiet & np.isin(before, (_ESTABLISHED, _CLOSE_WAIT))
    words[GIVEN_UP] = quiet & np.isin(before, (_SYN_SENT, _SYN_RECV))
    return _words(words, records.rows)


def _closed_by(records: Records, _: Lives) -> Column:
    ended, error, before = _is_ended(records), records.values["sk_err"], records.values["old_state"]
    early = ended & np.isin(before, (_ESTABLISHED, _SYN_SENT, _SYN_RECV))
    by_state = {
        word: ended & np.isin(before, [state for state in FIRST if FIRST[state] == word]) for word in FIRST.values()
    }
    by_state["local"] |= early & (error == 0)
    by_state["remote"] |= early & np.isin(error, (errno.ECONNRESET, errno.ECONNREFUSED))
    return _words(by_state, records.rows)


def _between(records: Records, first: str, last: Ints, among: Mask) -> Column:
    return Column((last - records.values[first]) // 1000, among & records.known[first])


def _connect_time(records: Records, _: Lives) -> Column:
    established = records.known["established_ns"] & (records.values["role"] == lifecycle.ROLE_CONNECT)
    return _between(records, "begun_ns", records.values["established_ns"], established)


def _duration(records: Records, lives: Lives) -> Column:
    until = np.where(_is_ended(records), records.values["at_ns"], lives.ended_ns + lives.wall_ns)
    return _between(records, "begun_ns", until, np.ones(records.rows, np.bool_))


def _halves(word: str) -> Callable[[Records, Lives], Column]:
    def read(records: Records, _: Lives) -> Column:
        return Column(address.halves_of_words(records.values[word], records.values["idiag_family"] == IPV4))

    return read


def _family(records: Records, lives: Lives) -> Column:
    four = address.is_ipv4(_halves("idiag_src")(records, lives).values)
    return _words({"ipv4": four, "ipv6": ~four}, records.rows)


def _user(records: Records, _: Lives) -> Column:
    uids = records.values["idiag_uid"]
    names = {uid: user_name(uid) for uid in np.unique(uids).tolist()}
    return Coded("idiag_uid", {uid: name for uid, name in names.items() if name}).read(uids, None)


_RULES: dict[str, Rule] = {
    "state": Coded("new_state", STATES),
    "sport": RULES["sport"],
    "dport": RULES["dport"],
    "dev": Named("device"),
    "netns_inode": RULES["netns_inode"],
    "cookie": RULES["cookie"],
    "uid": RULES["uid"],
    "cgroup_id": RULES["cgroup_id"],
    "role": Coded("role", ROLES),
    "error": Coded("sk_err", _ERRORS),
    "began": Whole("begun_ns"),
    "established": Whole("established_ns"),
    **{name: RULES[name] for name in (*_SUMS, "data_segs_out", "data_segs_in", "rtt", "min_rtt") if name in RULES},
}
_MADE: dict[str, Callable[[Records, Lives], Column]] = {
    "proto": lambda records, _: Column(np.zeros(records.rows, np.int32), None, ("tcp",)),
    "src": _halves("idiag_src"),
    "dst": _halves("idiag_dst"),
    "family": _family,
    "user": _user,
    "outcome": _outcome,
    "closed_by": _closed_by,
    "ended": lambda records, _: Column(records.values["at_ns"], _is_ended(records)),
    "connect_time": _connect_time,
    "duration": _duration,
    "connections": lambda records, _: Column(np.ones(records.rows, np.int64)),
}


#: Every column of the table.
COLUMNS = (*_RULES, "netns", *_MADE, "owner_by", *SOCKET_FIELDS)


def _claims(records: Records, columns: Mapping[str, Column], flows: Sequence[Table]) -> tuple[Claims, Column]:
    """Who owns which row, and by what that is known."""
    seen = records.known["pid"]
    by = Coded("by", CALLS).read(records.values["by"], seen)
    ways = [*CALLS.values(), HOLDER, LISTENER]
    codes, found = by.values.copy(), [Claims(np.flatnonzero(seen), records.values["pid"][seen])]
    pids, sets = np.unique(records.values["pid"], return_inverse=True)
    own = Column(np.where(seen, sets, -1).astype(np.int32), None, tuple((pid,) for pid in pids.tolist()))
    accepted = records.values["role"] == lifecycle.ROLE_ACCEPT
    searches = [(by_cookie, table, HOLDER, True) for table in flows]
    searches += [
        (by_listener, table, LISTENER, accepted) for table in (*flows, Table("lifecycle", {**columns, "pids": own}))
    ]
    for search, table, way, among in searches:
        found.append(search(columns, np.flatnonzero((codes < 0) & among), table))
        codes[found[-1].rows] = ways.index(way)
    return together(found), Column(codes, None, tuple(ways))


def _memory(
    records: Records, groups: Callable[[], Mapping[int, str]]
) -> Callable[[Collection[int]], dict[int, Remembered]]:
    """What the records tell of processes that have ended since."""

    def remembered(gone: Collection[int]) -> dict[int, Remembered]:
        if not gone:
            return {}
        pids, rows = np.unique(records.values["pid"], return_index=True)
        paths = groups()
        return {
            pid: Remembered(
                records.values["comm"][row].decode("utf-8", "replace"),
                # The root is where all sockets are on a host with v1 hierarchies: it tells nothing.
                (paths.get(int(records.values["cgroup_id"][row])) or "/").rstrip("/") or None,
            )
            for pid, row in zip(pids.tolist(), rows.tolist(), strict=True)
            if pid in gone
        }

    return remembered


def with_row(columns: Mapping[str, Column], row: Mapping[str, int | str]) -> dict[str, Column]:
    """The columns with one row more: these values, and nothing known of the rest."""
    return {name: _extended(column, row.get(name)) for name, column in columns.items()}


def _extended(column: Column, value: int | str | None) -> Column:
    words = column.words
    if words is not None:
        words = words if value is None or value in words else (*words, value)
        last: int = -1 if value is None else words.index(value)
    else:
        last = 0 if value is None else int(value)
    values = np.concatenate([column.values, np.full((1, *column.values.shape[1:]), last, column.values.dtype)])
    return Column(values, None if words is not None else np.append(column.mask(), value is not None), words)


def _notes(lives: Lives) -> tuple[str, ...]:
    notes = []
    if lives.lost.begun or lives.lost.ended:
        notes.append(
            f"{lives.lost.ended} ends and {lives.lost.begun} beginnings of connections found no room: "
            f"the ends are added up in the row '{OTHER}'"
        )
    if lives.missed:
        notes.append(f"{lives.missed} changes of state came while another was looked at and are not known")
    return tuple(notes)
