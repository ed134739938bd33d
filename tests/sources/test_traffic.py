# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.linux import capabilities, namespaces
from fleutan.linux.proc import Process
from fleutan.linux.traffic import IP, NO_QUEUE, NOT_IP, OVERFLOW, RX, TX, UNREADABLE, Counts
from fleutan.sources import traffic
from fleutan.sources.traffic import Place, Surroundings, both, read_places, table
from fleutan.table import Table

KEY = struct.Struct("=16s16sqII5H6B")
COUNTS = struct.Struct("=5q2I")
TCP, UDP, ICMP = 6, 17, 1
HERE, GONE = 4026531833, 4026532999
WALL = 1_000_000


def packed(text: str) -> bytes:
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return bytes(10) + b"\xff\xff" + socket.inet_aton(text)


US, THEM, OTHERS = "192.0.2.1", "192.0.2.2", "198.51.100.7"
PLACES = {HERE: Place("host", {1: "lo", 2: "eth0"}, frozenset({packed(US), packed("2001:db8::1")}))}
STANDARD = {
    "src": US,
    "dst": THEM,
    "cookie": 0,
    "netns": HERE,
    "ifindex": 2,
    "cpu": 0,
    "queue": NO_QUEUE,
    "sport": 1024,
    "dport": 53,
    "ethertype": 0x800,
    "kind": IP,
    "direction": TX,
    "proto": TCP,
    "icmp_type": 0,
    "icmp_code": 0,
}


def key(more: Mapping[str, Any]) -> bytes:
    said = {**STANDARD, **more}
    said |= {name: packed(said[name]) for name in ("src", "dst")}
    return KEY.pack(*said.values(), 0)


def counted(*rows: Mapping[str, Any], missed: int = 0) -> Counts:
    """A reading with these rows, of 1, 2, 3 ... packets."""
    values = [COUNTS.pack(number, number * 100, number * 110, number, 50, 3, 3) for number in range(1, len(rows) + 1)]
    return Counts(b"".join(map(key, rows)), b"".join(values), b"", 10, 110, WALL, missed)


def processes(pids: Iterable[int], details: Collection[str]) -> list[Process]:
    return [Process(pid, comm=f"p{pid}", cgroup="0::/system.slice/a.service\n") for pid in pids]


AROUND = Surroundings(lambda: PLACES, processes)


def made(*rows: Mapping[str, Any], flows: Sequence[Table] = (), **more: Any) -> Table:
    return table(counted(*rows), flows=flows, around=AROUND, **more)


