# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from typing import Any

import pytest
from tests.linux.packets.conftest import Inside, inside
from tests.linux.packets.test_bpf import LO, send
from tests.linux.test_sampling import frame, frames

from fleutan.linux import namespaces
from fleutan.linux.sampling import OUTGOING, captured
from fleutan.sources.packets import tapping
from fleutan.sources.packets.columns import INTERNAL, Tap, Totals
from fleutan.sources.packets.tapping import SocketSampler, of_captured

__all__ = ["inside"]  # the fixture
OUT, IN = Tap(LO, egress=True), Tap(LO, egress=False)
PACKET = bytes(12) + b"\x08\x00" + b"\x45" + bytes(59)
TAG: dict[str, Any] = {"tag": (0x8100, 3 << 13 | 42), "status": 1 | 16}


def test_who_is_wanted_is_sampled_and_nobody_else(inside: Inside) -> None:
    with SocketSampler() as sampler:
        sampler.want({OUT: 1, IN: 0})
        sampler.wait(0)
        assert sampler.read() is None
        send(10)
        found = sampler.read()
        assert found is not None
        values = found.columns.values
        assert values["egress"].tolist() == [True] * 10
        assert [values[name].tolist()[0] for name in ("rate", "pool", "drops", "length")] == [1, 10, 0, 146]
        assert (values["input"][0], values["output"][0]) == (INTERNAL, LO)
        sampler.want({OUT: 1, IN: 1})
        send(10)
        found = sampler.read()
        assert found is not None
        assert sorted(found.columns.values["egress"].tolist()) == [False] * 10 + [True] * 10
        assert {len(header) for header in found.header.strings()} == {128}
        assert sampler.totals() == {OUT: Totals(20, 0), IN: Totals(10, 0)}
        assert "pools are samples times their rate" in sampler.notes()[0]


def test_samples_of_the_rate_before_keep_it(inside: Inside) -> None:
    with SocketSampler() as sampler:
        sampler.want({OUT: 1})
        send(5)
        sampler.want({OUT: 2})
        send(400)
        found = sampler.read()
        assert found is not None
        rates = found.columns.values["rate"].tolist()
        assert rates[:5] == [1] * 5
        assert 100 < rates.count(2) < 300
        assert sampler.totals() == {OUT: Totals(5 + 2 * rates.count(2), 0)}
        sampler.want({})
        assert sampler.totals() == {}


def test_what_is_lost_counts_for_the_pool(inside: Inside) -> None:
    with SocketSampler(header=2000) as sampler:  # room for 256 packets
        sampler.want({OUT: 1})
        send(400)
        found = sampler.read()
        assert found is not None
        [total] = sampler.totals().values()
        assert total == Totals(400, 400 - found.rows)
        assert total.drops > 100
        assert found.columns.values["drops"][0] == total.drops


def test_what_is_wrong_with_one_device_is_said_and_the_others_go_on(inside: Inside) -> None:
    index = inside.index()
    with SocketSampler() as sampler:
        sampler.want({Tap(99, egress=True): 5, OUT: 1, Tap(index, egress=True): 1})
        assert sampler.notes()[0] == "there is no device 99 (any more)"
        inside.run("ip link delete veth0")
        sampler.want({OUT: 1, Tap(index, egress=True): 1})
        assert sampler.notes()[0] == f"there is no device {index} (any more)"
        assert sampler.totals().keys() == {OUT}


def test_a_namespace_is_sampled_from_outside_until_it_is_gone(inside: Inside) -> None:
    other = f"{inside.namespace.name}-b"
    inside.run(f"ip netns add {other}")
    with SocketSampler(namespaces.find(other)) as sampler:
        sampler.want({OUT: 1})
        inside.run(f"ip netns exec {other} ip link set lo up")
        with namespaces.entered(namespaces.find(other)):
            send(4)
        found = sampler.read()
        assert found is not None
        assert found.rows == 4
        subprocess.run(["ip", "netns", "delete", other], check=True)
        sampler.want({OUT: 1})
        assert f"network namespace {other} is gone" in sampler.notes()[0]


@pytest.mark.parametrize("forwards", [False, True])
def test_where_a_packet_comes_from_and_goes_is_said_where_it_is_sure(forwards: bool) -> None:
    some = captured(frames(frame(PACKET), frame(PACKET, pkttype=3)))
    values = of_captured(some, Tap(2, egress=False), forwards).columns.values
    assert values["input"].tolist() == [2, 2]
    assert values["output"].tolist() == [0 if forwards else INTERNAL, 0]
    values = of_captured(
        captured(frames(frame(PACKET, pkttype=OUTGOING))), Tap(2, egress=True), forwards
    ).columns.values
    assert (values["input"].tolist(), values["output"].tolist()) == ([0 if forwards else INTERNAL], [2])


def test_without_a_frame_it_begins_with_the_network_header_or_cannot_be_told() -> None:
    bare: dict[str, Any] = {"hatype": 65534, "mac": 80, "net": 80}
    found = captured(
        frames(
            frame(b"\x45" * 30, **bare), frame(b"\x60" * 30, protocol=0x86DD, **bare), frame(b"x", protocol=6, **bare)
        )
    )
    packets = of_captured(found, Tap(2, egress=False), forwards=False)
    values = packets.columns.values
    assert values["protocol"].tolist() == [11, 12]
    assert (values["length"].tolist(), values["stripped"].tolist()) == ([30, 30], [0, 0])
    assert packets.header.strings() == [b"\x45" * 30, b"\x60" * 30]


def test_a_tag_goes_back_to_its_place() -> None:
    found = captured(frames(frame(PACKET), frame(PACKET, 1500, **TAG), frame(PACKET[:10], **TAG)))
    packets = of_captured(found, Tap(2, egress=False), forwards=False)
    tagged = PACKET[:12] + b"\x81\x00\x60\x2a" + PACKET[12:]
    assert packets.header.strings() == [PACKET, tagged[: len(PACKET)], PACKET[:10]]
    assert packets.columns.values["length"].tolist() == [len(PACKET) + 4, 1508, 18]
    assert packets.known("in_vlan").tolist() == [False, True, False]
    assert (packets.columns.values["in_vlan"][1], packets.columns.values["in_priority"][1]) == (42, 3)


def test_a_switch_that_is_not_there_is_off() -> None:
    assert not tapping._is_on("/nowhere")
