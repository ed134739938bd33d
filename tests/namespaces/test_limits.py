# SPDX-License-Identifier: Apache-2.0
"""Flows that are held up in a known way, and the verdicts on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.namespaces.conftest import Host, World, until

from fleutan.live import Asked, Question
from fleutan.sources.capture import Reader

LOOKS = 5
PLAIN_SERVER = """
unread = listen("192.0.2.2", 7001, rcvbuf=4096)
for port in (7002, 7003, 7004):
    beside(drain, listen("192.0.2.2", port))
"""
PLAIN_CLIENT = """
stuck = connect("192.0.2.2", 7001)
beside(flood, stuck)
paced = connect("192.0.2.2", 7002)
paced.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 1_000_000)
beside(flood, paced)
idle = connect("192.0.2.2", 7003)
dripping = connect("192.0.2.2", 7004)
beside(drip, dripping, 100, 0.02)
"""
SERVER = 'beside(drain, listen("{}", 7000))'
CLIENT = 'one = connect("{}", 7000, congestion="cubic", sndbuf={}); beside(flood, one)'


@pytest.fixture(scope="module")
def limited() -> Iterator[dict[str, Host]]:
    """Hosts with flows that are held up, each in its own way."""
    with World() as world:
        plain, plain_peer = world.pair()
        buffered, buffered_peer = world.pair("tbf", "rate", "10mbit", "burst", "10kb", "limit", "1mb")
        lossy, lossy_peer = world.routed("tbf", "rate", "20mbit", "burst", "5kb", "limit", "6kb")
        plain_peer.actor().do(PLAIN_SERVER)
        plain.actor().do(PLAIN_CLIENT)
        # One large segment would not count against the buffer before it is complete (tcp_sendmsg).
        buffered.configure("link set veth0 gso_max_segs 1")
        for host, peer, address, sndbuf in (
            (buffered, buffered_peer, "192.0.2.2", 4096),
            (lossy, lossy_peer, "192.0.2.129", 0),
        ):
            peer.actor().do(SERVER.format(address))
            host.actor().do(CLIENT.format(address, sndbuf))
        yield {"plain": plain, "buffered": buffered, "lossy": lossy}


def verdicts(host: Host, source: Any) -> dict[int, Counter[str]]:
    """How often each verdict was given on the flow to each port, in some looks of a fifth of a second."""
    asked = Asked(Question("state established", fields=("limit", "evidence", "dport")))
    found: dict[int, Counter[str]] = {}
    with Reader(host.name, source) as reader:
        before = reader.take()
        for _ in range(LOOKS):
            capture = reader.take_after(before, 0.2)
            for row in asked.answer(capture, before).rows():
                found.setdefault(row["dport"], Counter())[row["limit"]] += 1
                assert row["evidence"]
            before = capture
    return found


def warmed(host: Host, condition: str) -> None:
    """Waits until a flow meets the condition."""
    until(lambda: len(host.flows(condition, source="netlink")), f"{condition} in {host.name}")


def test_limits_without_loss(limited: dict[str, Host], source: Any) -> None:
    host = limited["plain"]
    warmed(host, "dport = 7001 and snd_wnd = 0 and notsent > 0")
    warmed(host, "dport = 7002 and busy > 200ms")
    found = {port: counts.most_common(1)[0] for port, counts in verdicts(host, source).items()}
    assert found == {7001: ("rwnd", LOOKS), 7002: ("pacing", LOOKS), 7003: ("idle", LOOKS), 7004: ("app", LOOKS)}


@pytest.mark.parametrize(
    ("name", "condition", "limit"),
    [("buffered", "busy > 1s", "sndbuf"), ("lossy", "retrans > 50", "loss")],
)
def test_limits_of_the_buffer_and_of_the_path(
    limited: dict[str, Host], name: str, condition: str, limit: str, source: Any
) -> None:
    host = limited[name]
    warmed(host, condition)
    ((_, counts),) = verdicts(host, source).items()
    assert counts[limit] > LOOKS / 2, counts


def test_limits_of_one_reading(limited: dict[str, Host], source: Any) -> None:
    warmed(limited["plain"], "dport = 7003 and last_data_sent > 1s")
    table = limited["plain"].flows("dport in (7001, 7002, 7003)", fields=["limit"], source=source)
    assert {row["dport"]: row["limit"] for row in table.rows()} == {7001: "rwnd", 7002: "pacing", 7003: "idle"}
    warmed(limited["lossy"], "retrans > 50")
    assert limited["lossy"].flows("state established", fields=["limit"], source=source)["limit"].tolist() == ["loss"]


def test_loss_is_counted_as_ss_counts_it(limited: dict[str, Host], source: Any) -> None:
    host = limited["lossy"]
    keys = ("retrans", "bytes_retrans", "bytes_sent", "delivered", "segs_out")
    warmed(host, "retrans > 50")
    before = host.rows("state established", fields=keys, source=source)
    theirs = host.ss("-t")
    after = host.rows("state established", fields=keys, source=source)
    (cookie,) = after
    for key in keys:
        assert before[cookie][key] <= theirs[cookie][key] <= after[cookie][key]
    assert after[cookie]["bytes_retrans"] / after[cookie]["bytes_sent"] > 0.01
