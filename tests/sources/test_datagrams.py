# SPDX-License-Identifier: Apache-2.0
"""On loopback, as any user."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from fleutan.errors import FleutanError, UsageError
from fleutan.linux.listening import Unbound, titled
from fleutan.protocols.datagrams import Datagrams
from fleutan.sources.datagrams import SLICE, Account, Sockets, ended_by_signals, quiet

DEADLINE = 10.0
pytestmark = pytest.mark.usefixtures("closed")


def send(payload: bytes, port: int, host: str = "127.0.0.1") -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(payload, (host, port))


def taken(batches: Iterator[Datagrams], many: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < many:
        batch = next(batches)
        assert batch.spans.rows, "nothing came in time"
        found += batch.spans.strings()
    return found


def test_loopback_only_unless_told_otherwise() -> None:
    with Sockets([0]) as source:
        addresses = [ear.socket.getsockname()[0] for ear in source.ears]
    assert addresses[0] == "127.0.0.1"
    assert addresses[1:] in ([], ["::1"])


def test_batches_come_as_columns_and_are_accounted_for() -> None:
    with Sockets([0, 0], ["127.0.0.1"]) as source:
        assert len(source.ears) == 1  # the same port is one
        port = source.ears[0].port
        batches = source.batches(DEADLINE)
        for payload in (b"one", b"", b"three"):
            send(payload, port)
        assert taken(batches, 3) == [b"one", b"", b"three"]
        assert source.accounts() == [Account(titled("127.0.0.1", port), 3, 8, 0, 0, {})]


def test_several_ports_and_addresses() -> None:
    with Sockets([0], ["127.0.0.1", "127.0.0.2"], sockets=2) as source:
        assert len(source.ears) == 4
        for ear in source.ears:
            send(b"x", ear.port, ear.socket.getsockname()[0])
        assert taken(iter(source), 4) == [b"x"] * 4
        assert sum(account.received for account in source.accounts()) == 4


def test_a_quiet_time_is_an_empty_batch() -> None:
    with Sockets([0], ["127.0.0.1"]) as source:
        batch = next(source.batches(0.01))
        assert (batch.spans.rows, batch.source.shape, batch.at_ns.shape) == (0, (0, 2), (0,))


def test_it_ends_when_it_is_stopped_from_beside() -> None:
    with Sockets([0], ["127.0.0.1"]) as source:
        beside = threading.Thread(target=source.stop)
        beside.start()
        assert list(source) == []
        assert list(source.batches(0.01)) == []
        beside.join()


def test_a_signal_ends_it_after_the_batch_and_a_second_one_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Sockets([0], ["127.0.0.1"]) as source, ended_by_signals(source):
        batches = iter(source)
        send(b"x", source.ears[0].port)
        assert next(batches).spans.strings() == [b"x"]
        signal.raise_signal(signal.SIGINT)
        assert list(batches) == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before


PROGRAM = """
from fleutan.sources.datagrams import Sockets, ended_by_signals
with Sockets([0], ["127.0.0.1"]) as source, ended_by_signals(source):
    print(source.ears[0].port, flush=True)
    for batch in source:
        print(batch.spans.strings(), flush=True)
    print(source.accounts()[0].received, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_interrupted_ends_in_order(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        send(b"x", int(process.stdout.readline()))
        assert process.stdout.readline() == "[b'x']\n"
        process.send_signal(number)
        assert process.stdout.read() == "1\n"
    assert process.returncode == 0


def test_a_port_in_use_names_itself_and_closes_the_others() -> None:
    with Sockets([0], ["127.0.0.1"]) as one:
        port = one.ears[0].port
        with pytest.raises(FleutanError, match=rf"127\.0\.0\.1 port {port}: in use"), Sockets([0, port]):
            pytest.fail("it cannot be entered")
        with pytest.raises(FleutanError, match="in use"), Sockets([port], ["127.0.0.2", "127.0.0.1"]):
            pytest.fail("it cannot be entered")


def test_of_loopback_ipv6_may_be_absent_but_not_in_use() -> None:
    with Sockets([0], ["127.0.0.1"]) as one, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        free = one.ears[0].port
        one.ears[0].socket.close()
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::1", free))
        with pytest.raises(Unbound, match=f"::1 port {free}: in use") as found, Sockets([free]):
            pytest.fail("it cannot be entered")
        assert found.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize(("ports", "addresses"), [([0], ["nowhere"]), ([70000], [])])
def test_what_is_no_place_to_listen(ports: list[int], addresses: list[str]) -> None:
    with pytest.raises(UsageError), Sockets(ports, addresses):
        pytest.fail("it cannot be entered")


@pytest.mark.parametrize(("seconds", "whole", "rest"), [(0.2, 0, 0.2), (0.5, 1, 0.0), (1.75, 3, 0.25)])
def test_waits_are_short_and_their_last_one_says_so(seconds: float, whole: int, rest: float) -> None:
    one_round = [*[(SLICE, False)] * whole, (pytest.approx(rest), True)]
    assert list(islice(quiet(seconds), 2 * len(one_round))) == one_round * 2


def test_without_a_time_no_wait_is_the_last() -> None:
    assert list(islice(quiet(None), 3)) == [(SLICE, False)] * 3