def row(*rows: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    (found,) = made(*rows, **more).rows()
    return found


def flows(*sockets: Mapping[str, Any]) -> Table:
    """A Table of flows with owners: pids, cookie and ends."""
    standard = {"proto": "tcp", "src": US, "sport": 1024, "dst": THEM, "dport": 53, "cookie": 0, "pids": (1,)}
    said = [{**standard, **one} for one in sockets]
    sets = tuple(dict.fromkeys(one["pids"] for one in said))
    columns = {name: Column(np.array([one[name] for one in said], np.int64)) for name in ("sport", "dport", "cookie")}
    for name in ("src", "dst"):
        octets = b"".join(packed(one[name]) for one in said)
        columns[name] = Column(np.frombuffer(octets, ">i8").astype(np.int64).reshape(-1, 2))
    columns["cookie"] = Column(columns["cookie"].values, columns["cookie"].values != 0)
    columns["proto"] = text_column([one["proto"] for one in said])
    columns["netns_inode"] = Column(np.full(len(said), HERE))
    columns["pids"] = Column(np.array([sets.index(one["pids"]) for one in said], np.int32), None, sets)
    return Table("flows", columns)


# -- which end is ours


def test_what_is_sent_has_our_end_first_and_what_is_received_is_turned() -> None:
    sent, received = made({}, {"direction": RX, "src": THEM, "dst": US, "sport": 53, "dport": 1024}).rows()
    for name, value in (("src", US), ("sport", 1024), ("dst", THEM), ("dport", 53), ("forwarded", False)):
        assert sent[name] == received[name] == value
    assert (sent["direction"], received["direction"]) == ("tx", "rx")
    assert (sent["family"], sent["proto"], sent["netns"], sent["dev"]) == ("ipv4", "tcp", "host", "eth0")


@pytest.mark.parametrize("direction", [RX, TX])
def test_what_is_forwarded_stays_as_the_packet_says(direction: int) -> None:
    found = row({"direction": direction, "src": THEM, "dst": OTHERS})
    assert (found["src"], found["dst"], found["forwarded"]) == (THEM, OTHERS, True)


@pytest.mark.parametrize("end", ["224.0.0.251", "255.255.255.255", "ff02::1", "127.9.9.9", "::1"])
def test_what_goes_to_many_or_stays_on_this_host_is_ours(end: str) -> None:
    found = row({"direction": RX, "src": THEM, "dst": end})
    assert (found["forwarded"], found["src"]) == (False, end)


def test_what_a_socket_sends_is_ours_whatever_its_address() -> None:
    assert row({"src": OTHERS, "cookie": 5})["forwarded"] is False


def test_in_a_namespace_that_is_gone_the_near_end_is_taken_for_ours() -> None:
    found = row({"netns": GONE, "direction": RX, "src": THEM, "dst": US})
    assert (found["src"], found["forwarded"]) == (US, None)
    assert (found["netns"], found["dev"], found["netns_inode"]) == (str(GONE), "if2", GONE)


def test_ipv6_is_told_by_its_addresses() -> None:
    found = row({"src": "2001:db8::1", "dst": "2001:db8::2", "ethertype": 0x86DD})
    assert (found["family"], found["src"], found["forwarded"]) == ("ipv6", "2001:db8::1", False)


def test_what_a_device_above_counted_too_is_marked() -> None:
    """A VLAN (3) on a port (2) of a bond or bridge (4): what all three send is one packet."""
    place = Place("host", {}, PLACES[HERE].addresses, {2: frozenset({3, 4}), 3: frozenset({4})})
    rows: list[dict[str, Any]] = [
        {"ifindex": 2},
        {"ifindex": 3},
        {"ifindex": 4},
        {"ifindex": 2, "sport": 9},
        {"ifindex": 2, "netns": GONE},
    ]
    turned = {"direction": RX, "src": THEM, "dst": US, "sport": 53, "dport": 1024}
    rows += [turned | {"ifindex": 3}, turned | {"ifindex": 2}]
    around = Surroundings(lambda: {HERE: place}, processes)
    found = table(counted(*rows), around=around).column("counted_above").objects()
    assert found == [True, True, False, False, False, False, True]


# -- what it is


@pytest.mark.parametrize(
    ("said", "proto"),
    [
        ({"proto": UDP}, "udp"),
        ({"proto": 47}, "gre"),
        ({"proto": 112}, "vrrp"),
        ({"proto": 200}, "proto-200"),
        ({"kind": NOT_IP, "ethertype": 0x806}, "arp"),
        ({"kind": NOT_IP, "ethertype": 0x88CC}, "lldp"),
        ({"kind": NOT_IP, "ethertype": 0x1234}, "ethertype-0x1234"),
        ({"kind": UNREADABLE}, "unreadable"),
        ({"kind": OVERFLOW}, "other"),
    ],
)
def test_protocols_have_names(said: dict[str, Any], proto: str) -> None:
    assert row(said)["proto"] == proto


def test_only_ip_has_ends_and_only_the_rest_has_an_ethertype() -> None:
    ip, arp, other = made({}, {"kind": NOT_IP, "ethertype": 0x806}, {"kind": OVERFLOW}).rows()
    assert [found["ethertype"] for found in (ip, arp, other)] == [None, 0x806, None]
    for name in ("src", "sport", "dst", "dport", "family"):
        assert ip[name] is not None
        assert arp[name] is None
        assert other[name] is None
    assert arp["forwarded"] is False


def test_icmp_tells_its_type_and_ports_of_an_echo_are_those_of_who_asks() -> None:
    asked, answered = made(
        {"proto": ICMP, "icmp_type": 8, "sport": 77, "dport": 0},
        {"proto": ICMP, "icmp_type": 0, "sport": 0, "dport": 77, "direction": RX, "src": THEM, "dst": US},
    ).rows()
    assert (asked["icmp_type"], answered["icmp_type"], asked["icmp_code"]) == (8, 0, 0)
    assert [(found["sport"], found["dport"]) for found in (asked, answered)] == [(77, 0), (77, 0)]


def test_figures_and_times_are_told_and_a_queue_that_was_not_recorded_is_unknown() -> None:
    found, queued = made({}, {"queue": 3, "cpu": 1}).rows()
    assert (found["packets"], found["skb_bytes"], found["bytes"], found["segments"]) == (1, 100, 110, 1)
    assert found["first_seen_ns"] == found["last_seen_ns"] == 50 + WALL
    assert (found["queue"], queued["queue"], queued["cpu"]) == (None, 3, 1)
    reading = made({}, host="h").reading
    assert (reading.at_ns, reading.interval_ns, reading.host, reading.netns) == (110 + WALL, 100, "h", "all")


def test_the_rest_without_device_has_no_place() -> None:
    found = row({"kind": OVERFLOW, "netns": 0, "ifindex": 0})
    assert (found["netns"], found["netns_inode"], found["dev"]) == (None, None, None)


def test_nothing_is_an_empty_table_with_all_columns() -> None:
    empty = made()
    assert len(empty) == 0
    assert set(empty.columns) == set(made({}).columns)


# -- whose it is

RECEIVED = {"direction": RX, "src": THEM, "dst": US, "sport": 53, "dport": 1024}


def test_what_is_received_has_the_cookie_of_what_is_sent_between_the_same_ends() -> None:
    found = list(made({"cookie": 9}, RECEIVED, {**RECEIVED, "proto": UDP}).rows())
    assert [one["cookie"] for one in found] == [9, 9, None]
    found = list(made({"cookie": 9}, {"cookie": 8}, RECEIVED).rows())
    assert [one["cookie"] for one in found] == [9, 8, None]


def test_the_owner_is_known_by_the_cookie_or_the_ends() -> None:
    known = flows({"cookie": 9, "sport": 1, "pids": (7, 8)}, {"sport": 1024, "dport": 99, "pids": (5,)})
    by_cookie, by_ends, nobody = made({"cookie": 9}, {"dport": 99}, {"dport": 98}, flows=[known]).rows()
    assert (by_cookie["pids"], by_cookie["owner_by"], by_cookie["proc"]) == ((7, 8), "holder", "p7(7)")
    assert by_cookie["unit"] == "a.service"
    assert (by_ends["pids"], by_ends["owner_by"]) == ((5,), "holder")
    assert (nobody["pids"], nobody["owner_by"], nobody["comm"]) == (None, None, None)


def test_a_flow_that_ended_is_known_from_the_beginning_and_a_new_one_from_the_end() -> None:
    before, after = flows({"cookie": 9, "pids": (7,)}), flows({"cookie": 8, "sport": 2, "pids": (6,)})
    ended, new = made({"cookie": 9}, {"cookie": 8, "sport": 2}, flows=[before, after]).rows()
    assert (ended["pids"], new["pids"]) == ((7,), (6,))


def test_what_no_socket_has_is_of_the_one_that_waits_there() -> None:
    known = flows({"src": "0.0.0.0", "sport": 1024, "dst": "0.0.0.0", "dport": 0, "pids": (4,)})  # noqa: S104
    found = row(RECEIVED, flows=[known])
    assert (found["pids"], found["owner_by"]) == ((4,), "listener")


def test_what_is_forwarded_is_nobodys() -> None:
    known = flows({"src": THEM, "dst": OTHERS, "cookie": 3})
    assert row({"src": THEM, "dst": OTHERS}, flows=[known])["pids"] is None


def test_owners_are_a_table_of_their_own() -> None:
    found = made({"cookie": 9}, flows=[flows({"cookie": 9, "pids": (7, 8)})])
    assert [one["pid"] for one in found.related["owners"].rows()] == [7, 8]


def test_only_the_owner_fields_that_are_asked_for_are_there() -> None:
    found = table(counted({"cookie": 9}), ("comm",), [flows({"cookie": 9})], around=AROUND)
    assert "comm" in found.columns
    assert "pids" in found.columns
    assert "exe" not in found.columns


def test_what_other_namespaces_do_can_be_left_out_with_what_is_said_of_it() -> None:
    other = {"netns": GONE, "kind": OVERFLOW}
    rows = ({"cookie": 9}, {"netns": GONE}, other, {"netns": 0, "kind": OVERFLOW}, RECEIVED)
    found = made(*rows, inside=[HERE])
    assert found.column("netns_inode").objects() == [HERE, HERE]
    assert found.column("cookie").objects() == [9, 9]
    assert found.reading.notes == ("4 packets of flows that found no row are counted by device only (proto 'other')",)
    assert len(made(*rows)) == 5
    assert len(made(*rows, inside=[])) == 0


def test_the_own_flows_of_a_process_can_be_left_out() -> None:
    known = flows({"cookie": 9, "pids": (7,)}, {"cookie": 8, "sport": 2, "pids": (7, 8)})
    rows = ({"cookie": 9}, {"cookie": 8, "sport": 2}, {"sport": 3})
    assert [one["sport"] for one in made(*rows, flows=[known], without=7).rows()] == [2, 3]
    assert len(made(*rows, flows=[known], without=6)) == 3
    assert len(made(*rows, without=7)) == 3


# -- what it lacks


def test_what_the_reading_lacks_is_said() -> None:
    rows = ({"kind": OVERFLOW}, {"kind": OVERFLOW, "direction": RX}, {"kind": UNREADABLE})
    found = table(counted(*rows, missed=4), around=AROUND)
    assert found.reading.notes == (
        "3 packets of flows that found no row are counted by device only (proto 'other')",
        "the headers of 3 packets could not be read (proto 'unreadable')",
        "4 packets came while another was counted on the same CPU and are not known",
    )
    assert made({}).reading.notes == ()


# -- places


def test_what_went_keeps_its_name() -> None:
    one, two, three = (packed(f"192.0.2.{number}") for number in (1, 2, 3))
    above = {2: frozenset({3})}
    before = {1: Place("old", {1: "lo", 2: "eth0"}, frozenset({one}), above), 2: Place("gone", {}, frozenset({two}))}
    after = {1: Place("new", {1: "lo", 3: "eth1"}, frozenset({three})), 3: Place("fresh", {}, frozenset())}
    found = both(before, after)
    assert found[1] == Place("new", {1: "lo", 2: "eth0", 3: "eth1"}, frozenset({one, three}), above)
    assert (found[2], found[3]) == (before[2], after[3])


@pytest.mark.skipif(bool(capabilities.missing(("CAP_SYS_ADMIN",))), reason="needs CAP_SYS_ADMIN, to enter namespaces")
def test_this_namespace_is_a_place() -> None:
    place = read_places()[os.stat("/proc/thread-self/ns/net").st_ino]
    assert "lo" in place.devices.values()
    assert packed("127.0.0.1") in place.addresses
    assert traffic.HOST.places is read_places
    here = namespaces.current()
    assert [*read_places([here])] == [here.inode]
    assert read_places([namespaces.Namespace(here.inode + 1, "gone", "/nowhere")]) == {}
