# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.fields import BY_NAME
from fleutan.linux import drops as kernel
from fleutan.linux import namespaces
from fleutan.linux.drops import DROP, RECEIVED, RESET_RECEIVED, RESET_SENT, RETRANSMIT, SENT, Counts, Lost
from fleutan.linux.proc import Process
from fleutan.sources.drops import EVENTS, RETRANSMISSIONS, Surroundings, interface_names, table
from fleutan.table import Table

NETNS = 4026531840
TCP, UDP = 6, 17
PLACE = 0xFFFF_FFFF_8100_0010
Row = dict[str, Any]


def packed(text: str) -> bytes:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return socket.inet_pton(family, text).ljust(16, b"\0")


def key(
    event: int = DROP,
    *,
    reason: int = 12,
    direction: int = RECEIVED,
    src: str = "192.0.2.1",
    dst: str = "192.0.2.2",
    sport: int = 80,
    dport: int = 1000,
    proto: int = TCP,
    family: int | None = None,
    ethertype: int = 0x0800,
    cookie: int = 0,
    location: int = PLACE,
    netns: int = NETNS,
    ifindex: int = 3,
) -> bytes:
    """A struct drop_key."""
    if family is None:
        family = socket.AF_INET6 if ":" in src else socket.AF_INET
    return struct.pack(
        "=QQ16s16s3I3H4B2x",
        *(cookie, location, packed(src), packed(dst), reason, netns, ifindex),
        *(sport, dport, ethertype, event, direction, family, proto),
    )


def count(packets: int = 1, segments: int = 2, size: int = 100, device: bytes = b"eth0") -> bytes:
    return struct.pack("=3Q16s", packets, segments, size, device)


def read(pids: Iterable[int], _: Collection[str]) -> list[Process]:
    return [Process(pid, f"p{pid}") for pid in pids]


AROUND = Surroundings(
    spaces=lambda: {NETNS: "blue"},
    processes=read,
    interfaces=lambda inodes: {(inode, 3): "veth3" for inode in inodes},
    functions=lambda places: {place: "nft_do_chain" for place in places if place == PLACE - (1 << 64)},
    drop_reasons=lambda: {3: "NO_SOCKET", 12: "NETFILTER_DROP", 14: "NEWLY_MADE"},
    reset_reasons=lambda: {1: "NO_SOCKET"},
)
Pair = tuple[bytes, bytes]
NOTHING: Pair = (b"", b"")


def counts(*flows: Pair, rest: Pair = NOTHING, lost: Lost | None = None, missed: int = 0) -> Counts:
    joined = b"".join(pair[0] for pair in flows), b"".join(pair[1] for pair in flows)
    return Counts(joined, rest, 100, 1_000_000_100, 10**18, lost or Lost(), missed)


def rows(*keys: bytes, flows: tuple[Table, ...] = ()) -> list[Row]:
    return list(table(counts(*((one, count()) for one in keys)), flows=flows, around=AROUND).rows())


def test_nothing_was_dropped() -> None:
    found = table(counts(), host="here", around=AROUND)
    assert len(found) == 0
    assert (found.kind, found.reading.host, found.reading.netns) == ("drops", "here", "all")
    assert (found.reading.at_ns, found.reading.interval_ns) == (10**18 + 1_000_000_100, 1_000_000_000)
    assert found.reading.notes == ()
    assert set(found.columns) == set(table(counts((key(), count())), around=AROUND).columns) <= set(BY_NAME)


def test_a_drop_says_what_where_and_why() -> None:
    (row,) = rows(key(cookie=7))
    expected = {"event": "drop", "direction": "rx", "proto": "tcp", "family": "ipv4", "cookie": 7}
    expected |= {"src": "192.0.2.1", "sport": 80, "dst": "192.0.2.2", "dport": 1000}
    expected |= {"reason": "NETFILTER_DROP", "meaning": "a firewall rule dropped it (nftables, iptables)"}
    expected |= {"function": "nft_do_chain", "dev": "eth0", "netns": "blue", "netns_inode": NETNS}
    expected |= {"packets": 1, "segments": 2, "bytes": 100, "owner_by": None, "pid": None}
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("event", "reason", "name", "meaning"),
    [
        (DROP, 3, "NO_SOCKET", "nothing listens or is connected at this address and port"),
        (DROP, 14, "NEWLY_MADE", None),
        (DROP, 99, "reason 99", None),
        (RESET_SENT, 1, "NO_SOCKET", "someone wants a port where nothing listens, or a connection that is gone"),
        (RESET_SENT, 99, None, None),
        (RESET_RECEIVED, 0, None, "the other end reset the connection"),
        *((RETRANSMIT, number, *words) for number, words in RETRANSMISSIONS.items()),
        (RETRANSMIT, 99, None, None),
    ],
)
def test_reasons(event: int, reason: int, name: str | None, meaning: str | None) -> None:
    (row,) = rows(key(event, reason=reason, direction=SENT, location=0))
    assert (row["event"], row["reason"], row["meaning"]) == (EVENTS[event], name, meaning)
    assert (row["direction"], row["function"]) == ("tx", None)


