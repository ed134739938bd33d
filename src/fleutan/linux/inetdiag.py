# SPDX-License-Identifier: Apache-2.0
"""Netlink sock_diag messages as columns.

Messages that carry the same attributes at the same places are read together: one table says
where each member stands in all of them, and numpy copies it out of thousands at a time.  What
lives here takes bytes, trusted or not, and opens nothing; ``sockdiag`` fetches them.

Sources: include/uapi/linux/inet_diag.h, sock_diag.h; net/ipv4/inet_diag.c.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from struct import Struct
from sys import byteorder
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fleutan.linux.tcpinfo import (
    DCCP_INFO,
    FORMATS,
    MPTCP_INFO,
    PAIR,
    TCP_BBR_INFO,
    TCP_DCTCP_INFO,
    TCP_INFO,
    TCPVEGAS_INFO,
    TEXT,
    Member,
)
from fleutan.records import Known, Records, Values

Bytes: TypeAlias = bytes | bytearray | memoryview
Members: TypeAlias = tuple[Member, ...]
#: What attributes hold, by their types: the members of a struct, or attributes again.
Attributes: TypeAlias = "dict[int, Members | Attributes]"

INET_DIAG_MSG = (
    Member("idiag_family", 0, "u1"),
    Member("idiag_state", 1, "u1"),
    Member("idiag_timer", 2, "u1"),
    Member("idiag_retrans", 3, "u1"),
    Member("idiag_sport", 4, ">u2"),
    Member("idiag_dport", 6, ">u2"),
    Member("idiag_src", 8, "4u4"),
    Member("idiag_dst", 24, "4u4"),
    Member("idiag_if", 40, "u4"),
    Member("idiag_cookie", 44, PAIR),
    Member("idiag_expires", 52, "u4"),
    Member("idiag_rqueue", 56, "u4"),
    Member("idiag_wqueue", 60, "u4"),
    Member("idiag_uid", 64, "u4"),
    Member("idiag_inode", 68, "u4"),
)
# TIME-WAIT sockets and requests that wait for the handshake have no owner of their own, and the
# kernel writes 0; INET_DIAG_SHUTDOWN comes with all other sockets, asked for or not.
FULL_SOCKETS_ONLY = "idiag_uid"

SK_MEMINFO = tuple(
    Member(name, 4 * place, "u4")
    for place, name in enumerate(
        ("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem", "backlog", "drops")
    )
)
SHUTDOWN = 8
ATTRIBUTES: Attributes = {
    3: TCPVEGAS_INFO,
    4: (Member("cong", 0, TEXT),),
    5: (Member("tos", 0, "u1"),),
    6: (Member("tclass", 0, "u1"),),
    7: SK_MEMINFO,
    SHUTDOWN: (Member("shutdown", 0, "u1"),),
    9: TCP_DCTCP_INFO,
    10: (Member("protocol", 0, "u1"),),
    11: (Member("v6only", 0, "u1"),),
    15: (Member("mark", 0, "u4"),),
    16: TCP_BBR_INFO,
    19: {  # INET_DIAG_ULP_INFO: INET_ULP_INFO_NAME, _MPTCP
        1: (Member("ulp", 0, TEXT),),
        3: {  # MPTCP_SUBFLOW_ATTR_TOKEN_REM, _TOKEN_LOC
            1: (Member("mptcp_token_rem", 0, "u4"),),
            2: (Member("mptcp_token_loc", 0, "u4"),),
        },
    },
    21: (Member("cgroup_id", 0, "u8"),),
}
#: INET_DIAG_INFO is another struct for every protocol.
INET_DIAG_INFO = 2
INFO: dict[int, Members] = {6: TCP_INFO, 33: DCCP_INFO, 262: MPTCP_INFO}

SOCK_DIAG_BY_FAMILY = 20
NLMSG_NOOP, NLMSG_DONE = 1, 3
NLA_TYPE_MASK = 0x3FFF
_HEADER = 16  # nlmsghdr
_WHOLE = _HEADER + 72  # with inet_diag_msg
_NAME = 16  # TCP_CA_NAME_MAX, TCP_ULP_NAME_MAX
_DTYPES = {form: np.dtype(form) for form in FORMATS}
_NLATTR = Struct("=HH")  # len with these four bytes, type
_MARK = Struct("=I")
# Messages of this many bytes are read at a time: all their columns while they are in the cache.
_CHUNK = 1 << 20
# The kernel has a handful of layouts of one length; bytes from elsewhere may have any number.
_LAYOUTS = 32
# So many columns at a time are large enough for huge pages, and few enough to waste none.
_TOGETHER = 16


def parse(data: Bytes, protocol: int, names: Container[str] | None = None) -> Records:
    """Every socket in the messages, as ``parse_counted`` without the count."""
    return parse_counted(data, protocol, names)[0]


def parse_counted(data: Bytes, protocol: int, names: Container[str] | None = None) -> tuple[Records, int]:
    """Every socket in the messages of a dump of ``protocol``, and how many messages were malformed.

    ``names`` chooses columns, None takes all: the members of inet_diag_msg, of SK_MEMINFO, and
    of what the protocol and the congestion control tell; the other attributes in lower case.
    Shapes and dtypes are those of Records, units the kernel's.  Rows of one layout stand
    together, in the kernel's order.  A message whose lengths contradict one another gives no
    row; where its own length cannot be right, nothing after it is read.
    """
    starts, sizes, malformed = _sockets(data)
    columns = _Columns(len(starts))
    attributes: Attributes = {**ATTRIBUTES, INET_DIAG_INFO: INFO.get(protocol, ())}
    for size, of_size in _by_size(starts, sizes):
        # Overlapping items, one at every word: numpy gathers whole messages by their places.
        items = np.ndarray(((len(data) - size) // 4 + 1,), f"V{size}", data, strides=(4,))
        reader = _Reader(attributes, names, columns)
        step = max(1, _CHUNK // size)
        for first in range(0, len(of_size), step):
            malformed += reader.read(items[of_size[first : first + step]])
    if names is None or "proto" in names:
        columns.put("proto", 0, np.full(columns.rows, protocol, np.int64))
    return columns.records(), malformed


def _sockets(data: Bytes) -> tuple[NDArray[np.int64], NDArray[np.uint32], int]:
    """Of every message about a socket: its place in words, its length in bytes; and how many are malformed."""
    words = memoryview(data)[: len(data) & ~3].cast("B").cast("I")
    places, broken = _chain(words, len(data))
    starts = np.array(places, np.int64)
    numbers = np.asarray(words)
    sizes, kinds = numbers[starts], numbers[starts + 1].view(np.uint16).reshape(-1, 2)[:, 0]
    sockets = (kinds == SOCK_DIAG_BY_FAMILY) & (sizes >= _WHOLE)
    others = ~sockets & (kinds != NLMSG_DONE) & (kinds != NLMSG_NOOP)
    return starts[sockets], sizes[sockets], broken + int(np.count_nonzero(others))


def _chain(words: memoryview, length: int) -> tuple[list[int], int]:
    """The places, in words, of all whole messages; and 1 where the chain of their lengths breaks."""
    starts: list[int] = []
    end, at, size = len(words), 0, 0
    while at < end:
        size = words[at]
        if size < _HEADER:
            return starts, 1
        starts.append(at)
        at += (size + 3) >> 2
    if starts and 4 * starts[-1] + size > length:
        return starts[:-1], 1
    return starts, int(4 * at < length)


def _by_size(starts: NDArray[np.int64], sizes: NDArray[np.uint32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    order = np.argsort(sizes, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1):
        if len(group):
            yield int(sizes[group[0]]), starts[group]


class _Malformed(Exception):
    """An attribute does not fit into what holds it."""


class _Layout:
    """Where the members stand in messages that have the attributes of ``message``.

    ``marks`` are the headers of those attributes by their places.
    """

    def __init__(self, message: bytes, attributes: Attributes, names: Container[str] | None) -> None:
        self.marks: dict[int, int] = {}
        self.members: dict[str, Member] = {}
        self._names = names
        self._offsets: dict[str, int] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        self._place(INET_DIAG_MSG, _HEADER, _WHOLE)
        if SHUTDOWN not in self._enter(message, _WHOLE, len(message), attributes):
            self.members.pop(FULL_SOCKETS_ONLY, None)
        self.dtype = np.dtype(
            {
                "names": [*self.members],
                "formats": [self._dtypes[name] for name in self.members],
                "offsets": [self._offsets[name] for name in self.members],
                "itemsize": len(message),
            }
        )

    def _enter(self, message: bytes, at: int, end: int, known: Attributes) -> set[int]:
        """Goes through the attributes between two places; returns their types."""
        kinds = set()
        while end - at >= _NLATTR.size:
            size, kind = _NLATTR.unpack_from(message, at)
            if size < _NLATTR.size or at + size > end:
                raise _Malformed
            (self.marks[at],) = _MARK.unpack_from(message, at)
            kinds.add(kind & NLA_TYPE_MASK)
            inside = known.get(kind & NLA_TYPE_MASK, ())
            if isinstance(inside, dict):
                self._enter(message, at + _NLATTR.size, at + size, inside)
            else:
                self._place(inside, at + _NLATTR.size, at + size)
            at += (size + 3) & ~3
        return kinds

    def _place(self, members: Members, at: int, end: int) -> None:
        length = end - at
        for member in members:
            name, offset, form, _, since = member
            if self._names is not None and name not in self._names:
                continue
            dtype = np.dtype(f"S{min(length, _NAME)}") if form == TEXT else _DTYPES[form]
            if dtype.itemsize and length >= max(offset + dtype.itemsize, since):
                self.members[name] = member
                self._offsets[name] = at + offset
                self._dtypes[name] = dtype


class _Reader:
    """Puts messages of one length into columns; knows the layouts that it has met among them."""

    def __init__(self, attributes: Attributes, names: Container[str] | None, columns: _Columns) -> None:
        self._attributes = attributes
        self._names = names
        self._columns = columns
        self._met: list[_Layout] = []

    def read(self, messages: NDArray[np.void]) -> int:
        """Adds a row for every message; returns how many were malformed and are not among them."""
        for layout in self._met:
            messages = self._take(messages, layout)
        malformed = 0
        while len(messages):
            try:
                layout = _Layout(messages[0].tobytes(), self._attributes, self._names)
            except _Malformed:
                malformed += 1
                messages = messages[1:]
            else:
                self._met = [*self._met[: _LAYOUTS - 1], layout]
                messages = self._take(messages, layout)
        return malformed

    def _take(self, messages: NDArray[np.void], layout: _Layout) -> NDArray[np.void]:
        """Adds the messages of this layout, returns the others."""
        same = np.ones(len(messages), np.bool_)
        for place, mark in layout.marks.items():
            same &= np.ndarray((len(messages),), np.uint32, messages, place, messages.strides) == mark
        if not same.any():
            return messages
        rows = messages if same.all() else messages[same]
        members = rows.view(layout.dtype)
        for name, member in layout.members.items():
            self._columns.put(name, self._columns.rows, _numbers(members[name], member))
        self._columns.rows += len(rows)
        return messages[~same]


def _numbers(values: Values, member: Member) -> Values:
    if member.format == PAIR:
        joined: Values = values[:, 0] | values[:, 1].astype(np.int64) << 32
        return joined
    if member.bits is None:
        return values
    first, width = member.bits
    shift = first if byteorder == "little" else 8 * values.itemsize - first - width
    part: Values = (values >> shift) & ((1 << width) - 1)
    return part


class _Columns:
    """Columns for at most ``capacity`` rows that fill from the front."""

    def __init__(self, capacity: int) -> None:
        self.rows = 0
        self._capacity = capacity
        self._values: dict[str, Values] = {}
        self._filled: dict[str, list[slice]] = {}
        self._fresh: list[Values] = []

    def put(self, name: str, first: int, values: Values) -> None:
        """Sets the rows from ``first`` on."""
        if name not in self._values:
            self._values[name] = self._new(values)
            self._filled[name] = []
        rows = slice(first, first + len(values))
        self._values[name][rows] = values
        self._filled[name].append(rows)

    def _new(self, like: Values) -> Values:
        if like.ndim == 2:
            return np.empty((self._capacity, like.shape[1]), like.dtype)
        if like.dtype.kind == "S":
            return np.empty(self._capacity, f"S{_NAME}")
        if not self._fresh:
            self._fresh = list(np.empty((_TOGETHER, self._capacity), np.int64))
        return self._fresh.pop()

    def records(self) -> Records:
        """The rows so far; where a column was not set it is 0 and unknown."""
        values = {name: column[: self.rows] for name, column in self._values.items()}
        known: dict[str, Known] = {}
        for name, filled in self._filled.items():
            if sum(rows.stop - rows.start for rows in filled) < self.rows:
                known[name] = np.zeros(self.rows, np.bool_)
                for rows in filled:
                    known[name][rows] = True
                values[name][~known[name]] = np.zeros((), values[name].dtype)
        return Records(self.rows, values, known)
