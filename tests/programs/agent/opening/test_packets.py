# SPDX-License-Identifier: Apache-2.0
"""Of this host, whatever it is: what cannot be had is named."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from tests.programs.agent.opening.settings import opening

from fleutan.config.agents import Sampling, Tap
from fleutan.errors import NotSupported
from fleutan.linux import capabilities
from fleutan.programs.agent.batches import Read
from fleutan.programs.agent.opening import Opening
from fleutan.programs.agent.opening import packets as opener
from fleutan.programs.agent.opening.packets import WAYS, Flows, Given, discards, flows
from fleutan.programs.agent.opening.wanted import Wanted
from fleutan.sources.counters.devices import Devices
from fleutan.sources.packets.columns import Tap as Sampled

needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")
needs_admin = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_ADMIN",))), reason="needs CAP_NET_ADMIN")
needs_bpf = pytest.mark.skipif(
    bool(capabilities.missing(("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"))),
    reason="needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN",
)
LO = socket.if_nametoindex("lo")
TAPS = {"packets.devices": (Tap("lo"),), "sampling": Sampling(50, bps_ratio=0)}


def given(made: Opening) -> Given:
    return Given(made, Wanted(made.settings, Devices()))


def from_sources(*names: str, **more: object) -> dict[str, object]:
    return {**TAPS, "packets.source": names, **more}


@pytest.mark.parametrize("name", [pytest.param("bpf", marks=needs_bpf), pytest.param("socket", marks=needs_raw)])
def test_devices_are_sampled_at_their_rates(name: str) -> None:
    with opening(from_sources(name, owners=name == "bpf")) as made:
        (one,) = flows(given(made))
        assert one.sampler is not None
        assert one.sampler.totals().keys() == {Sampled(LO, False), Sampled(LO, True)}
        one.packets.wait(0.001)
        one.packets.batch(0.0)
        assert (made.lacks, made.notes()) == ({}, one.sampler.notes())


@needs_admin
@pytest.mark.parametrize("name", ["psample", "nflog"])
def test_what_the_kernel_samples_is_taken(name: str) -> None:
    """Or there is a reason: not every kernel has it."""
    with opening(from_sources(name)) as made:
        found = [*flows(given(made))]
        assert [(type(one.packets), one.sampler) for one in found] == [(Read, None)] * (name not in made.lacks)


def test_what_cannot_be_had_is_named() -> None:
    with opening(from_sources("nflog", **{"packets.nflog_group": 70_000})) as made:
        assert [*flows(given(made))] == []
        assert made.notes() == [f"nflog: {made.lacks['nflog']}"]
    with opening(from_sources("none")) as made:
        assert ([*flows(given(made))], made.lacks) == ([], {})


def test_of_auto_there_is_the_first_that_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def opens(name: str) -> Callable[[Given], Flows]:
        def opened(one: Given) -> Flows:
            tried.append(name)
            if one.opening.settings.header_bytes == 128 and name == "bpf":
                raise NotSupported("BPF programs", "the kernel is too old")
            return Flows(Read(Nothing(), lambda _: None))

        return opened

    monkeypatch.setattr(opener, "WAYS", {name: opens(name) for name in WAYS})
    for header, expected, lacks in ((128, ["bpf", "socket"], ["bpf"]), (64, ["bpf"], [])):
        tried.clear()
        with opening(from_sources("auto", header_bytes=header)) as made:
            assert len([*flows(given(made))]) == 1
            assert (tried, [*made.lacks]) == (expected, lacks)
    with opening(from_sources("socket", "nflog")) as made:
        assert len([*flows(given(made))]) == 2


class Nothing:
    def wait(self, seconds: float) -> None:
        """Does not."""

    def read(self) -> None:
        """Nothing ever comes."""


def test_no_dropped_packets_are_told_where_they_are_not_asked_for() -> None:
    for said in ({"drops.on": False}, {"drops.on": True, "drops.software": False, "drops.hardware": False}):
        with opening(said) as made:
            assert ([*discards(made)], made.lacks) == ([], {})


@needs_bpf
def test_dropped_packets_are_told() -> None:
    with opening({"drops.on": True, "drops.hardware": False}) as made:
        assert len([*discards(made)]) == 1
        assert (made.lacks, list(made.noted)) == ({}, ["drops"])


def test_devices_that_tell_no_drops_are_no_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise NotSupported("drops of devices", "there is no such family")

    monkeypatch.setattr(opener, "TrappedPackets", fails)
    with opening({"drops.on": True, "drops.software": False}) as made:
        assert [*discards(made)] == []
        assert made.lacks == {}
        (note,) = made.notes()
        assert note.startswith("devices' own drops: ")
        assert note.endswith("there is no such family")


def test_where_drops_cannot_be_had_devices_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(opener, "DiscardedPackets", fails)
    monkeypatch.setattr(opener, "TrappedPackets", pytest.fail)
    with opening({"drops.on": True}) as made:
        assert [*discards(made)] == []
        assert made.notes() == ["drops: [Errno 24] Too many open files"]


@needs_admin
def test_drops_of_devices_are_told_where_the_kernel_has_such() -> None:
    with opening({"drops.on": True, "drops.software": False}) as made:
        assert len([*discards(made)]) + len(made.notes()) >= 1
        assert made.lacks == {}