@pytest.mark.parametrize(
    ("given", "proto", "family"),
    [
        ({"proto": UDP}, "udp", "ipv4"),
        ({"proto": 1, "sport": 0, "dport": 0}, "icmp", "ipv4"),
        ({"proto": 200}, "proto-200", "ipv4"),
        ({"src": "2001:db8::1", "dst": "2001:db8::2", "proto": 58}, "icmpv6", "ipv6"),
        ({"src": "::ffff:192.0.2.1", "dst": "::ffff:192.0.2.2"}, "tcp", "ipv4"),
        ({"family": 0, "ethertype": 0x0806}, "arp", None),
        ({"family": 0, "ethertype": 0x9999}, "ethertype-0x9999", None),
        ({"family": 0, "ethertype": 0}, None, None),
    ],
)
def test_protocols(given: dict[str, Any], proto: str | None, family: str | None) -> None:
    (row,) = rows(key(**given))
    assert (row["proto"], row["family"]) == (proto, family)
    assert (row["src"] is None) == (family is None)


def test_ports_are_unknown_where_there_are_none() -> None:
    (row,) = rows(key(proto=1, sport=0, dport=0))
    assert (row["sport"], row["dport"]) == (None, None)


def test_devices_are_named_as_they_were_then() -> None:
    flows = [
        (key(sport=1), count(device=b"gone0")),
        (key(sport=2), count(device=b"")),
        (key(sport=3, netns=NETNS + 1, ifindex=3), count(device=b"")),
        (key(sport=4, ifindex=9), count(device=b"")),
        (key(sport=5, ifindex=0, netns=0), count(device=b"")),
    ]
    found = table(counts(*flows), around=AROUND)
    named = {row["sport"]: (row["dev"], row["netns"]) for row in found.rows()}
    other = str(NETNS + 1)
    expected = {1: ("gone0", "blue"), 2: ("veth3", "blue"), 3: ("veth3", other), 4: ("if9", "blue"), 5: (None, None)}
    assert named == expected


def test_a_device_seen_once_is_known_in_all_rows() -> None:
    unasked = AROUND._replace(interfaces=lambda _: {})
    found = table(counts((key(sport=1), count()), (key(sport=2), count(device=b""))), around=unasked)
    assert [row["dev"] for row in found.rows()] == ["eth0", "eth0"]


# -- owners


def flows(
    pids: tuple[int, ...], cookie: int = 99, src: str = "192.0.2.1", dst: str = "192.0.2.2", dport: int = 0
) -> Table:
    halves = [np.array([[0, 0xFFFF << 32 | int(ipaddress.IPv4Address(text))]]) for text in (src, dst)]
    columns = {
        "cookie": Column(np.array([cookie])),
        "netns_inode": Column(np.array([NETNS])),
        "proto": text_column(["tcp"]),
        "src": Column(halves[0]),
        "dst": Column(halves[1]),
        "sport": Column(np.array([80])),
        "dport": Column(np.array([dport])),
        "pids": Column(np.array([0], np.int32), None, (pids,)),
    }
    return Table("flows", columns)


def test_owners_are_found_by_cookie_then_ends_then_who_waits() -> None:
    holder, same, waiting = flows((10,), cookie=7), flows((20, 21), dport=1000), flows((30,))
    found = rows(
        key(cookie=7),
        key(dport=1000),
        key(dport=1001),
        key(dport=1001, proto=UDP),
        key(family=0),
        flows=(waiting, same, holder),
    )
    assert [(row["owner_by"], row["pids"]) for row in found] == [
        ("holder", (10,)),
        ("holder", (20, 21)),
        ("listener", (30,)),
        (None, None),
        (None, None),
    ]
    assert {row["proc"] for row in found} == {"p10(10)", "p20(20)", "p30(30)", None}


