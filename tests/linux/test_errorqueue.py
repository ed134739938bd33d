# SPDX-License-Identifier: Apache-2.0
"""On loopback, as any user; ``tests/namespaces/test_probing.py`` has routers."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from fleutan.errors import FleutanError
from fleutan.linux.egress import Unsendable
from fleutan.linux.errorqueue import ErrorQueue, Returned

HERE = {4: socket.inet_aton("127.0.0.1"), 6: socket.inet_pton(socket.AF_INET6, "::1")}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
UNREACHABLE = {4: (3, 3), 6: (1, 4)}
needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
VERSIONS = [4, pytest.param(6, marks=needs_ipv6)]
DEADLINE = 10.0


def closed_port(version: int) -> int:
    with socket.socket(FAMILIES[version], socket.SOCK_DGRAM) as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    """Each version of IP; and what was opened is closed."""
    before = os.listdir("/proc/self/fd")
    yield request.param
    assert os.listdir("/proc/self/fd") == before


def test_each_probe_to_a_closed_port_comes_back(version: int) -> None:
    port = closed_port(version)
    with ErrorQueue(HERE[version], port, tos=0x20) as queue:
        sent = [queue.send(ttl, bytes([ttl]) * 30) for ttl in (1, 2, 255)]
        found: list[Returned] = []
        while len(found) < 3:
            found += (got := queue.receive(DEADLINE))
            assert got
        after = time.time_ns()
        assert queue.receive(0) == []
    assert [one.errno for one in sent] == [0, 0, 0]
    assert [one.payload for one in found] == [bytes([ttl]) * 30 for ttl in (1, 2, 255)]
    for one, went in zip(found, sent, strict=True):
        wanted = (errno.ECONNREFUSED, *UNREACHABLE[version], HERE[version])
        assert (one.errno, one.type, one.code, one.offender) == wanted
        assert went.at_ns <= one.at_ns <= after
        assert (one.ttl, one.mtu) == (64, None)


def test_the_time_is_the_kernels_not_that_of_reading(version: int) -> None:
    with ErrorQueue(HERE[version], closed_port(version)) as queue:
        deadline = time.monotonic() + DEADLINE
        while True:  # mostly it has come when the send is done
            queue.send(9, b"")
            before = time.time_ns()
            if all(one.at_ns < before for one in queue.receive(DEADLINE)):
                break
            assert time.monotonic() < deadline


def test_ports_are_kept_and_the_destination_may_answer(version: int) -> None:
    with socket.socket(FAMILIES[version], socket.SOCK_DGRAM) as far:
        far.bind((socket.inet_ntop(FAMILIES[version], HERE[version]), 0))
        own = closed_port(version)
        with ErrorQueue(HERE[version], far.getsockname()[1], own, device="lo") as queue:
            assert queue.own_end == (HERE[version], own)
            assert [queue.send(ttl, b"q").errno for ttl in (7, 8)] == [0, 0]
            for _ in range(2):
                question, end = far.recvfrom(100)
                assert end[1] == own
                far.sendto(question + b"a", end)
            [one, other] = queue.receive(DEADLINE)
    assert one[:5] == other[:5] == (0, None, None, HERE[version], b"qa")
    assert one.ttl == 64


def test_what_does_not_fit_is_told_once(version: int) -> None:
    with ErrorQueue(HERE[version], closed_port(version)) as queue:
        assert queue.send(9, bytes(70000)).errno == errno.EMSGSIZE
        assert queue.receive(0) == []


def test_several_are_waited_for_at_once(version: int) -> None:
    port = closed_port(version)
    with ErrorQueue(HERE[version], port) as one, ErrorQueue(HERE[version], port) as other:
        waiting = select.poll()
        for queue in (one, other):
            waiting.register(queue.fileno(), select.POLLIN)
        assert waiting.poll(0) == []
        other.send(9, b"")
        ready = [file for file, _ in waiting.poll(DEADLINE * 1000)]
        assert ready == [other.fileno()]
        assert len(other.receive(0)) == 1


def test_nothing_comes_within_the_time(version: int) -> None:
    with ErrorQueue(HERE[version], closed_port(version)) as queue:
        began = time.monotonic()
        assert queue.receive(0.05) == []
        assert time.monotonic() - began >= 0.045
        assert queue.receive(-1) == []


def test_a_hop_limit_that_is_none(version: int) -> None:
    with ErrorQueue(HERE[version], closed_port(version)) as queue:
        assert queue.send(300, b"").errno == errno.EINVAL


def test_no_such_device(version: int) -> None:
    with (
        pytest.raises(Unsendable, match="through fln-none: no such interface"),
        ErrorQueue(HERE[version], 9, device="fln-none"),
    ):
        pytest.fail("it cannot be entered")


def test_a_port_that_is_taken(version: int) -> None:
    with socket.socket(FAMILIES[version], socket.SOCK_DGRAM) as holder:
        holder.bind(("", 0))
        taken = holder.getsockname()[1]
        with pytest.raises(FleutanError, match="address already in use"), ErrorQueue(HERE[version], 9, taken):
            pytest.fail("it cannot be entered")
