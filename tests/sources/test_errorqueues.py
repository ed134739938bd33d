# SPDX-License-Identifier: Apache-2.0
"""On loopback, as any user; ``tests/namespaces/test_paths_unprivileged.py`` has routers."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from fleutan.linux.egress import Unsendable
from fleutan.linux.errorqueue import Returned
from fleutan.linux.namespaces import current
from fleutan.protocols.tracing.probes import Flow, Probe
from fleutan.protocols.tracing.replies import Reply
from fleutan.sources.errorqueues import PORT, ErrorQueues, reply_of

HERE = {4: ip_address("127.0.0.1").packed, 6: ip_address("::1").packed}
FLOW = {version: Flow(version, here, here, 17, 40000, PORT) for version, here in HERE.items()}
ROUTER = bytes([10, 0, 0, 1])
DEADLINE = 10.0
needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")


@pytest.fixture(params=[4, pytest.param(6, marks=needs_ipv6)])
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each version of IP; and what was opened is closed."""
    before = os.listdir("/proc/self/fd")
    yield request.param
    assert os.listdir("/proc/self/fd") == before


def test_each_flow_has_a_port_of_its_own_and_its_probes_come_back(version: int) -> None:
    with ErrorQueues(current()) as wire:
        flows = [wire.flow_to(HERE[version]) for _ in range(3)]
        assert {(flow.family, flow.src, flow.dst, flow.proto, flow.dport) for flow in flows} == {
            (version, HERE[version], HERE[version], 17, PORT)
        }
        assert len({flow.sport for flow in flows}) == 3
        sent = {}
        for number, flow in enumerate(flows, 0xFFFE):
            sent[flow, number & 0xFFFF] = wire.send(Probe(flow, 1, number & 0xFFFF))
        found: list[tuple[Reply, int]] = []
        while len(found) < 3:
            found += (got := wire.receive(DEADLINE))
            assert got
        assert wire.receive(0) == []
    assert {(reply.flow, reply.number) for reply, _ in found} == set(sent)
    for reply, at_ns in found:
        assert (reply.kind, reply.source, reply.ttl, reply.quoted) == ("unreachable", HERE[version], 64, None)
        went = sent[reply.flow, reply.number or 0]
        assert went.errno == 0
        assert went.at_ns <= at_ns


def test_what_a_destination_answers_is_left_out() -> None:
    with ErrorQueues(current()) as wire:
        flow = wire.flow_to(ip_address("127.0.0.77").packed)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.bind(("127.0.0.77", PORT))
            wire.send(Probe(flow, 9, 5))
            question, end = far.recvfrom(9)
            assert (question, end[1]) == (bytes([0, 5]), flow.sport)
            far.sendto(question, end)
        assert wire.receive(DEADLINE) == []


def test_nothing_comes_within_the_time() -> None:
    with ErrorQueues(current()) as wire:
        wire.flow_to(HERE[4])
        assert wire.receive(0.01) == wire.receive(-1) == []


def test_nowhere_to_send() -> None:
    with ErrorQueues(current()) as wire, pytest.raises(Unsendable):
        wire.flow_to(ip_address("fe80::1").packed)


@pytest.mark.parametrize(
    ("version", "told", "kind"),
    [
        (4, (errno.EHOSTUNREACH, 11, 0), "time-exceeded"),
        (4, (errno.EHOSTUNREACH, 3, 1), "unreachable"),
        (4, (errno.EHOSTUNREACH, 11, 1), "other"),
        (6, (errno.EHOSTUNREACH, 3, 0), "time-exceeded"),
        (6, (errno.EACCES, 1, 1), "unreachable"),
    ],
)
def test_errors_are_the_replies_that_packets_would_be(version: int, told: tuple[int, int, int], kind: str) -> None:
    returned = Returned(*told, ROUTER, b"\x12\x34more", 99, 61)
    assert reply_of(FLOW[version], returned) == Reply(ROUTER, kind, told[2], FLOW[version], 0x1234, 61)


def test_what_was_too_big_brings_the_mtu() -> None:
    for version, kind in ((4, (3, 4)), (6, (2, 0))):
        reply = reply_of(FLOW[version], Returned(errno.EMSGSIZE, *kind, ROUTER, b"\0\1", 99, 61, 1280))
        assert reply is not None
        assert (reply.kind, reply.mtu, reply.number) == ("too-big", 1280, 1)


def test_what_tells_nothing() -> None:
    assert reply_of(FLOW[4], Returned(0, None, None, ROUTER, b"\0\1", 99, 61)) is None
    assert reply_of(FLOW[4], Returned(errno.EPROTO, 250, 0, ROUTER, b"\0\1", 99, 61)) is None
    quoted_short = reply_of(FLOW[4], Returned(errno.EHOSTUNREACH, 11, 0, ROUTER, b"\0", 99, None))
    assert quoted_short is not None
    assert (quoted_short.number, quoted_short.ttl) == (None, 0)
