# SPDX-License-Identifier: Apache-2.0
"""The kernel's socket records as a Table of flows.

Both readers use the same words, so both give the same Table; what a reader does not give is
unknown.  How a word becomes a field stands in ``words``, how the bytes were read in ``capture``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleutan import address
from fleutan.column import Column
from fleutan.linux import inetdiag, iterators
from fleutan.records import Known, Records, concatenate
from fleutan.sources.capture import TCP, Capture, Dump, NamespaceDump
from fleutan.sources.names import user_name
from fleutan.sources.owners import with_owners
from fleutan.sources.words import PROTOCOLS, RULES, Coded, Rule, both, unknown
from fleutan.table import Reading, Table

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: include/net/tcp_states.h
TCP_LISTEN = 10
#: AF_INET (include/linux/socket.h).
IPV4 = 2
#: What every Table of flows has: it is needed to tell flows apart and to choose among them.
ALWAYS = ("proto", "family", "state", "src", "sport", "dst", "dport", "netns", "netns_inode", "cookie", "inode")


def table(capture: Capture, wanted: Collection[str], host: str = "") -> Table:
    """The flows of a capture with the wanted catalogue fields (and those of ALWAYS).

    Only what was read: fields that are computed from others are added by ``analysis``.  The
    related table ``owners`` has a row for every process of every set of owners.
    """
    names = list(dict.fromkeys((*ALWAYS, *(("uid",) if "user" in wanted else ()), *wanted)))
    words = frozenset(
        {RULES[name].word for name in names if name in RULES}
        | {word for name in names if name in _CONTEXT for word in _CONTEXT[name].words}
    )
    devices: dict[str, int] = {}
    notes = list(capture.notes)
    records = concatenate(
        [_of_namespace(dump, code, devices, words, notes) for code, dump in enumerate(capture.namespaces)]
    )
    rules: dict[str, Rule] = RULES | {
        "netns": Coded("netns_code", {code: dump.namespace.name for code, dump in enumerate(capture.namespaces)}),
        "dev": Coded("device_code", {code: name for name, code in devices.items()}),
    }
    columns = {name: _column(records, name, rules.get(name)) for name in names}
    for name, context in _CONTEXT.items():
        if name in columns:
            columns[name] = context.column(records, columns)
    columns, owners = with_owners(columns, capture.holders, (*wanted, "owner"))
    return Table("flows", columns, _reading(capture, host, notes), {"owners": owners})


def ownerless(table: Table, rows: NDArray[np.bool_], unreadable: str) -> str | None:
    """What to say where sockets of these rows must be held by processes that could not be read; None: nothing."""
    unowned = int(np.count_nonzero(rows & (table.columns["inode"].values != 0) & ~table.columns["owner"].mask()))
    if not unreadable or not unowned:
        return None
    told = "1 socket has" if unowned == 1 else f"{unowned} sockets have"
    return f"{told} no known owner: what {unreadable} hold may not be read ('fleutan doctor' says what would allow it)"


def _reading(capture: Capture, host: str, notes: Sequence[str]) -> Reading:
    names = [dump.namespace.name for dump in capture.namespaces]
    space = names[0] if len(names) == 1 else "all"
    return Reading(host, space, capture.at_ns, 0, capture.source, tuple(notes))


def _of_namespace(
    dump: NamespaceDump, code: int, devices: dict[str, int], words: frozenset[str], notes: list[str]
) -> Records:
    records = concatenate([_parse(part, words, notes) for part in dump.dumps])
    if not records.rows:
        return records
    values = {
        **records.values,
        "netns_code": np.full(records.rows, code, np.int64),
        "netns_inode": np.full(records.rows, dump.namespace.inode, np.int64),
    }
    if "idiag_if" in words:
        values["device_code"] = _device_codes(records, dump.interfaces, devices)
    return Records(records.rows, values, records.known)


def _parse(dump: Dump, words: frozenset[str], notes: list[str]) -> Records:
    if dump.reader == "netlink":
        records, malformed = inetdiag.parse_counted(dump.data, dump.protocol, words)
        if malformed:
            notes.append(f"malformed messages of the kernel about {PROTOCOLS[dump.protocol]}: {malformed}")
        return records
    parse = iterators.parse_tcp if dump.protocol == TCP else iterators.parse_udp
    return parse(dump.data, words)


def _device_codes(records: Records, interfaces: Mapping[int, str], devices: dict[str, int]) -> Ints:
    """The egress interface, else the one that the socket is bound to; −1 for neither."""
    bound = records.values["idiag_if"]
    leaves = records.values.get("dst_ifindex", np.zeros_like(bound))
    index = np.where(leaves != 0, leaves, bound)
    codes = np.full(records.rows, -1, np.int64)
    for number in set(index.tolist()) - {0}:
        name = interfaces.get(number, f"if{number}")
        codes[index == number] = devices.setdefault(name, len(devices))
    return codes


def _column(records: Records, name: str, rule: Rule | None) -> Column:
    if rule is None or rule.word not in records.values:
        return unknown(name, records.rows)
    return rule.read(records.values[rule.word], _known(records, rule.word))


def _known(records: Records, word: str) -> Known | None:
    """Of a listener tcp_get_info() leaves most at 0, and gives the backlog as tcpi_unacked: nothing is known of it."""
    known = records.known.get(word)
    if not word.startswith("tcpi_"):
        return known
    connection = records.values["idiag_state"] != TCP_LISTEN
    return both(known, connection)


def _halves(word: str) -> Callable[[Records, Mapping[str, Column]], Column]:
    def read(records: Records, _: Mapping[str, Column]) -> Column:
        words = records.values.get(word, np.zeros((records.rows, 4), np.uint32))
        family = records.values.get("idiag_family", np.zeros(records.rows, np.int64))
        return Column(address.halves_of_words(words, family == IPV4))

    return read


def _family(_: Records, columns: Mapping[str, Column]) -> Column:
    four = address.is_ipv4(columns["src"].values)
    return Column(np.where(four, 0, 1).astype(np.int32), None, ("ipv4", "ipv6"))


def _where(name: str, word: str) -> Callable[[Records, Mapping[str, Column]], Column]:
    """The column as it is, but unknown where another word is 0."""

    def read(records: Records, columns: Mapping[str, Column]) -> Column:
        if word not in records.values:
            return columns[name]
        return Column(columns[name].values, columns[name].mask() & (records.values[word] != 0))

    return read


def _service(records: Records, columns: Mapping[str, Column]) -> Column:
    """The local port where a socket of this reading waits on it for others, else the remote one.

    That socket listens, or is a datagram socket without a peer, in the same namespace, for the
    same protocol, at the flow's own address or at any.  Raw sockets have no ports.
    """
    proto, sport, dport = (columns[name].values for name in ("proto", "sport", "dport"))
    words = columns["proto"].words or ()
    ported = proto != (words.index("raw") if "raw" in words else -2)
    key = (columns["netns"].values.astype(np.int64) << 24) | (proto.astype(np.int64) << 16) | sport
    only_six = records.values.get("v6only", np.zeros(records.rows, np.int64)) != 0
    served = _served(key, columns["src"].values, (dport == 0) & ported, only_six)
    return Column(np.where(served, sport, dport), ported)


def _served(key: Ints, local: Ints, waits: Mask, only_six: Mask) -> Mask:
    """At which local ends a socket waits; ``key`` is all of the end but its address."""
    high, low = local.T
    any_four, any_six = ((high == 0) & (low == unspecified) for unspecified in (address.MAPPED, 0))
    takes_four = key[waits & (any_four | (any_six & ~only_six))]
    served = np.where(address.is_ipv4(local), np.isin(key, takes_four), np.isin(key, key[waits & any_six]))
    waits &= ~(any_four | any_six)
    rest = np.flatnonzero(~served & np.isin(key, key[waits]))
    ends = np.column_stack([key, local])
    served[rest] = _are_among(ends[rest], ends[waits])
    return served


def _are_among(rows: Ints, others: Ints) -> Mask:
    """Which rows of an ``(n, k)`` array are among those of an ``(m, k)`` one."""
    found = np.full(len(rows), len(others) > 0)
    code, codes = np.zeros(len(rows), np.int64), np.zeros(len(others), np.int64)
    for column, other in zip(rows.T, others.T, strict=True):
        words, places = np.unique(other, return_inverse=True)
        at = np.searchsorted(words, column).clip(max=len(words) - 1)
        found[found] = words[at[found]] == column[found]
        code, codes = code * len(words) + at, codes * len(words) + places
    return found & np.isin(code, codes)


def _user(_: Records, columns: Mapping[str, Column]) -> Column:
    uid = columns["uid"]
    names = {number: user_name(number) for number in np.unique(uid.values[uid.mask()]).tolist()}
    known = {number: name for number, name in names.items() if name is not None}
    return Coded("uid", known).read(uid.values, uid.known)


class _Context(NamedTuple):
    """The words that a field takes beside its rule's, and how it is made of the columns so far."""

    words: tuple[str, ...]
    column: Callable[[Records, Mapping[str, Column]], Column]


#: Fields that take more than one word, in the order in which they are made.
_CONTEXT = {
    "dev": _Context(("idiag_if", "dst_ifindex"), lambda _, columns: columns["dev"]),
    "src": _Context(("idiag_family", "idiag_src"), _halves("idiag_src")),
    "dst": _Context(("idiag_family", "idiag_dst"), _halves("idiag_dst")),
    "family": _Context((), _family),
    "timer_expires": _Context(("idiag_timer",), _where("timer_expires", "idiag_timer")),
    # Before the first sample the deviation is a constant (tcp_init_sock).
    "rtt_var": _Context(("tcpi_rtt",), _where("rtt_var", "tcpi_rtt")),
    "service": _Context(("v6only",), _service),
    "user": _Context((), _user),
}
