# SPDX-License-Identifier: Apache-2.0
"""Packets sampled by tc's action ``sample``, each against what was sent and against what tc counts."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from tests.vm.conftest import Sender

from fleutan.errors import NotSupported
from fleutan.linux.namespaces import entered, find
from fleutan.linux.packets.psample import Psample
from fleutan.sources.packets.kernel_samples import Account, KernelSamples
from fleutan.sources.packets.psample import Groups, PsampleSource, samples_of

#: Octets of the frame of a datagram that ``Sender`` sends, and with what it has on the wire besides.
FRAME, WIRE = 1042, 1046
BOTH = Groups(7, egress=True)


def sampled(host: Sender, device: str, way: str, rate: int, group: int) -> None:
    """Has packets that go this way at a device sampled; skips where the kernel cannot."""
    words = f"filter add dev {device} {way} matchall action sample rate {rate} group {group}"
    for one in (f"qdisc replace dev {device} clsact", words):
        made = subprocess.run(["tc", "-n", host.name, *one.split()], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"needs tc's matchall and sample (cls_matchall, act_sample): {made.stderr.splitlines()[0]}")


def seen(host: Sender, device: str, way: str) -> int:
    """How many packets tc says that the action has seen."""
    words = f"-s -j filter show dev {device} {way}".split()
    said = json.loads(host.run("tc", *words))
    return int(next(one for one in said if "options" in one)["options"]["actions"][0]["stats"]["packets"])


@contextmanager
def source(host: Sender, wanted: Callable[[int], int] = lambda _: 1) -> Iterator[PsampleSource]:
    with ExitStack() as held:
        with entered(find(host.name)):
            try:
                made = held.enter_context(PsampleSource(BOTH, wanted))
            except NotSupported as error:
                pytest.skip(f"needs psample: {error}")
        yield made


def everything(made: PsampleSource) -> list[KernelSamples]:
    made.wait(5)
    found = []
    while (told := made.read()) is not None:
        found.append(told)
    return found


def column(found: list[KernelSamples], name: str) -> list[int]:
    values: list[int] = np.concatenate([getattr(one, name) for one in found]).tolist()
    return values


def indexes(host: Sender) -> dict[str, int]:
    return {link["ifname"]: link["ifindex"] for link in json.loads(host.run("ip", "-j", "link", "show"))}


def test_every_packet_is_told_both_ways(host: Sender) -> None:
    sampled(host, "veth1", "ingress", 1, 7)
    sampled(host, "veth0", "egress", 1, 8)
    with source(host) as made:
        began = time.time_ns()
        host.send(20)
        found = everything(made)
        assert made.notes() == []
    places = indexes(host)
    egress = np.concatenate([one.egress for one in found])
    ways = np.array(column(found, "ifindex"))
    assert ways[egress].tolist() == [places["veth0"]] * 20
    assert ways[~egress].tolist() == [places["veth1"]] * 20
    assert set(column(found, "length")) == {WIRE}
    assert (set(column(found, "rate")), set(column(found, "drops"))) == ({1}, {0})
    assert (set(column(found, "protocol")), set(column(found, "stripped"))) == ({1}, {4})
    assert max(column(found, "pool")) == 20 == seen(host, "veth0", "egress") == seen(host, "veth1", "ingress")
    assert all(began <= at <= time.time_ns() for at in column(found, "at_ns"))
    headers = [header for one in found for header in one.header.strings()]
    assert {len(header) for header in headers} == {128}
    assert {header[12:14] + header[36:38] for header in headers} == {b"\x08\0\0\x09"}
    assert np.array(column(found, "output"))[egress].tolist() == [places["veth0"]] * 20
    assert np.array(column(found, "input"))[~egress].tolist() == [places["veth1"]] * 20


def test_one_in_so_many_stands_for_the_others(host: Sender) -> None:
    sampled(host, "veth0", "egress", 10, 8)
    with source(host) as made:
        host.send(4000)
        found = everything(made)
    many, passed = len(column(found, "rate")), seen(host, "veth0", "egress")
    assert set(column(found, "rate")) == {10}
    assert passed == 4000
    assert abs(10 * many - passed) < 6 * 10 * 19  # six standard deviations of so many draws
    assert column(found, "pool")[-1] == 10 * many


def test_fewer_than_the_kernel_samples_are_told_with_the_rate_that_it_comes_to(host: Sender) -> None:
    sampled(host, "veth0", "egress", 2, 8)
    with source(host, lambda _: 9) as made:
        host.send(1000)
        found = everything(made)
    many, pool = len(column(found, "rate")), column(found, "pool")[-1]
    assert set(column(found, "rate")) == {8}
    assert 0 <= pool - 8 * many < 8
    assert 80 < many < 170


def test_what_finds_no_room_is_known_to_be_lost(host: Sender) -> None:
    sampled(host, "veth0", "egress", 1, 8)
    account, found = Account(), []
    with ExitStack() as held:
        with entered(find(host.name)):
            kernel = held.enter_context(Psample(room=8192))
        host.send(500)
        while (told := kernel.read()) is not None:
            found.append(samples_of(told, BOTH, account, 128, 0))
        host.send(1)
        kernel.listener.wait(5)
        while (told := kernel.read()) is not None:
            found.append(samples_of(told, BOTH, account, 128, 0))
        assert kernel.listener.overruns >= 1
    many, lost = len(column(found, "rate")), column(found, "drops")[-1]
    assert 1 < many < 500
    assert many + lost == column(found, "pool")[-1] == 501
