# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.sources.test_attribution import ANY, flows, pairs
from tests.sources.test_attribution import columns as ends_of

from fleutan.column import Column
from fleutan.fields import BY_NAME
from fleutan.linux.users import PROGRAMS, Noticed, Noticing
from fleutan.sources import users
from fleutan.sources.attribution import Remembered, by_cookie, by_ends, by_listener, remembered_by
from fleutan.sources.users import noticing
from fleutan.table import Table

Row = dict[str, Any]
NETNS = 4026531840
#: CLOCK_MONOTONIC to UTC.
WALL = 1_000_000_000_000
GROUPS = {1: "/", 6: "/system.slice/web.service"}


def used(cookie: int, pid: int = 3, comm: bytes = b"dig", cgroup: int = 6) -> tuple[bytes, bytes]:
    """A socket and who used it first."""
    return struct.pack("=q", cookie), struct.pack("=q2I16s", cgroup, NETNS, pid, comm)


def noticed(*sockets: tuple[bytes, bytes], pushed_out: int = 0) -> Noticed:
    keys, values = (b"".join(parts) for parts in zip((b"", b""), *sockets, strict=True))
    return Noticed(keys, values, 10_000, 5_000_010_000, WALL, pushed_out)


def table(*sockets: tuple[bytes, bytes], known: tuple[Table, ...] = (), groups: Mapping[int, str] = GROUPS) -> Table:
    return users.table(noticed(*sockets), known, "here", lambda: groups)


def owners(found: Table) -> list[Row]:
    return list(found.related["owners"].rows())


def not_asked() -> Mapping[int, str]:
    raise AssertionError


def rows(count: int) -> NDArray[np.int64]:
    return np.arange(count)


def test_nobody_used_any() -> None:
    found = users.table(noticed(), (), "here", not_asked)
    assert (len(found), len(found.related["owners"])) == (0, 0)
    assert (found.kind, found.reading.host, found.reading.netns) == ("users", "here", "all")
    assert (found.reading.at_ns, found.reading.interval_ns) == (5_000_010_000 + WALL, 5_000_000_000)
    assert (found.reading.source, found.reading.notes) == (", ".join(PROGRAMS), ())


def test_each_socket_is_a_row_with_who_used_it() -> None:
    found = table(used(1), used(2, pid=4, comm=b"ping"), used(5))
    assert found.column("cookie").objects() == [1, 2, 5]
    assert found.column("pids").objects() == [(3,), (4,), (3,)]
    assert set(found.column("netns_inode").objects()) == {NETNS}
    assert set(found.columns) <= set(BY_NAME)


def test_of_the_ends_nothing_is_known() -> None:
    found = table(used(1))
    for name in ("proto", "src", "dst", "sport", "dport"):
        assert found.column(name).objects() == [None]


def test_owners_are_told_as_they_were() -> None:
    web = {"comm": "dig", "cgroup": "/system.slice/web.service"}
    found = table(used(1), used(2), used(3, pid=4, comm=b"\xff", cgroup=1), used(4, pid=5, cgroup=99))
    assert owners(found) == [
        {"owner": 0, "pid": 3, **web},
        {"owner": 1, "pid": 4, "comm": "\N{REPLACEMENT CHARACTER}", "cgroup": None},
        {"owner": 2, "pid": 5, "comm": "dig", "cgroup": None},
    ]


def test_who_cannot_be_numbered_owns_nothing_here() -> None:
    found = table(used(1, pid=0), used(2))
    assert found.column("cookie").objects() == [2]
    assert [row["pid"] for row in owners(found)] == [3]


def test_sockets_whose_owners_are_known_are_left_out() -> None:
    """Not those of which a reading had no owner, nor for the sake of one without a cookie."""
    first = flows({"cookie": Column(np.array([1, 2]))}, (7,), None)
    second = flows({"cookie": Column(np.array([3, 4]), np.array([True, False]))}, (7,), (8,))
    found = table(*map(used, range(1, 6)), known=(first, second))
    assert found.column("cookie").objects() == [2, 4, 5]


@given(st.sets(st.integers(1, 20)), st.lists(st.integers(1, 20)), st.lists(st.integers(1, 20)))
def test_what_is_left_is_the_difference(used_: set[int], first: list[int], second: list[int]) -> None:
    known = tuple(flows({"cookie": Column(np.array(told, np.int64))}, *[(7,)] * len(told)) for told in (first, second))
    found = table(*map(used, used_), known=known)
    assert set(found.column("cookie").objects()) == used_.difference(first, second)


def test_it_is_found_by_cookie_and_by_nothing_else() -> None:
    ours = ends_of((ANY, 0, ANY, 0), ("::", 0, "::", 0), cookies=(2, 9), netns=NETNS, proto="udp")
    found = table(used(1), used(2, pid=4))
    assert pairs(by_cookie(ours, rows(2), found)) == [(0, 4)]
    assert pairs(by_ends(ours, rows(2), found)) == []
    assert pairs(by_listener(ours, rows(2), found)) == []


def test_it_is_remembered_who_has_ended() -> None:
    remembered = remembered_by([table(used(1, pid=3), used(2, pid=4))])({3, 5})
    assert remembered == {3: Remembered("dig", "/system.slice/web.service")}


def test_what_found_no_room_is_said() -> None:
    (note,) = users.table(noticed(pushed_out=12), groups=dict).reading.notes
    assert note.startswith("12 sockets")


def test_noticing_begins_when_it_is_entered() -> None:
    assert isinstance(noticing(), Noticing)
