# SPDX-License-Identifier: Apache-2.0
"""Sockets of every kind at rest: both ways of reading, ss and /proc/net say the same of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.namespaces.conftest import COARSE, SILENT, Host, World, until

from fleutan.fields import BY_NAME, FIELDS
from fleutan.linux.tcpinfo import TCP_INFO
from fleutan.sources.words import BPF_ONLY, NETLINK_ONLY

DATA = Path(__file__).parents[1] / "data"
Row = dict[str, Any]
EVERY = [field.name for field in FIELDS if field.source != "computed" and field.of_flows]
OF_CONNECTIONS = {field.key for field in FIELDS if field.source.startswith("tcp_info")}
#: How long a crowd may take to come to rest.
SECONDS = 10
TWO_OF_EACH = """
four, six, both = listen("192.0.2.2", 7004), listen("2001:db8::2", 7006), listen("::", 7046, v6only=False)
for listener in (four, six, both):
    beside(drain, listener)
datagrams = [socket.socket(family, DATAGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
datagrams[0].bind(("192.0.2.2", 7014))
datagrams[1].bind(("::", 7016))
lite = socket.socket(socket.AF_INET, DATAGRAM, 136)
lite.bind(("192.0.2.2", 7013))
"""
TALK = """
near = [connect(*end) for end in (("192.0.2.2", 7004), ("2001:db8::2", 7006), ("192.0.2.2", 7046), ("2001:db8::2", 7046))]
near[0].setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
near[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x20)
for size, one in enumerate(near, 1):
    one.sendall(bytes(5000 * size))
asked = [socket.socket(family, DATAGRAM) for family in (socket.AF_INET, socket.AF_INET6, socket.AF_INET6)]
for one, end in zip(asked, (("192.0.2.2", 7014), ("2001:db8::2", 7016), ("::ffff:192.0.2.2", 7014))):
    one.connect(end)
    one.send(bytes(100))
loose = socket.socket(socket.AF_INET6, DATAGRAM)
loose.sendto(b"unread", ("2001:db8::2", 7016))
past = connect("2001:db8::2", 7006)
past.close()
"""  # noqa: E501
ALONE = """
import sys
sys.path.insert(0, {folder!r})
import record_inetdiag
crowd = record_inetdiag.crowd()
crowd.__enter__()
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    """``near`` and ``far`` talk to each other; ``alone`` has every other kind of socket."""
    with World() as world:
        near, far = world.pair()
        alone = world.host()
        alone.configure("address add 192.0.2.1/32 dev lo", "address add 2001:db8::1/128 dev lo nodad")
        alone.configure("route add 198.51.100.7/32 dev lo")
        server, client, crowd = far.actor(), near.actor(), alone.actor()
        server.do(TWO_OF_EACH)
        client.do(TALK)
        crowd.do(ALONE.format(folder=str(DATA)))
        found = {"near": near, "far": far, "alone": alone}
        for host in found.values():
            come_to_rest(host)
        yield found


def come_to_rest(host: Host) -> None:
    """Until nothing but timers moves in two looks one after the other."""
    looks: list[object] = []

    def rests() -> bool:
        rows = host.rows(fields=["segs_out", "segs_in", "bytes_acked"], source="netlink")
        looks.append({cookie: (row["state"], row["segs_out"], row["segs_in"]) for cookie, row in rows.items()})
        settled = {row["state"] for row in rows.values()} <= AT_REST
        return settled and len(looks) > 1 and looks[-1] == looks[-2]

    until(rests, f"{host.name} at rest", SECONDS)


AT_REST = {"established", "listen", "close", "time-wait", "fin-wait-2", "close-wait", "syn-sent", "syn-recv"}


def fits(key: str, value: Any, before: Any, after: Any) -> bool:
    """Whether a value is what one of its neighbours says, or lies between them."""
    if value in (before, after):
        return True
    if not all(isinstance(one, int | float) for one in (value, before, after)):
        return False
    if key.startswith("last_"):  # grows, and begins anew at any time
        return bool(value <= after or value >= before)
    if key == "timer_expires_ms":
        return bool(value >= after or value <= before)
    return bool(min(before, after) <= value <= max(before, after))


def misfits(row: Row, before: Row, after: Row) -> dict[str, tuple[Any, ...]]:
    """Keys of the row with what is said otherwise before and after."""
    return {
        key: (value, before.get(key), after.get(key))
        for key, value in row.items()
        if not fits(key, value, before.get(key), after.get(key))
    }


def rounded(row: Row) -> Row:
    return {key: value // 1000 * 1000 if key in COARSE and value else value for key, value in row.items()}


#: Keys that only sock_diag gives.
NOT_GIVEN = {"bpf": {BY_NAME[name].key for name in NETLINK_ONLY}}
HOSTS = pytest.mark.parametrize("name", ["near", "far", "alone"])


# Comes first: time-wait lasts a minute, which the other tests may take on a slow machine.
def test_every_kind_of_socket_was_there(hosts: dict[str, Host]) -> None:
    kinds: dict[str, set[Any]] = {"proto": set(), "state": set(), "family": set(), "cong": set(), "timer": set()}
    for host in hosts.values():
        for row in host.rows(fields=list(kinds), source="netlink").values():
            for key, seen in kinds.items():
                seen.add(row[key])
    assert {"tcp", "udp", "udplite"} <= kinds["proto"]
    assert kinds["state"] >= AT_REST
    assert kinds["family"] == {"ipv4", "ipv6"}
    assert {"on", "keepalive", "timewait"} <= kinds["timer"]


@HOSTS
@pytest.mark.parametrize(("proto", "flag"), [("tcp", "-t"), ("udp", "-u"), ("mptcp", "-M")])
def test_ss_says_the_same(hosts: dict[str, Host], name: str, proto: str, flag: str, source: str) -> None:
    host = hosts[name]
    before = host.rows(proto, fields=EVERY, source=source)
    theirs = host.ss(flag)
    after = host.rows(proto, fields=EVERY, source=source)
    assert theirs.keys() == before.keys() == after.keys()
    assert theirs or proto == "mptcp"
    for cookie, row in theirs.items():
        around = rounded(before[cookie]), rounded(after[cookie])
        left_out = (OF_CONNECTIONS if row["state"] == "listen" else set()) | NOT_GIVEN.get(source, set())
        assert misfits({key: value for key, value in row.items() if key not in left_out}, *around) == {}
        unsaid = SILENT - row.keys() - left_out
        assert {key: around[1][key] for key in unsaid if around[1][key] and around[0][key]} == {}


@HOSTS
@pytest.mark.parametrize("proto", ["tcp", "udp", "udplite"])
def test_proc_says_the_same(hosts: dict[str, Host], name: str, proto: str, source: str) -> None:
    host = hosts[name]
    theirs = sorted(host.proc(proto) + host.proc(f"{proto}6"))
    ours = [
        (
            *(row[key] for key in ("src", "sport", "dst", "dport", "state")),
            0 if row["state"] == "listen" else row["wqueue"],  # /proc does not show a listener's limit
            *(row["rqueue"], row["uid"] or 0, row["inode"]),
        )
        for row in host.rows(proto, fields=("wqueue", "rqueue", "uid"), source=source).values()
    ]
    assert sorted(ours) == theirs


def ends_early() -> set[str]:
    """Keys of what this kernel's tcp_info is too short for; BPF reads those from the socket itself."""
    with socket.socket() as one:
        length = len(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512))
    late = {member.name for member in TCP_INFO if max(member.since, member.offset + 1) > length}
    return {field.key for field in FIELDS if field.source.rpartition(".")[2] in late}


#: What one reader alone gives, and of which sockets.
ONE_SIDED: dict[str, Callable[[Row], bool]] = {
    **{BY_NAME[name].key: lambda row: row["proto"] in ("tcp", "udp") for name in BPF_ONLY | NETLINK_ONLY},
    **{key: lambda row: row["proto"] == "tcp" for key in ends_early()},
    # The listener's user.
    **{key: lambda row: row["state"] == "syn-recv" for key in ("uid", "user")},
}


@HOSTS
@pytest.mark.usefixtures("needs_bpf")
def test_both_readers_say_the_same(hosts: dict[str, Host], name: str) -> None:
    host = hosts[name]
    before = host.rows(fields=EVERY, source="netlink")
    middle = host.rows(fields=EVERY, source="bpf")
    after = host.rows(fields=EVERY, source="netlink")
    assert before.keys() == middle.keys() == after.keys()
    for cookie, row in middle.items():
        assert set(row) == set(before[cookie])
        found = misfits(row, before[cookie], after[cookie])
        allowed = {key for key, of in ONE_SIDED.items() if of(row)}
        assert {key: values for key, values in found.items() if key not in allowed} == {}
        for key, (ours, theirs, _) in found.items():
            assert ours is None or theirs is None, key


@pytest.mark.usefixtures("needs_bpf")
def test_what_only_bpf_says_is_true(hosts: dict[str, Host]) -> None:
    rows = hosts["near"].rows("tcp and state established", fields=sorted(BPF_ONLY), source="bpf")
    far = {row["sport"]: row for row in hosts["far"].rows("tcp", fields=sorted(BPF_ONLY), source="bpf").values()}
    far |= {row["dport"]: row for row in hosts["far"].rows("tcp", fields=sorted(BPF_ONLY), source="bpf").values()}
    assert len(rows) == 4
    for row in rows.values():
        other = far[row["sport"]]
        assert row["dev"] == "veth0"
        assert row["snd_una"] == row["snd_nxt"] == other["rcv_nxt"]
        assert row["rcv_nxt"] == other["snd_nxt"]
        assert 0 <= row["cpu"] < 4096
