# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket

import pytest
from tests.linux.packets.conftest import Inside, inside
from tests.linux.packets.test_bpf import LO, send

from fleutan.errors import Gone
from fleutan.linux import namespaces
from fleutan.linux.libbpf import counting_runs
from fleutan.linux.packets import devices
from fleutan.linux.packets.bpf import RAREST, RING
from fleutan.sources.packets.columns import Tap, Totals
from fleutan.sources.packets.sampler import BpfSampler

__all__ = ["inside"]  # the fixture
OUT, IN = Tap(LO, egress=True), Tap(LO, egress=False)


def test_who_is_wanted_is_sampled_and_nobody_else(inside: Inside) -> None:
    with BpfSampler() as sampler, counting_runs():
        sampler.want({OUT: 1, IN: 0})
        send(10)
        found = sampler.read()
        assert found is not None
        assert found.columns.values["egress"].tolist() == [True] * 10
        assert found.columns.values["pool"].tolist() == [10] * 10
        assert sampler.read() is None
        sampler.want({IN: 2})
        send(100)
        found = sampler.read()
        assert found is not None
        assert not found.columns.values["egress"].any()
        assert found.columns.values["rate"].tolist() == [2] * found.rows
        assert sampler.totals() == {IN: Totals(100, 0)}
        sampler.wait(0)
        assert sampler.way in ("tcx", "clsact")
        assert sampler.runs(egress=False).run_cnt == 100
        assert sampler.notes() == []


def test_what_waits_of_a_sampler_that_ended_still_has_its_totals(inside: Inside) -> None:
    with BpfSampler() as sampler:
        sampler.want({OUT: 1})
        send(7)
        sampler.want({})
        found = sampler.read()
        assert found is not None
        assert found.columns.values["pool"].tolist() == [7] * 7
        assert sampler.totals() == {}


def test_few_samples_wait_for_more_and_many_do_not(inside: Inside) -> None:
    with BpfSampler(linger=1_000) as sampler:
        sampler.want({OUT: 1})
        send(1)
        found = sampler.read()
        assert found is not None
        send(2)
        assert sampler.read() is None
        send(RING // 2 // 320)
        found = sampler.read()
        assert found is not None
        assert found.rows == RING // 2 // 320 + 2


def test_what_is_wrong_with_one_device_is_said_and_the_others_go_on(inside: Inside) -> None:
    index = inside.index()
    with BpfSampler() as sampler:
        sampler.want({Tap(99, egress=True): 5, OUT: 1, IN: RAREST + 1, Tap(index, egress=True): 3})
        assert sampler.notes() == [
            "one in 10,000,001 packets is no rate; say 0 (none) to 10,000,000",
            "there is no device 99 (any more)",
        ]
        inside.run("ip link delete veth0")
        sampler.want({OUT: 1, Tap(index, egress=True): 3})
        assert sampler.notes() == [f"there is no device {index} (any more)"]
        inside.run(f"ip link add veth0 index {index} type veth peer name veth1")
        sampler.want({OUT: 1, Tap(index, egress=True): 3})
        assert sampler.notes() == []
        assert sampler.totals().keys() == {OUT, Tap(index, egress=True)}
        send(3)
        found = sampler.read()
        assert found is not None
        assert found.rows == 3


def test_a_device_that_was_away_for_a_moment_is_sampled_again(inside: Inside) -> None:
    index = inside.index()
    with BpfSampler() as sampler:
        sampler.want({Tap(index, egress=True): 3})
        inside.run("ip link delete veth0")
        inside.run(f"ip link add veth0 index {index} type veth peer name veth1")
        assert not sampler._taps.is_tapped(index, egress=True)
        sampler.want({Tap(index, egress=True): 3})
        assert sampler._taps.is_tapped(index, egress=True)


def test_sockets_that_have_no_cookie_get_one(inside: Inside) -> None:
    with BpfSampler() as sampler:
        sampler.want({IN: 1})
        with socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
            there.bind(("127.0.0.1", 0))
            sampler._numbered = float("-inf")
            known = []
            for _ in range(2):
                here.sendto(b"x", there.getsockname())
                found = sampler.read()
                assert found is not None
                assert found.columns.values["is_own"].tolist() == [True]
                known += found.known("cookie").tolist()
            assert known == [False, True]


def test_a_namespace_is_sampled_from_outside_until_it_is_gone(inside: Inside) -> None:
    other = f"{inside.namespace.name}-b"
    inside.run(f"ip netns add {other}")
    with BpfSampler(namespaces.find(other)) as sampler:
        sampler.want({OUT: 1})
        inside.run(f"ip netns exec {other} ip link set lo up")
        with namespaces.entered(namespaces.find(other)):
            send(4)
        found = sampler.read()
        assert found is not None
        assert found.rows == 4
        inside.run(f"ip netns delete {other}")
        sampler.want({OUT: 1})
        assert sampler.totals() == {}
        [note] = sampler.notes()
        assert f"network namespace {other} is gone" in note
        assert sampler.read() is None


def test_a_namespace_that_is_gone_cannot_be_sampled(inside: Inside, closed: None) -> None:
    with pytest.raises(Gone), BpfSampler(namespaces.Namespace(5, "gone", "/nowhere")):
        pass


def test_what_sflow_has_no_number_for_is_counted(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    with BpfSampler() as sampler:
        monkeypatch.setattr(devices, "types", lambda: {LO: 65534})  # as if it had no Ethernet header
        sampler.want({OUT: 1})
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("lo", 0x88B5))  # a type for experiments (IEEE 802)
            for _ in range(2):
                raw.send(bytes(12) + b"\x88\xb5" + bytes(50))
        assert sampler.read() is None
        assert sampler.notes() == ["2 samples began with what sFlow has no number for"]
