# SPDX-License-Identifier: Apache-2.0
"""Recorded and made-up bytes of the kernel as Tables of flows."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from fleutan.fields import FIELDS
from fleutan.linux.namespaces import Namespace
from fleutan.linux.proc import Holders
from fleutan.sources import flows
from fleutan.sources.capture import Capture, Dump, NamespaceDump
from fleutan.table import Table

DATA = Path(__file__).parents[1] / "data"
HERE = Namespace(4026531840, "host", "/here")
BLUE = Namespace(4026532999, "blue", "/run/netns/blue")
INTERFACES = {1: "lo", 2: "eth0"}
ALL = [field.name for field in FIELDS if field.source != "computed" and field.of_flows]
ESTABLISHED, SYN_SENT, TIME_WAIT, CLOSE, LISTEN = 1, 2, 6, 7, 10
INET_DIAG_INFO, INET_DIAG_SHUTDOWN, INET_DIAG_SKV6ONLY = 2, 8, 11
#: Every address of a family.
ANY, ANY_SIX = "0.0.0.0", "::"  # noqa: S104  # nothing is bound here


def recorded(folder: str, reader: Literal["netlink", "bpf"], **numbers: int) -> Capture:
    dumps = [Dump(number, reader, (DATA / folder / f"{name}.bin").read_bytes()) for name, number in numbers.items()]
    return captured([NamespaceDump(HERE, INTERFACES, dumps)])


def captured(spaces: list[NamespaceDump], holders: Holders | bytes | None = None, unreadable: str = "") -> Capture:
    return Capture(10**18, 0, spaces, holders, "a test", ["a note"], unreadable)


def attribute(kind: int, body: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def message(
    src: str,
    sport: int,
    dst: str = "",
    dport: int = 0,
    state: int = ESTABLISHED,
    *,
    device: int = 0,
    inode: int = 0,
    uid: int = 0,
    more: bytes = b"",
) -> bytes:
    """A message of sock_diag about one socket; ``::ffff:`` before an IPv4 address is a mapped one."""
    ends = [ip_address(address or src) for address in (src, dst)]
    if not dst:
        ends[1] = ip_address(ANY if ends[0].version == 4 else ANY_SIX)
    family = 2 if ends[0].version == 4 else 10
    addresses = [end.packed.ljust(16, b"\0") for end in ends]
    body = struct.pack("=BBBB", family, state, 0, 0) + struct.pack(">HH", sport, dport) + b"".join(addresses)
    body += struct.pack("=IQIIIII", device, sport << 32 | dport | 1 << 60, 900, 0, 0, uid, inode)
    if state != TIME_WAIT:
        more += attribute(INET_DIAG_SHUTDOWN, b"\0")
    return struct.pack("=IHHII", 16 + len(body) + len(more), 20, 2, 0, 0) + body + more


def tcp_info(**words: int) -> bytes:
    raw = bytearray(248)
    places = {"rtt": 68, "rttvar": 72, "snd_cwnd": 80}
    for name, value in words.items():
        struct.pack_into("=I", raw, places[name], value)
    return attribute(INET_DIAG_INFO, bytes(raw))


def made(*messages: bytes, protocol: int = 6, space: Namespace = HERE) -> NamespaceDump:
    return NamespaceDump(space, INTERFACES, [Dump(protocol, "netlink", b"".join(messages))])


def rows(table: Table) -> list[dict[str, Any]]:
    return list(table.rows())


# -- against what ss said of the same sockets

SS_STATES = {
    "ESTAB": "established",
    "SYN-SENT": "syn-sent",
    "SYN-RECV": "syn-recv",
    "FIN-WAIT-2": "fin-wait-2",
    "TIME-WAIT": "time-wait",
    "UNCONN": "close",
    "CLOSE-WAIT": "close-wait",
    "LISTEN": "listen",
}


def micro(text: str) -> int:
    return round(float(text) * 1000)


SAYS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    (r" sk:(\w+)", "cookie", lambda text: int(text, 16)),
    (r" ino:(\d+)", "inode", int),
    (r" uid:(\d+)", "uid", int),
    (r" timer:\((\w+),", "timer", str),
    (r" rtt:([\d.]+)/", "rtt_us", micro),
    (r" rtt:[\d.]+/([\d.]+)", "rtt_var_us", micro),
    (r" minrtt:([\d.]+)", "min_rtt_us", micro),
    (r" cwnd:(\d+) ", "cwnd", int),
    (r" mss:(\d+) ", "mss", int),
    (r" bytes_acked:(\d+)", "bytes_acked", int),
    (r" delivery_rate (\d+)bps", "delivery_rate_bps", int),
    (r" pacing_rate (\d+)bps", "pacing_rate_bps", int),
    (r" tos:(\w+)", "tos", lambda text: int(text, 16)),
    (r" ((?:ts )?sack) ", "options", str),
    (r" (bbr|cubic|reno) ", "cong", str),
    (r" skmem:\(r\d+,rb(\d+)", "rcvbuf", int),
)


def said(line: str) -> dict[str, Any]:
    state, rqueue, wqueue, near, far = line.split(maxsplit=5)[:5]
    found: dict[str, Any] = {"state": SS_STATES[state], "rqueue": int(rqueue), "wqueue": int(wqueue)}
    for end, names in ((near, ("src", "sport")), (far, ("dst", "dport"))):
        host, _, port = end.rpartition(":")
        host = host.partition("%")[0].strip("[]").removeprefix("::ffff:")
        found[names[0]] = "::" if host == "*" else host
        found[names[1]] = 0 if port == "*" else int(port)
    for pattern, key, value in SAYS:
        if match := re.search(pattern, f"{line} "):
            found[key] = value(match[1])
    return found


@pytest.mark.parametrize(("name", "number"), [("tcp", 6), ("udp", 17), ("mptcp", 262)])
def test_ss_said_the_same(name: str, number: int) -> None:
    table = flows.table(recorded("inetdiag", "netlink", **{name: number}), ALL)
    ours = {row["cookie"]: row for row in table.rows()}
    theirs = {row["cookie"]: row for row in map(said, (DATA / f"inetdiag/{name}.ss").read_text().splitlines())}
    assert ours.keys() == theirs.keys()
    for cookie, row in theirs.items():
        mine = ours[cookie]
        assert mine["proto"] == name
        if mine["state"] == "listen":
            row = {key: value for key, value in row.items() if key != "cwnd"}  # noqa: PLW2901
        if "options" in row:
            assert row.pop("options") in mine["options"]
        assert {key: mine[key] for key in row} == row


def test_what_has_no_owner_of_its_own_has_no_user() -> None:
    table = flows.table(recorded("inetdiag", "netlink", tcp=6), ("user", "rtt", "rcvbuf", "timer", "timer_expires"))
    for row in table.rows():
        remnant = row["state"] in ("time-wait", "syn-recv")
        assert (row["uid"] is None) == (row["user"] is None) == (row["rcvbuf"] is None) == remnant
        if remnant:
            assert row["inode"] == 0
            assert row["rtt_us"] is None
            assert row["timer"] == {"time-wait": "timewait", "syn-recv": "on"}[row["state"]]
        assert (row["timer"] is None) == (row["timer_expires_ms"] is None)


def test_a_half_open_connection_belongs_to_its_listener_where_the_kernel_says_so() -> None:
    table = flows.table(recorded("iterators", "bpf", tcp=6, udp=17), ALL)
    uids = {row["state"]: row["uid"] for row in table.rows()}
    assert uids["time-wait"] is None
    assert uids["syn-recv"] == 0
    assert table.column("cpu").mask().sum() > 10


def test_of_a_listener_tcp_info_says_nothing() -> None:
    names = [field.name for field in FIELDS if field.source.startswith("tcp_info")]
    table = flows.table(recorded("inetdiag", "netlink", tcp=6), names)
    listening = [row for row in table.rows() if row["state"] == "listen"]
    assert listening
    for row in listening:
        assert {name for name in names if row[table.fields()[list(table.columns).index(name)].key] is not None} == set()


@pytest.mark.parametrize("folder", ["inetdiag", "iterators"])
def test_every_wanted_field_is_there_with_one_length(folder: str) -> None:
    reader: Literal["netlink", "bpf"] = "bpf" if folder == "iterators" else "netlink"
    table = flows.table(recorded(folder, reader, tcp=6, udp=17), ALL, host="me")
    assert set(table.columns) == {*ALL, "owner"}
    assert len(table) > 10
    assert (table.kind, table.reading.host, table.reading.netns) == ("flows", "me", "host")
    assert (table.reading.at_ns, table.reading.source, table.reading.notes) == (10**18, "a test", ("a note",))
    assert set(table["netns_inode"].tolist()) == {HERE.inode}


def test_only_what_is_wanted_becomes_a_column() -> None:
    capture = recorded("inetdiag", "netlink", tcp=6)
    always = {*flows.ALWAYS, "owner"}
    assert set(flows.table(capture, ()).columns) == always
    assert set(flows.table(capture, ("user",)).columns) == {*always, "uid", "user"}
    assert list(flows.table(capture, ("rtt", "rtt", "cookie")).columns) == [*flows.ALWAYS, "rtt", "owner"]


# -- families, namespaces, interfaces


def test_a_mapped_address_is_ipv4() -> None:
    table = flows.table(captured([made(message("::ffff:192.0.2.1", 1, "::ffff:192.0.2.2", 2), message("::1", 3))]), ())
    assert [(row["family"], row["src"], row["dst"]) for row in table.rows()] == [
        ("ipv4", "192.0.2.1", "192.0.2.2"),
        ("ipv6", "::1", "::"),
    ]


def test_interfaces_are_named_in_their_own_namespace() -> None:
    one = made(message("192.0.2.1", 1, device=2), message("192.0.2.1", 2), message("192.0.2.1", 3, device=77))
    two = made(message("192.0.2.1", 4, device=2), message("192.0.2.1", 5, device=1), space=BLUE)
    two.interfaces = {1: "lo", 2: "veth0"}
    table = flows.table(captured([one, two]), ("dev", "netns", "netns_inode"))
    assert table["dev"].tolist() == ["eth0", None, "if77", "veth0", "lo"]
    assert table["netns"].tolist() == ["host"] * 3 + ["blue"] * 2
    assert table["netns_inode"].tolist() == [HERE.inode] * 3 + [BLUE.inode] * 2
    assert table.reading.netns == "all"


def test_the_interface_that_packets_leave_by_goes_before_the_one_bound_to() -> None:
    table = flows.table(recorded("iterators", "bpf", tcp=6), ("dev",))
    leaving = [row["state"] for row in table.rows() if row["dev"] == "lo"]
    assert leaving.count("established") > 5
    assert not {"listen", "time-wait"} & set(leaving)


# -- the port served


def service(*spaces: NamespaceDump) -> list[int | None]:
    served: list[int | None] = flows.table(captured(list(spaces)), ("service",))["service"].tolist()
    return served


def listener(src: str, port: int, only_six: int | None = None) -> bytes:
    more = b"" if only_six is None else attribute(INET_DIAG_SKV6ONLY, bytes([only_six]))
    return message(src, port, state=LISTEN, more=more)


HTTP, HIGH = 80, 40000
FOUR, SIX, MAPPED = "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"


@pytest.mark.parametrize(
    ("waiting", "local", "served"),
    [
        (listener(FOUR, HTTP), FOUR, True),
        (listener("192.0.2.9", HTTP), FOUR, False),
        (listener(ANY, HTTP), FOUR, True),
        (listener(ANY, HTTP), SIX, False),
        (listener(ANY_SIX, HTTP, 0), FOUR, True),
        (listener(ANY_SIX, HTTP, 0), MAPPED, True),
        (listener(ANY_SIX, HTTP), MAPPED, True),
        (listener(ANY_SIX, HTTP, 0), SIX, True),
        (listener(ANY_SIX, HTTP, 1), SIX, True),
        (listener(ANY_SIX, HTTP, 1), FOUR, False),
        (listener(SIX, HTTP, 1), SIX, True),
        (listener("2001:db8:1::1", HTTP, 1), SIX, False),
        (listener("2001:db8::2", HTTP, 1), SIX, False),
        (listener(MAPPED, HTTP), FOUR, True),
        (listener(FOUR, HTTP + 1), FOUR, False),
    ],
)
def test_a_flow_is_served_here_where_a_socket_waits_at_its_own_address_or_at_any(
    waiting: bytes, local: str, served: bool
) -> None:
    flow = message(local, HTTP, SIX if local == SIX else local, HIGH)
    others = [listener("198.51.100.1", HTTP), listener("2001:db8:2::2", HIGH, 1)]
    assert service(made(flow, waiting, *others))[0] == (HTTP if served else HIGH)


def test_listeners_serve_themselves_and_only_their_own_namespace_and_protocol() -> None:
    inbound, waiting = message(FOUR, HTTP, FOUR, HIGH), listener(ANY, HTTP)
    assert service(made(inbound, waiting)) == [HTTP, HTTP]
    assert service(made(inbound), made(waiting, space=BLUE)) == [HIGH, HTTP]
    datagrams = NamespaceDump(HERE, INTERFACES, [Dump(17, "netlink", message(FOUR, HTTP, state=CLOSE))])
    assert service(made(inbound), datagrams) == [HIGH, HTTP]
    both = NamespaceDump(HERE, INTERFACES, [Dump(17, "netlink", inbound + message(FOUR, HTTP, state=CLOSE))])
    assert service(both) == [HTTP, HTTP]


def test_raw_sockets_have_no_service() -> None:
    table = flows.table(captured([made(message(FOUR, 1, state=CLOSE), protocol=255)]), ("service",))
    assert [(row["proto"], row["sport"], row["service"]) for row in table.rows()] == [("raw", 1, None)]


def test_many_flows_and_listeners_at_addresses_of_their_own() -> None:
    waiting = [listener(f"10.0.{port % 256}.1", port) for port in range(1000, 1100)]
    inbound = [message(f"10.0.{port % 256}.1", port, "192.0.2.7", 5) for port in range(1000, 1100)]
    crossed = [message(f"10.0.{port % 256}.1", port + 1, "192.0.2.7", 5) for port in range(1000, 1099)]
    served = service(made(*waiting, *inbound, *crossed))
    assert served == [*range(1000, 1100), *range(1000, 1100), *[5] * 99]


# -- what is unknown


def test_before_the_first_sample_there_is_no_deviation() -> None:
    fresh = message(FOUR, 1, FOUR, 2, SYN_SENT, more=tcp_info(rtt=0, rttvar=250_000, snd_cwnd=10))
    used = message(FOUR, 3, FOUR, 2, more=tcp_info(rtt=40, rttvar=20, snd_cwnd=10))
    table = flows.table(captured([made(fresh, used)]), ("rtt_var", "cwnd"))
    assert [(row["rtt_var_us"], row["cwnd"]) for row in table.rows()] == [(None, 10), (20, 10)]
    assert "rtt" not in table


def test_users_have_names_where_the_system_knows_them() -> None:
    named, nameless = message(FOUR, 1, FOUR, 2, uid=0), message(FOUR, 3, FOUR, 2, uid=3_999_999_999)
    table = flows.table(captured([made(named, nameless)]), ("user",))
    assert [(row["uid"], row["user"]) for row in table.rows()] == [(0, "root"), (3_999_999_999, None)]


@pytest.mark.parametrize("spaces", [[], [made()], [made(), made(space=BLUE)]])
def test_a_host_without_sockets_is_an_empty_table(spaces: list[NamespaceDump]) -> None:
    table = flows.table(captured(spaces), [field.name for field in FIELDS])
    assert len(table) == 0
    assert set(table.columns) == {field.name for field in FIELDS}
    assert all(len(column) == 0 for column in table.columns.values())
    assert table.sql("SELECT count(*) FROM flows JOIN owners USING (owner)").rows == [(0,)]


def test_computed_fields_are_unknown_until_they_are_computed() -> None:
    table = flows.table(recorded("inetdiag", "netlink", tcp=6), ("limit", "bdp", "retrans_share", "tx_rate"))
    assert {value for name in ("limit", "bdp", "retrans_share", "tx_rate") for value in table[name].tolist()} == {None}


def test_messages_that_cannot_be_read_are_counted() -> None:
    broken = bytearray(message(FOUR, 1, FOUR, 2))
    struct.pack_into("=H", broken, len(broken) - 8, 200)  # an attribute that is longer than its message
    table = flows.table(captured([made(bytes(broken), message(FOUR, 3, FOUR, 4))]), ())
    assert table["sport"].tolist() == [3]
    assert table.reading.notes == ("a note", "malformed messages of the kernel about tcp: 1")


# -- owners


def test_owners_are_joined() -> None:
    held, loose = message(FOUR, 1, FOUR, 2, inode=70), message(FOUR, 3, FOUR, 4)
    table = flows.table(captured([made(held, loose)], Holders([7, 8], [70, 70], 0)), ("pid", "pids"))
    assert [(row["pid"], row["pids"]) for row in table.rows()] == [(7, (7, 8)), (None, None)]
    assert [row["pid"] for row in table.related["owners"].rows()] == [7, 8]


@pytest.mark.parametrize(("count", "told"), [(1, "1 socket has no known owner"), (2, "2 sockets have no known owner")])
def test_sockets_whose_owners_may_not_be_seen_are_counted(count: int, told: str) -> None:
    messages = [message(FOUR, port, FOUR, 2, inode=70 + port) for port in range(3)]
    holders = Holders([7] * (3 - count), list(range(70 + count, 73)), 5)
    capture = captured([made(*messages, message(FOUR, 9, FOUR, 2, TIME_WAIT))], holders, "5 processes")
    table = flows.table(capture, ())
    every = np.ones(len(table), np.bool_)
    assert flows.ownerless(table, every, capture.unreadable) == (
        f"{told}: what 5 processes hold may not be read ('fleutan doctor' says what would allow it)"
    )
    assert flows.ownerless(table, every, "") is None
    assert flows.ownerless(table, ~every, capture.unreadable) is None


def test_both_readers_in_one_namespace_give_one_table() -> None:
    capture = recorded("iterators", "bpf", tcp=6, udp=17)
    capture.namespaces[0].dumps.append(Dump(262, "netlink", (DATA / "inetdiag/mptcp.bin").read_bytes()))
    table = flows.table(capture, ("cpu", "mptcp_token", "cookie"))
    protos = np.array(table["proto"].tolist())
    assert set(protos) == {"tcp", "udp", "mptcp"}
    assert {row["cpu"] for row in table.rows() if row["proto"] == "mptcp"} == {None}
    assert {row["mptcp_token"] is None for row in table.rows() if row["proto"] != "mptcp"} == {True}
