# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.fields import BY_NAME
from fleutan.linux import namespaces
from fleutan.linux.lifecycle import (
    BY_CLOSE,
    BY_CONNECT,
    BY_LISTEN,
    BY_NOTHING,
    ROLE_ACCEPT,
    ROLE_CONNECT,
    ROLE_LISTEN,
    ROLE_UNKNOWN,
    Lives,
    Lost,
    Watching,
)
from fleutan.linux.proc import Process
from fleutan.sources import lifecycle
from fleutan.sources.lifecycle import Surroundings, ended, space_names, table, watching, with_row
from fleutan.table import Table

ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, _, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, CLOSING = range(1, 12)
NETNS = 4026531840
NOTHING_LOST = Lost(*bytes(9))
ANY = str(ipaddress.IPv4Address(0))
#: CLOCK_MONOTONIC to UTC.
WALL = 1_000_000_000_000
Row = dict[str, Any]


def packed(text: str) -> tuple[int, bytes]:
    """Family and address as the kernel has them."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return family, socket.inet_pton(family, text).ljust(16, b"\0")


def record(
    cookie: int = 1,
    *,
    old: int = SYN_SENT,
    new: int = ESTABLISHED,
    role: int = ROLE_CONNECT,
    by: int = BY_NOTHING,
    pid: int = 0,
    comm: bytes = b"",
    begun: int = 0,
    established: int = 0,
    at: int = 0,
    error: int = 0,
    src: str = "192.0.2.1",
    dst: str = "192.0.2.2",
    sport: int = 1000,
    dport: int = 80,
    cgroup: int = 6,
    device: bytes = b"eth0",
) -> bytes:
    """An entry of the ring."""
    (family, local), (_, remote) = packed(src), packed(dst)
    return struct.pack(
        "=8x5q4q16s16s4I7I2H5B3x16s16s",
        *(cookie, cgroup, begun, established, at, 100, 101, 102, 103, local, remote),
        *(NETNS, 0, pid, error, 5000, 4000, 10, 11, 12, 13, 1),
        *(sport, dport, family, old, new, role, by, comm, device),
    )


def end(old: int, error: int = 0, **more: Any) -> bytes:
    return record(old=old, new=CLOSE, error=error, **more)


def read(pids: Iterable[int], _: Collection[str]) -> list[Process]:
    """Processes below 100 live."""
    return [Process(pid, f"p{pid}", cgroup=f"0::/system.slice/s{pid}.service\n") for pid in pids if pid < 100]


AROUND = Surroundings(lambda: {NETNS: "blue"}, read, lambda: {6: "/system.slice/web.service", 7: "/"})


def lives(*records: bytes, lost: Lost = NOTHING_LOST, missed: int = 0) -> Lives:
    return Lives(b"".join(records), 10_000, 5_000_010_000, WALL, lost, missed)


def rows(*records: bytes, flows: tuple[Table, ...] = ()) -> list[Row]:
    return list(table(lives(*records), flows=flows, around=AROUND).rows())


def test_nothing_happened() -> None:
    found = table(lives(), host="here", around=AROUND)
    assert len(found) == 0
    assert (found.kind, found.reading.host, found.reading.netns) == ("lifecycle", "here", "all")
    assert (found.reading.at_ns, found.reading.interval_ns) == (5_000_010_000 + WALL, 5_000_000_000)
    assert found.reading.notes == ()


def test_a_connection_that_is_still_open() -> None:
    (row,) = rows(record(begun=1_000_010_000, established=1_000_060_000, at=1_000_060_100, by=BY_CONNECT, pid=9))
    expected = {"proto": "tcp", "family": "ipv4", "src": "192.0.2.1", "sport": 1000, "dst": "192.0.2.2", "dport": 80}
    expected |= {"netns": "blue", "netns_inode": NETNS, "cookie": 1, "uid": 0, "user": "root", "cgroup_id": 6}
    expected |= {"role": "client", "outcome": "open", "state": "established", "closed_by": None, "error": None}
    expected |= {"began_ns": WALL + 1_000_010_000, "established_ns": WALL + 1_000_060_000, "ended_ns": None}
    expected |= {"connect_time_us": 50, "duration_us": 4_000_000, "connections": 1, "dev": "eth0"}
    expected |= {"bytes_sent": 100, "bytes_acked": 101, "bytes_received": 102, "bytes_retrans": 103}
    expected |= {"segs_out": 10, "segs_in": 11, "data_segs_out": 12, "data_segs_in": 13, "retrans": 1}
    expected |= {"rtt_us": 5000, "min_rtt_us": 4000, "owner_by": "connect", "pid": 9, "proc": "p9(9)"}
    assert {name: row[name] for name in expected} == expected


def test_every_column_is_in_the_catalogue() -> None:
    found = table(lives(record()), around=AROUND)
    assert set(found.columns) <= set(BY_NAME)
    assert set(found.columns) == set(table(lives(), around=AROUND).columns)


def test_beginning_and_end_are_one_row_and_others_are_rows_of_their_own() -> None:
    found = rows(
        record(cookie=1, begun=100, established=200, at=200),
        record(cookie=2, begun=150, established=300, at=300),
        end(FIN_WAIT2, cookie=1, begun=100, established=200, at=7100),
        record(cookie=1, begun=8000, established=9000, at=9000),  # the same socket, connected anew
        end(LAST_ACK, cookie=3, at=9500),
    )
    assert [(row["cookie"], row["outcome"], row["duration_us"]) for row in found] == [
        (2, "open", 5_000_009),
        (1, "closed", 7),
        (1, "open", 5_000_002),
        (3, "closed", None),
    ]
    assert found[1]["ended_ns"] == WALL + 7100
    assert found[3]["began_ns"] is None


@pytest.mark.parametrize(
    ("old", "error", "outcome", "closed_by"),
    [
        (FIN_WAIT2, 0, "closed", "local"),
        (FIN_WAIT1, 0, "closed", "local"),
        (LAST_ACK, 0, "closed", "remote"),
        (CLOSING, 0, "closed", "both"),
        (LISTEN, 0, "closed", "local"),
        (ESTABLISHED, 0, "aborted", "local"),
        (CLOSE_WAIT, 0, "aborted", "remote"),
        (ESTABLISHED, errno.ECONNABORTED, "aborted", None),
        (ESTABLISHED, errno.ECONNRESET, "reset", "remote"),
        (CLOSE_WAIT, errno.EPIPE, "reset", "remote"),
        (ESTABLISHED, errno.ETIMEDOUT, "timed out", None),
        (FIN_WAIT1, errno.ETIMEDOUT, "timed out", "local"),
        (SYN_SENT, errno.ECONNREFUSED, "refused", "remote"),
        (SYN_SENT, errno.EHOSTUNREACH, "unreachable", None),
        (SYN_SENT, errno.ENETUNREACH, "unreachable", None),
        (SYN_SENT, 0, "given up", "local"),
        (SYN_RECV, 0, "given up", "local"),
        (ESTABLISHED, errno.EPROTO, "failed", None),
    ],
)
def test_how_it_ended(old: int, error: int, outcome: str, closed_by: str | None) -> None:
    (row,) = rows(end(old, error))
    assert (row["outcome"], row["closed_by"], row["state"]) == (outcome, closed_by, "close")
    assert row["error"] == (errno.errorcode[error] if error else None)


def test_times_that_are_not_known_are_unknown() -> None:
    (row,) = rows(end(SYN_SENT, errno.ECONNREFUSED, begun=100, at=2100))
    assert (row["established_ns"], row["connect_time_us"], row["duration_us"]) == (None, None, 2)
    (row,) = rows(end(ESTABLISHED, role=ROLE_UNKNOWN, at=2100))
    assert (row["role"], row["began_ns"], row["duration_us"]) == (None, None, None)


def test_accepted_connections_took_no_time_to_connect() -> None:
    (row,) = rows(record(role=ROLE_ACCEPT, begun=100, established=200, old=SYN_RECV))
    assert (row["role"], row["connect_time_us"]) == ("server", None)


def test_addresses_and_namespaces() -> None:
    mapped, six = rows(
        record(1, src="::ffff:192.0.2.1", dst="::ffff:192.0.2.2"), record(2, src="2001:db8::1", dst="::1")
    )
    assert (mapped["family"], mapped["src"], six["family"], six["src"]) == ("ipv4", "192.0.2.1", "ipv6", "2001:db8::1")
    nameless = Surroundings(dict, read, dict)
    assert next(table(lives(record()), around=nameless).rows())["netns"] == str(NETNS)


# -- owners


def flows(pids: tuple[int, ...], cookie: int = 99, sport: int = 80, src: str = ANY, dport: int = 0) -> Table:
    family, local = packed(src)
    words = np.frombuffer(local, ">u8").astype(np.uint64).view(np.int64)
    halves = words if family == socket.AF_INET6 else np.array([0, 0xFFFF << 32 | int.from_bytes(local[:4], "big")])
    columns = {
        "cookie": Column(np.array([cookie])),
        "netns_inode": Column(np.array([NETNS])),
        "proto": text_column(["tcp"]),
        "src": Column(halves.reshape(1, 2)),
        "dst": Column(halves.reshape(1, 2)),
        "sport": Column(np.array([sport])),
        "dport": Column(np.array([dport])),
        "pids": Column(np.array([0], np.int32), None, (pids,)),
    }
    return Table("flows", columns)


def accepted(**more: Any) -> bytes:
    return record(**{"cookie": 5, "role": ROLE_ACCEPT, "old": SYN_RECV, "sport": 80, "dport": 1000, **more})


def owner(row: Row) -> tuple[Any, ...]:
    return row["owner_by"], row["pids"]


def test_a_call_goes_before_all_else() -> None:
    held = flows((30,), cookie=5)
    (row,) = rows(end(LAST_ACK, cookie=5, role=ROLE_ACCEPT, by=BY_CLOSE, pid=20, sport=80), flows=(held,))
    assert owner(row) == ("close", (20,))


def test_a_holder_goes_before_who_listens() -> None:
    (row,) = rows(accepted(), flows=(flows((40,)), flows((30, 31), cookie=5, sport=1)))
    assert owner(row) == ("holder", (30, 31))


def test_what_was_accepted_is_the_listeners() -> None:
    (row,) = rows(accepted(), flows=(flows((40, 41)),))
    assert owner(row) == ("listener", (40, 41))
    (row,) = rows(record(sport=80), flows=(flows((40,)),))  # it connected, from a port where another listens
    assert owner(row) == (None, None)


def test_the_listener_may_be_one_that_was_seen_to_listen() -> None:
    listening = record(
        7,
        old=CLOSE,
        new=LISTEN,
        role=ROLE_LISTEN,
        by=BY_LISTEN,
        pid=50,
        src=ANY,
        sport=80,
        dst=ANY,
        dport=0,
    )
    first, second = rows(listening, accepted())
    assert (first["role"], first["state"], owner(first)) == ("listener", "listen", ("listen", (50,)))
    assert owner(second) == ("listener", (50,))


def test_a_process_that_has_ended_keeps_its_name_and_unit() -> None:
    (row,) = rows(end(LAST_ACK, by=BY_CONNECT, pid=1234, comm=b"curl"))
    assert (row["proc"], row["comm"], row["unit"], row["exe"]) == ("curl(1234)", "curl", "web.service", None)
    for cgroup in (7, 8):  # the root tells nothing, and one may be gone
        (row,) = rows(end(LAST_ACK, by=BY_CONNECT, pid=1234, comm=b"curl", cgroup=cgroup))
        assert (row["comm"], row["cgroup"]) == ("curl", None)


def test_owners_are_related() -> None:
    found = table(lives(record(by=BY_CONNECT, pid=9), accepted()), ("pid", "comm"), around=AROUND)
    assert [(row["pid"], row["comm"]) for row in found.related["owners"].rows()] == [(9, "p9")]


# -- what found no room


def test_what_found_no_room_is_one_row_and_said() -> None:
    lost = Lost(5, 3, 1000, 900, 800, 10, 40, 41, 2)
    found = table(lives(record(), lost=lost, missed=2), around=AROUND)
    *_, other = found.rows()
    expected = {"outcome": "other", "connections": 3, "bytes_sent": 1000, "bytes_acked": 900, "bytes_received": 800}
    expected |= {"bytes_retrans": 10, "segs_out": 40, "segs_in": 41, "retrans": 2, "src": None, "pid": None}
    assert {name: other[name] for name in expected} == expected
    assert len(found) == 2
    assert "3 ends and 5 beginnings" in found.reading.notes[0]
    assert found.reading.notes[1].startswith("2 changes of state")


def test_beginnings_without_room_are_said_and_make_no_row() -> None:
    found = table(lives(lost=Lost(5, *bytes(8))), around=AROUND)
    assert len(found) == 0
    assert "0 ends and 5 beginnings" in found.reading.notes[0]


def test_where_all_found_no_room_there_is_still_the_row() -> None:
    (row,) = table(lives(lost=Lost(0, 3, *bytes(7))), around=AROUND).rows()
    assert (row["outcome"], row["connections"]) == ("other", 3)


def test_a_row_more() -> None:
    before = {"packets": Column(np.array([1])), "event": text_column(["drop"]), "dev": text_column(["lo"])}
    found = with_row(before, {"packets": 5, "event": "drop", "dev": "eth0"})
    assert [column.objects() for column in found.values()] == [[1, 5], ["drop", "drop"], ["lo", "eth0"]]
    assert found["event"].words == ("drop",)


# -- those that ended


def test_those_that_ended_are_connections_whatever_their_end() -> None:
    listening = record(7, old=CLOSE, new=LISTEN, role=ROLE_LISTEN, begun=1)
    found = ended(
        table(
            lives(
                record(1, begun=1, established=2),
                end(LAST_ACK, cookie=2),
                end(SYN_SENT, errno.ECONNREFUSED, cookie=3),
                listening,
                end(LISTEN, cookie=8, role=ROLE_LISTEN),
                end(FIN_WAIT2, cookie=4, role=ROLE_ACCEPT),
                end(ESTABLISHED, errno.EPROTO, cookie=5, role=ROLE_UNKNOWN),
                lost=Lost(0, 3, *bytes(7)),
            ),
            around=AROUND,
        )
    )
    assert [(row["cookie"], row["outcome"]) for row in found.rows()] == [
        (2, "closed"),
        (3, "refused"),
        (4, "closed"),
        (5, "failed"),
    ]
    assert "owners" in found.related


@pytest.mark.parametrize("lost", [NOTHING_LOST, Lost(0, 3, *bytes(7))])
def test_where_nothing_ended_there_is_nothing(lost: Lost) -> None:
    found = ended(table(lives(lost=lost), around=AROUND))
    assert len(found) == 0
    assert set(found.columns) == set(table(lives(), around=AROUND).columns)
    assert len(ended(table(lives(record(), lost=lost), around=AROUND))) == 0


def test_an_end_of_which_nothing_is_known_is_none() -> None:
    unknown = {name: text_column([None]) for name in ("outcome", "role")}
    assert len(ended(Table("lifecycle", unknown))) == 0


# -- this host


def test_what_is_watched_is_all_of_it_and_making_it_does_nothing() -> None:
    assert isinstance(watching(), Watching)


def test_this_host_knows_its_own_namespace() -> None:
    assert namespaces.current().inode in space_names()
    assert lifecycle.HOST.spaces is space_names