def test_owners_are_related() -> None:
    found = table(counts((key(cookie=7), count())), ("pid",), flows=(flows((10,), cookie=7),), around=AROUND)
    assert [row["pid"] for row in found.related["owners"].rows()] == [10]
    assert "comm" not in found


def test_a_kernel_that_tells_no_addresses_is_said() -> None:
    hidden = AROUND._replace(functions=lambda _: {})
    found = table(counts((key(), count())), around=hidden)
    assert found["function"].tolist() == [None]
    (note,) = found.reading.notes
    assert note == "the functions are not known: /proc/kallsyms tells no addresses; it takes root, or CAP_SYSLOG"


# -- what found no room


def test_rows_without_flow_are_said() -> None:
    found = table(counts((key(), count()), rest=(key(sport=0, dport=0), count(5) + count(6)), missed=3), around=AROUND)
    assert [(row["src"], row["reason"], row["packets"]) for row in found.rows()] == [
        ("192.0.2.1", "NETFILTER_DROP", 1),
        (None, "NETFILTER_DROP", 11),
    ]
    assert found.reading.notes[0].startswith("11 packets of flows that found no room")
    assert found.reading.notes[1].startswith("3 packets were dropped while another was counted")


def test_what_found_no_room_at_all_is_the_last_row() -> None:
    found = table(counts((key(), count()), lost=Lost(4, 5, 600)), around=AROUND)
    *_, other = found.rows()
    expected = {"event": "drop", "reason": "OTHER_ROWS", "packets": 4, "segments": 5, "bytes": 600, "src": None}
    assert {name: other[name] for name in expected} == expected
    assert found.reading.notes == ("4 packets found no room at all: they are the row OTHER_ROWS",)
    (only,) = table(counts(lost=Lost(4, 5, 600)), around=AROUND).rows()
    assert only["packets"] == 4


# -- this host


def test_interfaces_of_this_namespace() -> None:
    here = namespaces.current().inode
    assert interface_names([here]).get((here, 1)) == "lo"
    assert interface_names([]) == {}


def test_every_number_of_the_programs_has_a_word() -> None:
    causes = (kernel.BY_SYN, kernel.BY_SYNACK, kernel.BY_TIMEOUT, kernel.BY_RECOVERY, kernel.BY_PROBE, kernel.BY_OTHER)
    assert set(RETRANSMISSIONS) == set(causes)
    assert set(EVENTS) == {DROP, RETRANSMIT, RESET_SENT, RESET_RECEIVED}


def test_drops_for_some_reasons_are_added_up_by_place_behind_the_others() -> None:
    purged = [key(sport=port, reason=14) for port in (1, 2)]
    elsewhere = key(sport=3, reason=14, ifindex=4)
    sent_again = key(RETRANSMIT, sport=5, reason=14)
    made = counts(*((one, count()) for one in (*purged, key(sport=4), elsewhere, sent_again)))
    found = list(table(made, around=AROUND, summed=("NEWLY_MADE",)).rows())
    names = ("event", "reason", "sport", "src", "cookie", "packets", "segments", "bytes", "proto")
    assert [tuple(row[name] for name in names) for row in found[:2]] == [
        ("drop", "NETFILTER_DROP", 4, "192.0.2.1", None, 1, 2, 100, "tcp"),
        ("retransmit", found[1]["reason"], 5, "192.0.2.1", None, 1, 2, 100, "tcp"),
    ]
    sums = sorted(tuple(row[name] for name in names) for row in found[2:])
    expected = ("drop", "NEWLY_MADE", None, None, None)
    assert sums == [(*expected, 1, 2, 100, "tcp"), (*expected, 2, 4, 200, "tcp")]
    without = list(table(made, around=AROUND, summed=("NO_SOCKET",)).rows())
    assert len(without) == 5
    assert len(table(counts(), around=AROUND, summed=("NEWLY_MADE",), inside=[NETNS])) == 0


def test_with_inside_there_are_rows_of_these_namespaces_and_of_none() -> None:
    made = counts(*((key(sport=80 + netns, netns=netns), count()) for netns in (0, 7, 8)))
    assert table(made, around=AROUND, inside=[7]).column("sport").objects() == [80, 87]
