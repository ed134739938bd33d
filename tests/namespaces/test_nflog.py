# SPDX-License-Identifier: Apache-2.0
"""Packets that a rule draws and logs: their number against the rule's own counter, each against what was sent."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from tests.namespaces.conftest import Host, World, until

from fleutan.errors import NotSupported
from fleutan.linux.namespaces import entered, find
from fleutan.linux.packets.nflog import Nflog
from fleutan.sources.packets.kernel_samples import INTERNAL, Account, KernelSamples
from fleutan.sources.packets.nflog import NflogSource, samples_of

NEAR, FAR = "192.0.2.1", "192.0.2.2"
GROUP = 5

pytestmark = pytest.mark.skipif(not shutil.which("nft"), reason="needs nft of nftables")

SEND = """
def send(host, port, times):
    one = socket.socket(family_of(host), DATAGRAM)
    for _ in range(times):
        with suppress(OSError):
            one.sendto(bytes(1000), (host, port))
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


@contextmanager
def rule(host: Host, hook: str, statement: str) -> Iterator[None]:
    """A rule for datagrams to port 9 at one of the hooks."""
    host.run("nft", f"add table inet t; add chain inet t c {{ type filter hook {hook} priority 0; }}")
    host.run("nft", f"add rule inet t c udp dport 9 {statement}")
    yield
    host.run("nft", "delete table inet t")


@contextmanager
def source(host: Host, probability: float) -> Iterator[NflogSource]:
    with ExitStack() as held:
        with entered(find(host.name)):
            try:
                made = held.enter_context(NflogSource(GROUP, probability))
            except NotSupported as error:
                pytest.skip(f"needs nfnetlink_log: {error}")
        yield made


def sent(host: Host, count: int, address: str = FAR) -> None:
    sender = host.actor()
    sender.do(SEND)
    sender.do(f"send('{address}', 9, {count})")


def counted(host: Host) -> int:
    """Packets that the rule's counter has seen."""
    found = re.search(r"counter packets (\d+)", host.run("nft", "list", "table", "inet", "t"))
    assert found
    return int(found[1])


def everything(made: NflogSource, wanted: int) -> list[KernelSamples]:
    """What comes until there are so many; the kernel waits a little for more before it sends."""
    found: list[KernelSamples] = []

    def enough() -> bool:
        made.wait(0.05)
        while (told := made.read()) is not None:
            found.append(told)
        return sum(one.rows for one in found) >= wanted

    until(enough, "all are told")
    return found


def column(found: list[KernelSamples], name: str) -> list[int]:
    values: list[int] = np.concatenate([getattr(one, name) for one in found]).tolist()
    return values


def index(host: Host) -> int:
    return int(host.run("cat", "/sys/class/net/veth0/ifindex"))


@pytest.mark.parametrize(("address", "network"), [(FAR, 20), ("2001:db8::2", 40)])
def test_every_packet_that_comes_in(hosts: tuple[Host, Host], address: str, network: int) -> None:
    near, far = hosts
    with source(far, 1) as made, rule(far, "input", f"counter log group {GROUP}"):
        sent(near, 50, address)
        until(lambda: counted(far) == 50, "all have come")
        found = everything(made, 50)
        assert made.notes() == []
    assert column(found, "pool") == list(range(1, 51))
    assert set(column(found, "ifindex")) == set(column(found, "input")) == {index(far)}
    assert (set(column(found, "output")), set(column(found, "egress"))) == ({INTERNAL}, {False})
    assert set(column(found, "length")) == {14 + network + 8 + 1000 + 4}
    headers = [header for one in found for header in one.header.strings()]
    assert {(len(header), header[14] >> 4) for header in headers} == {(128, 4 if network == 20 else 6)}
    assert {header[14 + network + 2 : 14 + network + 4] for header in headers} == {b"\0\x09"}


def test_every_packet_that_goes_out(hosts: tuple[Host, Host]) -> None:
    near, _ = hosts
    with source(near, 1) as made, rule(near, "output", f"counter log group {GROUP}"):
        sent(near, 10)
        found = everything(made, 10)
    assert set(column(found, "ifindex")) == set(column(found, "output")) == {index(near)}
    assert (set(column(found, "input")), set(column(found, "egress"))) == ({INTERNAL}, {True})
    assert (set(column(found, "protocol")), set(column(found, "length"))) == ({11}, {20 + 8 + 1000})


def test_one_in_so_many_stands_for_the_others(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    draw = f"numgen random mod 20 == 0 counter log group {GROUP}"
    with source(far, 1 / 20) as made, rule(far, "input", draw):
        sent(near, 8000)
        found = everything(made, counted(far))
        many = counted(far)
    assert len(column(found, "rate")) == many
    assert set(column(found, "rate")) == {20}
    assert column(found, "pool")[-1] == 20 * many
    assert abs(20 * many - 8000) < 6 * 20 * 20  # six standard deviations of so many draws


def test_what_finds_no_room_is_known_to_be_lost(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    account, found = Account(), []
    with ExitStack() as held:
        with entered(find(far.name)):
            try:
                kernel = held.enter_context(Nflog(GROUP, room=8192))
            except NotSupported as error:
                pytest.skip(f"needs nfnetlink_log: {error}")
        held.enter_context(rule(far, "input", f"counter log group {GROUP} queue-threshold 1"))

        def take() -> bool:
            while (told := kernel.read()) is not None:
                found.append(samples_of(told, 1, account, 128, 0))
            return bool(found) and column(found, "pool")[-1] == counted(far)

        sent(near, 500)
        take()
        sent(near, 1)
        until(take, "the last one is told")
    many, lost = len(column(found, "rate")), column(found, "drops")[-1]
    assert 1 < many < 500
    assert many + lost == 501
