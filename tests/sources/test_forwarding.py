# SPDX-License-Identifier: Apache-2.0
"""On loopback; ``tests/namespaces/test_forwarding.py`` has routers and fragments."""

from __future__ import annotations

import os
import socket

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures

from fleutan.errors import FleutanError, UsageError
from fleutan.linux import capabilities
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.spans import Spans, joined
from fleutan.sources.datagrams import Sockets
from fleutan.sources.forwarding import OTHER_VERSION, TRUNCATED, Forwarding, Target, target, targets
from fleutan.sources.recorded import Recorded

needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")
VERSIONS = [4, pytest.param(6, marks=needs_ipv6)]
HOSTS = {4: "127.0.0.1", 6: "::1"}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
FOUR, SIX = [0, 0xFFFF_7F00_0009], [0x20010DB8 << 32, 7]
DEADLINE = 10.0
pytestmark = pytest.mark.usefixtures("closed")


def collector(version: int) -> socket.socket:
    made = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
    made.bind((HOSTS[version], 0))
    made.settimeout(DEADLINE)
    return made


def place(of: socket.socket) -> Target:
    return target("[{}]/{}".format(*of.getsockname()[:2]))


def batch(*strings: bytes, source: list[list[int]] | None = None) -> Datagrams:
    spans, rows = joined(strings), len(strings)
    ends = np.array(source or [FOUR] * rows, np.int64).reshape(rows, 2)
    return Datagrams(spans, spans.sizes, ends, 2000 + np.arange(rows), ends, np.full(rows, 6343), np.arange(rows))


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1/6343", bytes([192, 0, 2, 1]), 6343),
        ("[2001:db8::1]/1", bytes.fromhex("20010db8000000000000000000000001"), 1),
        ("2001:db8::1/65535", bytes.fromhex("20010db8000000000000000000000001"), 65535),
        ("::ffff:192.0.2.1/9", bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1]), 9),
    ],
)
def test_targets_are_hosts_and_ports(text: str, address: bytes, port: int) -> None:
    assert target(text) == Target(text, address, port)


def test_a_link_local_target_has_its_device() -> None:
    assert target("fe80::1%lo/9").scope == socket.if_nametoindex("lo")


@pytest.mark.parametrize(
    "text", ["", "/", "192.0.2.1", "192.0.2.1:6343", "/6343", "h/", "h/0", "h/65536", "h/-1", "[]/1", "h/²"]
)
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(UsageError, match="HOST/PORT"):
        target(text)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "é" * 70, "[::1", "a..b"])
def test_hosts_that_are_not_found(host: str) -> None:
    with pytest.raises(FleutanError, match="no host of that name"):
        target(f"{host}/9")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_target_gets_every_datagram(version: int) -> None:
    strings = [b"one", b"", b"x" * 20000]
    with collector(version) as one, collector(4) as other, Forwarding([place(one), place(other)]) as out:
        out.send(batch(*strings))
        out.send(batch(b"more", source=[SIX]))
        for end in (one, other):
            assert [end.recv(1 << 16) for _ in range(4)] == [*strings, b"more"]
        assert out.accounts() == [(place(end).title, 4, 20007, {}) for end in (one, other)]


def test_a_target_named_twice_gets_it_once() -> None:
    with collector(4) as end, Forwarding(targets([place(end).title] * 2)) as out:
        out.send(batch(b"x"))
        assert len(out.accounts()) == 1


@pytest.mark.parametrize("keep_source", [False, pytest.param(True, marks=needs_raw)])
def test_what_was_cut_is_not_sent_on_as_if_it_were_whole(keep_source: bool) -> None:
    whole = batch(b"one", b"two", b"three")
    cut = whole._replace(sizes=np.array([3, 4, 5]))
    with collector(4) as end, Forwarding([place(end)], keep_source=keep_source) as out:
        out.send(cut)
        assert [end.recv(100) for _ in range(2)] == [b"one", b"three"]
        assert out.accounts()[0][1:] == (2, 8, {TRUNCATED: 1})


def test_what_cannot_leave_is_counted_by_reason() -> None:
    spans = Spans(np.zeros(70000, np.uint8), np.zeros(3, np.int64), np.array([1, 65530, 65600]))
    long = batch(b"", b"", b"")._replace(spans=spans, sizes=spans.sizes)
    with collector(4) as end, Forwarding([place(end)]) as out:
        out.send(long)
        assert out.accounts()[0][1:] == (1, 1, {"larger than the MTU of the interface": 2})


@needs_raw
@pytest.mark.parametrize("version", VERSIONS)
def test_senders_keep_their_addresses_and_ports(version: int) -> None:
    strings = [b"one", b"", b"x" * 20001, b"y" * 65507]
    own, other = (FOUR, SIX) if version == 4 else (SIX, FOUR)
    with collector(version) as end, Forwarding([place(end)], keep_source=True) as out:
        out.send(batch(*strings, source=[own] * 4))
        out.send(batch(b"a", b"b", source=[other, own]))
        out.send(batch())
        found = [end.recvfrom(1 << 16) for _ in range(5)]
        [account] = out.accounts()
    host = {4: "127.0.0.9", 6: "2001:db8::7"}[version]
    assert [payload for payload, _ in found] == [*strings, b"b"]
    assert [name[:2] for _, name in found] == [(host, port) for port in (2000, 2001, 2002, 2003, 2001)]
    assert account[1:] == (5, sum(map(len, strings)) + 1, {OTHER_VERSION: 1})


@needs_captures
def test_a_recorded_host_comes_as_it_was_sent() -> None:
    """From a capture file through the wire into batches: every octet is the same."""
    with Recorded(str(CAPTURES / "sflow" / "host-sflow-live.pcap")) as played:
        batches = list(played)
    sent = [one for part in batches for one in part.spans.strings()]
    with Sockets([0], ["127.0.0.1"]) as heard, Forwarding([target(f"127.0.0.1/{heard.ears[0].port}")]) as out:
        for one in batches:
            out.send(one)
        found: list[bytes] = []
        for came in heard.batches(DEADLINE):
            found += came.spans.strings()
            if len(found) >= len(sent) or not came.spans.rows:
                break
        assert found == sent
        assert [account[1:3] for account in out.accounts()] == [account[1:3] for account in played.accounts()]
    assert len(sent) == 63
