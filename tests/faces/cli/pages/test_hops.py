# SPDX-License-Identifier: Apache-2.0
"""Paths made by hand, which the tests of all pages of paths draw; and their hops in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleutan.analysis.paths import Hop, Path, Router
from fleutan.faces.cli.pages import hops
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Rows = list[dict[str, Any]]
Make = Callable[..., Table]

GATEWAY = Router("10.9.0.254", (310.0, 350.0, 420.0), "gw.office.example")


def transit(address: str, *rtts: float, name: str | None = None) -> Router:
    return Router(address, rtts, name, 64496, "DE")


CORE = transit("198.51.100.1", 5_200.0, 5_400.0, 9_100.0, name="ae1-0.core1.fra.transit.example")
SPINES = tuple(transit(f"198.51.100.{16 + place}", 6_100.0 + 100 * place) for place in range(3))
TUNNEL = transit("198.51.100.33", 31_000.0, 33_000.0)._replace(labels=("24001 ttl 1", "17"), changes=("tos",), mtu=1476)
ODD = Router("203.0.113.9", (9_000.0,), 'ev\x1b[31m\nil"]', 64511, None, refusal="!X", changes=("nat", "mss"))
SIX = Router("2001:db8:1234:5678:9abc:def0:1234:5678", (4_000.0, 4_100.0), None, 64497, "NL")
SIX_END = Router("2001:db8:ffff::443", (12_345.0, 12_400.0))


def at(ttl: int, *routers: Router, sent: int = 3, lost: int = 0) -> Hop:
    return Hop(ttl, routers, sent, lost if routers else sent)


#: As they are found: reached, inferred behind routers in turn, refused, IPv6, silent, another way to the first.
PATHS = [
    Path(
        *("p0", "flow"),
        (at(1, GATEWAY), at(2, CORE), at(3), at(4, TUNNEL, lost=1), at(5, Router("192.0.2.9", (12_300.0, 12_800.0)))),
        destination="192.0.2.9",
    ),
    Path("p1", "flow", (at(1, GATEWAY), at(2, CORE), at(3, *SPINES), at(4)), destination="192.0.2.10"),
    Path("p2", "icmp", (at(1, GATEWAY), at(2, ODD, sent=1)), "refused", "203.0.113.77"),
    Path("p3", "flow", (at(1, SIX), at(2, SIX_END)), destination="2001:db8:ffff::443"),
    Path("p4", "syn", (at(1, GATEWAY), *(at(ttl) for ttl in range(2, 7))), "silent", "192.0.2.200"),
    Path(
        *("p5", "flow"),
        (
            at(1, GATEWAY),
            at(2, transit("198.51.100.77", 4_900.0, name="ae2.core2.fra.transit.example")),
            at(3, SPINES[0]),
            at(4, Router("198.51.100.99", (48_000.0, 48_500.0))),
            at(5, Router("192.0.2.9", (15_500.0, 15_900.0))),
        ),
        destination="192.0.2.9",
    ),
]


def flow(
    path: str | None, local: int, remote: str, port: int, rtt: int | None, proc: str = "nginx(812)"
) -> dict[str, Any]:
    six = ":" in remote
    ends = {"src": "2001:db8::1" if six else "10.9.0.1", "sport": local, "dst": remote, "dport": port}
    return {"path": path, "proto": "tcp" if rtt else "udp", **ends, "rtt": rtt, "proc": proc}


FLOWS: Rows = [
    flow("p0", 41_056, "192.0.2.9", 443, 13_000),
    flow("p0", 41_058, "192.0.2.9", 443, 12_900, "curl(25562)"),
    flow("p1", 35_102, "192.0.2.10", 5201, 6_900, "iperf3(25725)"),
    flow("p2", 40_000, "203.0.113.77", 53, None, "dnsmasq(53)"),
    flow("p3", 59_780, "2001:db8:ffff::443", 443, 12_500, "firefox-bin(1187)"),
    flow(None, 5432, "127.0.0.1", 40_000, 85, "日本語(77)"),
    flow("p5", 41_060, "192.0.2.9", 443, 16_100),
    flow("p4", 41_061, "192.0.2.200", 443, None, "ev\x1b[31m\nil(66)"),
]

#: Many, long, and with many routers at a hop.
MANY = [
    Path(
        f"p{number}",
        "flow",
        tuple(
            at(
                ttl,
                *(
                    Router(f"2001:db8:{ttl:x}:{number % 3:x}:abcd:ef01:2345:{place:x}", (ttl * 900.0,))
                    for place in range(1 + 7 * (ttl == 9))
                ),
            )
            for ttl in range(1, 31)
        ),
        "last",
        f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:x}",
    )
    for number in range(30)
]

SCREENS = {
    **{str(width): Screen(width) for width in (100, 80, 40)},
    "pipe": Screen(),
    "ascii": Screen(80, blocks=False),
    "colour": Screen(80, colour=True),
}


@pytest.fixture
def table(make: Make) -> Table:
    return make(FLOWS)


def test_what_stands_above_a_page(table: Table, make: Make) -> None:
    assert list(hops.told(table, PATHS)) == ["8 flows", "6 paths", "1 not traced"]
    assert list(hops.told(make(FLOWS[:1]), PATHS[:1])) == ["1 flow", "1 path"]


def test_fields_that_the_table_has(table: Table, make: Make) -> None:
    assert hops.shown(table, ("path", "local", "unit")) == ["path", "local"]
    assert hops.shown(make([{"path": "p0", "src": "10.9.0.1"}]), hops.FLOWS.columns) == ["path"]


@pytest.mark.parametrize(
    ("loss", "said"), [(None, "-"), (0.0, "0"), (0.001, "<1%"), (1 / 3, "33%"), (0.996, "100%"), (1.0, "100%")]
)
def test_loss(loss: float | None, said: str) -> None:
    assert hops.lost(loss) == said


@pytest.mark.parametrize(
    ("asn", "country", "said"),
    [
        (64496, "DE", "[AS64496 DE]"),
        (64496, None, "[AS64496]"),
        (None, "DE", "[DE]"),
        (None, None, ""),
        (0, "", "[AS0]"),
    ],
)
def test_where_a_router_belongs(asn: int | None, country: str | None, said: str) -> None:
    assert hops.origin(Router("10.0.0.1", (1.0,), None, asn, country)) == said


def test_who_is_at_a_hop() -> None:
    assert [hops.who(PATHS[1], hop) for hop in PATHS[1].hops][2:] == [
        "198.51.100.16/198.51.100.17/198.51.100.18",
        "(192.0.2.10)",
    ]
    assert hops.who(PATHS[4], PATHS[4].hops[-1]) == "*"
    assert hops.who(PATHS[2], PATHS[2].hops[1]) == 'ev\\x1b[31m\\nil"]'


def test_a_line_for_each_router_of_a_hop() -> None:
    first, *others = hops.entries(PATHS[1], at(3, *SPINES, lost=1), " 3 ")
    assert (first.told, first.colour, first.number) == (("33% lost", "[AS64496 DE]"), "yellow", " 3 ")
    assert [(other.who, other.told, other.number) for other in others] == [
        ("198.51.100.17", ("[AS64496 DE]",), "   "),
        ("198.51.100.18", ("[AS64496 DE]",), "   "),
    ]
    [refused] = hops.entries(PATHS[2], PATHS[2].hops[1])
    assert (refused.told, refused.more, refused.colour) == (("!X", "[AS64511]"), ("nat", "mss"), "red")
    [tunnel] = hops.entries(PATHS[0], at(4, TUNNEL))
    assert tunnel.more == ("MPLS 24001 ttl 1/17", "tos", "mtu 1476")


def test_how_a_hop_balances_stands_with_its_first_router() -> None:
    hop = at(2, Router("10.0.0.1", (1.0,)), Router("10.0.0.2", (2.0,)))._replace(balancing="per flow")
    first, second = hops.entries(Path("p0", "udp", (hop,)), hop)
    assert (first.told, second.told) == (("per flow",), ())


def test_round_trip_times_of_a_path_and_of_its_flows(table: Table, make: Make) -> None:
    least = hops.least_rtts(table)
    assert least == {"p0": 12_900.0, "p1": 6_900.0, "p3": 12_500.0, "p5": 16_100.0}
    assert [hops.times(path, least) for path in PATHS] == [
        "12.3ms, tcp 12.9ms",
        "6.10ms to hop 3, tcp 6.90ms",
        "9ms to hop 2",
        "12.3ms, tcp 12.5ms",
        "310us to hop 1",
        "15.5ms, tcp 16.1ms",
    ]
    assert hops.times(Path("p0", "flow", (), "unsent"), {}) == ""
    assert hops.least_rtts(make([{"proto": "tcp"}])) == {}


def test_how_a_trace_ended() -> None:
    assert [hops.ended(path).partition(":")[0] for path in PATHS] == ["", "", "refused", "", "silent", ""]
    assert hops.ended(PATHS[0]._replace(ended="od\x1bd")) == "od\\x1bd"


@pytest.mark.parametrize(
    ("places", "said"), [((), ""), ((0,), "p0"), ((0, 1), "p0,p1"), ((0, 2, 3, 4, 6), "p0,p2-p4,p6"), ((7, 9), "p7,p9")]
)
def test_ranges_of_paths(places: tuple[int, ...], said: str) -> None:
    assert hops.ranges(places, MANY) == said


def test_the_name_of_an_address_is_found_wherever_it_is_told() -> None:
    bare, named = Router("10.0.0.1", (1.0,)), Router("10.0.0.1", (2.0,), "a.example")
    paths = [Path(f"p{place}", "flow", (at(1, router),)) for place, router in enumerate((bare, named, bare))]
    assert hops.names_of(paths) == {"10.0.0.1": named}
