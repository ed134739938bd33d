# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Collection, Mapping
from functools import partial

import pytest
from tests.bpf import agrees, needs_bpf
from tests.linux.conftest import namespace

from fleutan.errors import NotSupported, UsageError
from fleutan.linux.discards import Discarding
from fleutan.linux.reasons import drop_reasons
from fleutan.sources.discards import Bounds, DiscardedPackets, Surroundings


def named(names: Mapping[str, str]) -> Surroundings:
    """Every function is called so; reasons are the kernel's."""

    def functions(places: Collection[int]) -> dict[int, str]:
        return {place: name for place in places for name in names}

    return Surroundings(functions, drop_reasons)


def test_what_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'\(' is no regular expression: "):
        DiscardedPackets(Bounds(hide="("))


def test_numbers_out_of_bounds_are_refused() -> None:
    with pytest.raises(UsageError, match="0 dropped packets"):
        DiscardedPackets(Bounds(limit=0))


def test_what_is_missing_has_a_name() -> None:
    without = partial(Discarding, library="libbpf.so.0x")
    with pytest.raises(NotSupported, match="install libbpf1"), DiscardedPackets(kernel=without):
        pass


# -- the kernel: datagrams by loopback, in a namespace where nobody else drops

__all__ = ["namespace"]  # a fixture
kernel = pytest.mark.usefixtures("loopback")
ONLY = Bounds(only_own=True)


@pytest.fixture
def loopback(namespace: None) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def send(count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _ in range(count):
            one.sendto(bytes(10), ("127.0.0.1", 9))


@needs_bpf
@kernel
def test_dropped_packets_are_told_in_sflows_words() -> None:
    def look() -> None:
        with DiscardedPackets(ONLY) as source:
            source.wait(0)
            assert source.read().rows == 0
            send(3)
            found = source.read()
            assert source.notes() == []
        lo = socket.if_nametoindex("lo")
        assert (found.reason.tolist(), found.linux_reason.objects()) == ([3] * 3, ["NO_SOCKET"] * 3)
        assert (found.ifindex.tolist(), found.drops.tolist()) == ([lo] * 3, [0] * 3)
        assert (found.protocol.tolist(), found.length.tolist()) == ([1] * 3, [14 + 28 + 10 + 4] * 3)
        assert set(found.symbol.objects()) <= {"__udp4_lib_rcv", "udp_queue_rcv_skb", "udp_rcv"}
        assert found.netns.tolist() == [os.stat("/proc/thread-self/ns/net").st_ino] * 3

    agrees(look)


@needs_bpf
@kernel
def test_what_is_beyond_the_quota_is_in_the_drops_of_what_follows() -> None:
    def look() -> None:
        with DiscardedPackets(ONLY._replace(limit=10)) as source:
            send(1000)
            told = source.read().rows
            lo = socket.if_nametoindex("lo")
            assert source.suppressed() == {lo: 1000 - told}
            found = source.read()
            while not found.rows:  # until the quota lets one pass
                send(1)
                found = source.read()
            assert found.drops[-1] == source.suppressed()[lo] >= 1000 - told

    agrees(look)


@needs_bpf
@kernel
def test_what_some_functions_drop_is_hidden_from_the_first_on() -> None:
    def look() -> None:
        with DiscardedPackets(ONLY._replace(hide="^udp.*rcv$"), named({"udp_any_rcv [module]": ""})) as source:
            send(3)
            assert source.read().rows == 3
        with DiscardedPackets(ONLY._replace(hide="^udp.*rcv$"), named({"udp_any_rcv": ""})) as source:
            for _ in range(2):
                send(300)
                assert source.read().rows == 0
            assert sum(source.suppressed().values()) < 300  # of the second time none

    agrees(look)


@needs_bpf
@kernel
def test_functions_without_names_are_noted() -> None:
    with DiscardedPackets(ONLY, named({})) as source:
        send(2)
        found = source.read()
        assert found.symbol.objects() == [None] * found.rows
        if found.rows:
            assert [note.partition(":")[0] for note in source.notes()] == ["the functions that drop are not known"]


@needs_bpf
@kernel
def test_a_flood_takes_the_program_out_for_a_while() -> None:
    now = [100.0]

    def look() -> None:
        with DiscardedPackets(ONLY._replace(most=50, seconds=2), steady=lambda: now[0]) as source:
            source.read()
            for _ in range(2):
                send(200)
                now[0] += 1
                source.read()
            send(200)
            assert source.read().rows == 0
            assert source.notes() == [
                "dropped packets are not looked at for another 10 s: there were more than 50 a second for 2 s"
            ]
            before = source.suppressed()
            send(200)
            now[0] += 9.5
            assert (source.read().rows, source.suppressed()) == (0, before)
            now[0] += 0.5
            source.read()
            send(2)
            assert source.read().rows + sum(source.suppressed().values()) - sum(before.values()) == 2
            assert source.notes() == ["dropped packets were too many a second 1 times, and not looked at for a while"]

    agrees(look)


class Once(Discarding):
    """What is attached when it is entered, and not again until it is allowed."""

    allowed = True

    def attach(self) -> None:
        if not self.allowed:
            raise NotSupported("BPF", "the kernel refuses it")
        super().attach()
        Once.allowed = False


@needs_bpf
@kernel
def test_a_program_that_cannot_be_put_in_again_is_tried_later() -> None:
    now = [0.0]
    Once.allowed = True
    with DiscardedPackets(ONLY._replace(most=1, seconds=1), steady=lambda: now[0], kernel=Once) as source:
        source.read()
        send(100)
        now[0] += 2
        source.read()
        now[0] += 10
        source.read()
        note, why = source.notes()
        assert note.startswith("dropped packets are not looked at for another 20 s")
        assert why == "dropped packets: BPF: the kernel refuses it"
        Once.allowed = True
        now[0] += 20
        source.read()
        assert source.notes() == ["dropped packets were too many a second 2 times, and not looked at for a while"]
