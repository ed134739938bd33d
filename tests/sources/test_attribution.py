# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleutan import address
from fleutan.column import Column, text_column
from fleutan.linux.proc import Process
from fleutan.sources.attribution import (
    NO_CLAIMS,
    Claims,
    Remembered,
    by_cookie,
    by_ends,
    by_listener,
    remembered_by,
    together,
    with_claims,
)
from fleutan.table import Table

End = tuple[str, int, str, int]
ANY = str(ipaddress.IPv4Address(0))
HERE, THERE = 4026531840, 4026532000


def ints(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def halves(addresses: Iterable[str]) -> Column:
    prefixes = [address.parse_prefix(text) for text in addresses]
    return Column(ints(*(number for p in prefixes for number in (p.hi_first, p.lo_first))).reshape(-1, 2))


def columns(*ends: End, cookies: Sequence[int] = (), proto: str = "tcp", netns: int = HERE) -> dict[str, Column]:
    """Rows with these ends; a cookie of 0 is unknown."""
    given_cookies = ints(*(cookies or range(1, len(ends) + 1)))
    return {
        "cookie": Column(given_cookies, given_cookies != 0),
        "netns_inode": Column(np.full(len(ends), netns, np.int64)),
        "proto": text_column([proto] * len(ends)),
        "src": halves(end[0] for end in ends),
        "sport": Column(ints(*(end[1] for end in ends))),
        "dst": halves(end[2] for end in ends),
        "dport": Column(ints(*(end[3] for end in ends))),
    }


def flows(rows: dict[str, Column], *pids: tuple[int, ...] | None) -> Table:
    words = tuple(dict.fromkeys(members for members in pids if members is not None))
    codes = np.array([-1 if members is None else words.index(members) for members in pids], np.int32)
    return Table("flows", {**rows, "pids": Column(codes, None, words)})


def pairs(claims: Claims) -> list[tuple[int, int]]:
    return sorted(zip(claims.rows.tolist(), claims.pids.tolist(), strict=True))


ONE: End = ("192.0.2.1", 1000, "192.0.2.2", 80)
TWO: End = ("2001:db8::1", 1001, "2001:db8::2", 443)


def test_by_cookie_every_holder_has_a_claim() -> None:
    table = flows(columns(ONE, TWO, ONE, cookies=(7, 8, 9)), (10, 11), None, (12,))
    rows = columns(ONE, ONE, TWO, ONE, cookies=(7, 0, 8, 9))
    assert pairs(by_cookie(rows, np.arange(4), table)) == [(0, 10), (0, 11), (3, 12)]
    assert pairs(by_cookie(rows, ints(3), table)) == [(3, 12)]
    assert by_cookie(rows, ints(), table) == NO_CLAIMS


def test_by_ends_all_of_them_have_to_be_alike() -> None:
    table = flows(columns(ONE, TWO), (10,), (11,))
    swapped: End = ("192.0.2.2", 80, "192.0.2.1", 1000)
    rows = columns(TWO, swapped, ONE)
    assert pairs(by_ends(rows, np.arange(3), table)) == [(0, 11), (2, 10)]
    for other in (columns(ONE, proto="udp"), columns(ONE, netns=THERE), columns((*ONE[:3], 81))):
        assert pairs(by_ends(other, ints(0), table)) == []


def test_a_listener_at_the_address_goes_before_one_at_any() -> None:
    table = flows(
        columns(("192.0.2.1", 80, ANY, 0), (ANY, 80, ANY, 0), ("::", 80, "::", 0), ONE),
        *((10,), (11,), (12,), (13,)),
    )
    rows = columns(
        ("192.0.2.1", 80, "192.0.2.9", 5000),
        ("192.0.2.7", 80, "192.0.2.9", 5000),
        ("2001:db8::1", 80, "2001:db8::9", 5000),
        ("192.0.2.1", 81, "192.0.2.9", 5000),
        ONE,
    )
    assert pairs(by_listener(rows, np.arange(5), table)) == [(0, 10), (1, 11), (2, 12)]


def test_a_listener_for_any_ipv6_address_waits_for_ipv4_too() -> None:
    table = flows(columns(("::", 80, "::", 0)), (12,))
    rows = columns(("192.0.2.7", 80, "192.0.2.9", 5000))
    assert pairs(by_listener(rows, ints(0), table)) == [(0, 12)]


def test_listeners_that_share_a_port_all_have_a_claim() -> None:
    listener: End = (ANY, 80, ANY, 0)
    table = flows(columns(listener, listener), (10, 11), (12,))
    rows = columns(("192.0.2.7", 80, "192.0.2.9", 5000))
    assert pairs(by_listener(rows, ints(0), table)) == [(0, 10), (0, 11), (0, 12)]


@pytest.mark.parametrize("search", [by_cookie, by_ends, by_listener])
def test_nothing_claims_nothing(search: object) -> None:
    empty = flows(columns())
    assert callable(search)
    assert pairs(search(columns(ONE), ints(0), empty)) == []
    assert pairs(search(columns(), ints(), flows(columns(ONE), (1,)))) == []


MEMBERS = st.lists(st.sampled_from([None, (1,), (2, 3), (4,)]), max_size=8)


@given(st.lists(st.integers(0, 5), max_size=12), MEMBERS, st.data())
def test_by_cookie_is_the_join(wanted: list[int], members: list[tuple[int, ...] | None], data: st.DataObject) -> None:
    cookies = data.draw(st.lists(st.integers(1, 5), min_size=len(members), max_size=len(members)))
    table = flows(columns(*([ONE] * len(members)), cookies=cookies), *members)
    rows = columns(*([ONE] * len(wanted)), cookies=wanted)
    found = by_cookie(rows, np.arange(len(wanted)), table)
    expected = [
        (row, pid)
        for row, cookie in enumerate(wanted)
        for other, pids in zip(cookies, members, strict=True)
        if cookie == other
        for pid in pids or ()
    ]
    assert pairs(found) == sorted(expected)


# -- with what is remembered


def read(pids: Iterable[int], _: Collection[str]) -> list[Process]:
    """Process 10 lives, all others have ended."""
    return [Process(10, "nginx", cgroup="0::/system.slice/nginx.service\n") for pid in pids if pid == 10]


def remembered(gone: Collection[int]) -> dict[int, Remembered]:
    known = {20: Remembered("curl", "/user.slice/run-1.scope"), 21: Remembered("wget")}
    return {pid: known[pid] for pid in gone if pid in known}


def test_what_has_ended_is_told_from_memory() -> None:
    claims = together([Claims(ints(0, 1), ints(10, 20)), Claims(ints(2, 3), ints(21, 99))])
    found, owners = with_claims(columns(ONE, TWO, ONE, TWO, ONE), claims, ("pid", "proc", "unit"), read, remembered)
    assert found["pid"].objects() == [10, 20, 21, 99, None]
    assert found["proc"].objects() == ["nginx(10)", "curl(20)", "wget(21)", None, None]
    assert found["unit"].objects() == ["nginx.service", "run-1.scope", None, None, None]
    assert "inode" not in found
    assert [row["pid"] for row in owners.rows()] == [10, 20, 21, 99]


def test_a_row_may_have_several_owners() -> None:
    claims = Claims(ints(0, 0), ints(20, 10))
    found, owners = with_claims(columns(ONE), claims, ("pids", "owner"), read, remembered)
    assert found["pids"].objects() == [(10, 20)]
    assert len(owners) == 2


def test_names_of_processes_that_have_ended_come_from_earlier_tables() -> None:
    def owners(**texts: Sequence[str | None]) -> Table:
        pids = {"pid": Column(ints(7, 8, 9))}
        texted = {name: text_column(values) for name, values in texts.items()}
        return Table("flows", {}, related={"owners": Table("owners", pids | texted)})

    first = owners(comm=["curl", None, "init"], cgroup=["/a", None, "/"])
    remembered = remembered_by([Table("flows", {}), owners(), first, owners(comm=["later", "dig", "init"])])
    assert remembered({7, 8, 3}) == {7: Remembered("curl", "/a"), 8: Remembered("dig", None)}
    assert remembered(set()) == {}
