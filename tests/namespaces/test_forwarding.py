# SPDX-License-Identifier: Apache-2.0
"""Datagrams sent on over a link of 1500 octets: whose they are, how they are cut, and what is lost where."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from tests.namespaces.conftest import Host, World, until

from fleutan.linux.listening import Ear, Unbound, listen
from fleutan.linux.namespaces import entered, find
from fleutan.linux.receiving import Receiver
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.spans import joined
from fleutan.sources.datagrams import Sockets
from fleutan.sources.forwarding import Forwarding, target

PORT = 6343
FAR = {4: "192.0.2.2", 6: "2001:db8::2"}
#: Exporters that none of the hosts knows but by a route.
EXPORTER = {4: [0, 0xFFFF_C633_6407], 6: [0x20010DB800FF0000, 7]}
EXPORTERS = {4: "198.51.100.0/24", 6: "2001:db8:ff::/64"}
STRINGS = [b"one", b"", b"x" * 1472, b"y" * 1473, bytes(range(256)) * 20, b"z" * 65507, b"last"]


def joined_hosts(made: World) -> tuple[Host, Host]:
    """Two hosts whose link is ready: until its own address is, IPv6 asks no neighbour for a strange source."""
    near, far = made.pair()
    far.configure(f"route add {EXPORTERS[4]} via 192.0.2.1", f"route add {EXPORTERS[6]} via 2001:db8::1")
    shown = ("ip", "address", "show", "dev", "veth0")
    until(lambda: "tentative" not in near.run(*shown) + far.run(*shown), "addresses of their own")
    return near, far


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as made:
        yield joined_hosts(made)


def batch(version: int, strings: list[bytes]) -> Datagrams:
    spans, rows = joined(strings), len(strings)
    source = np.array([EXPORTER[version]] * rows, np.int64)
    return Datagrams(spans, spans.sizes, source, 2000 + np.arange(rows), source, np.full(rows, 1), np.zeros(rows, int))


@contextmanager
def forwarding(host: Host, address: str, *, keep_source: bool = False) -> Iterator[Forwarding]:
    """From inside a host."""
    with ExitStack() as held:
        with entered(find(host.name)):
            out = held.enter_context(Forwarding([target(f"{address}/{PORT}")], keep_source=keep_source))
        yield out


def heard(host: Host, address: str) -> list[Ear]:
    with entered(find(host.name)):
        return listen(address, PORT)


def received(ears: list[Ear], many: int) -> list[tuple[bytes, list[int], int]]:
    """Payloads, sources and ports of so many datagrams, as the kernel of the other end has put them together."""
    found: list[tuple[bytes, list[int], int]] = []
    with Receiver(ears) as receiver:

        def all_came() -> bool:
            got = receiver.receive(0.1)
            if got is not None:
                for row, (start, kept) in enumerate(zip(got.starts.tolist(), got.kept.tolist(), strict=True)):
                    payload = got.octets[start : start + kept].tobytes()
                    found.append((payload, got.source[row].tolist(), int(got.sport[row])))
            return len(found) >= many

        until(all_came, f"{many} datagrams")

        assert receiver.receive(0) is None
    return found


@pytest.mark.parametrize("version", [4, 6])
def test_senders_are_kept_and_long_datagrams_are_cut_for_the_link(hosts: tuple[Host, Host], version: int) -> None:
    near, far = hosts
    ears = heard(far, FAR[version])
    with forwarding(near, FAR[version], keep_source=True) as out:
        out.send(batch(version, STRINGS))
        out.send(batch(version, STRINGS[::-1]))
        found = received(ears, 2 * len(STRINGS))
        assert [account[1:] for account in out.accounts()] == [(14, 2 * sum(map(len, STRINGS)), {})]
    assert sorted(payload for payload, *_ in found) == sorted(STRINGS * 2)
    assert {tuple(source) for _, source, _ in found} == {tuple(EXPORTER[version])}
    assert [port for *_, port in found] == [2000 + number for number in range(7)] * 2


@pytest.mark.parametrize("version", [4, 6])
def test_without_that_the_kernel_does_all_of_it(hosts: tuple[Host, Host], version: int) -> None:
    near, far = hosts
    ears = heard(far, FAR[version])
    with forwarding(near, FAR[version]) as out:
        out.send(batch(version, STRINGS))
        found = received(ears, len(STRINGS))
    assert [payload for payload, *_ in found] == STRINGS
    own = {4: [0, 0xFFFF_C000_0201], 6: [0x20010DB8 << 32, 1]}[version]
    assert {tuple(source) for _, source, _ in found} == {tuple(own)}


@pytest.mark.parametrize("version", [4, 6])
def test_a_link_that_becomes_narrower_costs_a_batch(short_world: World, version: int) -> None:
    near, far = joined_hosts(short_world)
    ears = heard(far, FAR[version])
    with forwarding(near, FAR[version], keep_source=True) as out, entered(find(near.name)):
        near.configure("link set veth0 mtu 1300")
        out.send(batch(version, [b"short", b"x" * 1400]))
        out.send(batch(version, [b"x" * 1400]))
        found = received(ears, 2)
        assert out.accounts()[0][1:] == (2, 1405, {"larger than the MTU of the interface": 1})
    assert [payload for payload, *_ in found] == [b"short", b"x" * 1400]


@pytest.mark.parametrize("keep_source", [False, True])
def test_what_a_queue_of_this_host_drops_is_counted(short_world: World, keep_source: bool) -> None:
    near, far = short_world.pair("tbf", "rate", "400kbit", "burst", "3000", "limit", "6000")
    far.configure(f"route add {EXPORTERS[4]} via 192.0.2.1")
    ears = heard(far, FAR[4])
    with forwarding(near, FAR[4], keep_source=keep_source) as out:
        for _ in range(4):
            out.send(batch(4, [bytes(1000)] * 10))
        [(_, sent, _, unsent)] = out.accounts()
    assert 0 < sent < 40
    assert unsent == {"a queue of this host dropped it": 40 - sent}
    assert len(received(ears, sent)) == sent


def test_a_host_without_ipv6_listens_by_ipv4(short_world: World) -> None:
    host = short_world.host()
    host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6")
    with entered(find(host.name)):
        with Sockets([0]) as source:
            assert [ear.socket.getsockname()[0] for ear in source.ears] == ["127.0.0.1"]
        with pytest.raises(Unbound, match="does not have that address"), Sockets([0], ["::1"]):
            pytest.fail("it cannot be entered")


def test_a_link_local_exporter_and_a_link_local_collector(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    own = far.run("ip", "-6", "-o", "addr", "show", "dev", "veth0", "scope", "link").split("inet6 ")[1].split("/")[0]
    ears = heard(far, f"{own}%veth0")
    with forwarding(near, f"{own}%veth0") as out:
        out.send(batch(6, [b"x" * 3000]))
        [(payload, source, _)] = received(ears, 1)
    assert payload == b"x" * 3000
    assert source[0] == int.from_bytes(socket.inet_pton(socket.AF_INET6, "fe80::")[:8], signed=True)
