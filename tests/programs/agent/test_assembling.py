# SPDX-License-Identifier: Apache-2.0
"""Of this host, whatever it is: what cannot be had is named, and the rest is there."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from urllib.request import urlopen
from uuid import UUID

import pytest
from tests.faces.cli.test_collecting import free_port

from fleutan.config import Agent as Settings
from fleutan.config.agents import Place, Sampling, Tap
from fleutan.config.sections import changed
from fleutan.linux import capabilities
from fleutan.programs.agent.assembling import STAND, Assembly
from fleutan.programs.agent.opening import REFRESH
from fleutan.programs.agent.outputs.flowrecords import Exporter
from fleutan.programs.agent.schedule import Schedule
from fleutan.programs.agent.settings import Effective
from fleutan.programs.agent.stream import Stream
from fleutan.sources.addresses import Address
from fleutan.sources.collectors import Collector, Collectors
from fleutan.sources.packets.columns import Tap as Sampled

needs_raw = pytest.mark.skipif(bool(capabilities.missing(("CAP_NET_RAW",))), reason="needs CAP_NET_RAW")
LO = socket.if_nametoindex("lo")
TAPS = {"packets.source": ("socket",), "packets.devices": (Tap("lo"),), "drops.on": False}


def effective(**more: object) -> Effective:
    return Effective(changed(Settings(), {"address": "192.0.2.7", "gpus": False, **more}), {})


@needs_raw
def test_devices_are_sampled_at_their_rates() -> None:
    with Assembly(effective(**TAPS, sampling=Sampling(50, bps_ratio=0))) as made:
        assert len(made.flows) == len(made.samplers) == 1
        assert {*made.samplers[0].totals()} == {Sampled(LO, False), Sampled(LO, True)}
        assert (made.discards, made.lacks) == ([], {})
        assert made.notes() == made.samplers[0].notes()
        assert made.identity.address == bytes([192, 0, 2, 7])
        assert not made.refresh(0.0)
        assert not made.refresh(REFRESH / 2)
        assert not made.refresh(REFRESH)
        assert [one.name for one in made.interfaces() if one.loopback] == ["lo"]


def test_what_cannot_be_had_is_named_and_the_rest_is_there() -> None:
    settings = {"packets.source": ("nflog",), "packets.nflog_group": 70_000, "drops.on": False}
    with Assembly(effective(**settings, uuid=UUID(int=5))) as made:
        assert list(made.lacks) == ["nflog"]
        assert made.notes() == [f"nflog: {made.lacks['nflog']}"]
        assert len(made.counters) >= 2
        with Collectors([]) as collectors:
            agent = made.agent(collectors)
            agent.step(0.0)
            assert agent.failures == {}


def test_a_stream_goes_on_where_the_agent_is_the_same() -> None:
    none = {"packets.source": ("none",), "drops.on": False}
    with Collectors([]) as collectors:
        streams: list[Stream] = []
        for more in ({}, {"polling": 0}, {"sub_agent_id": 5}):
            with Assembly(effective(**none, **more)) as made:
                agent = made.agent(collectors, streams[-1] if streams else None)
                streams.append(agent.parts.stream)
                assert bool(agent.parts.counters) == (more != {"polling": 0})
    assert streams[0] is streams[1]
    assert streams[2] is not streams[0]


def test_an_address_is_elected() -> None:
    with Assembly(Effective(changed(Settings(), {"packets.source": ("none",), "drops.on": False}), {})) as made:
        assert made.elected is not None
        assert len(made.identity.address) in (4, 16)


@pytest.mark.skipif(bool(capabilities.missing(("CAP_BPF", "CAP_PERFMON"))), reason="needs CAP_BPF and CAP_PERFMON")
def test_dropped_packets_are_told() -> None:
    with Assembly(effective(**{"packets.source": ("none",)})) as made:
        assert len(made.discards) >= 1
        assert "drops" not in made.lacks


def test_metrics_are_served_and_applications_heard() -> None:
    settings = {"packets.source": ("none",), "drops.on": False, "json_port": free_port()}
    with Assembly(effective(**settings, **{"outputs.metrics": Place("127.0.0.1", 0)})) as made:
        assert (made.lacks, len(made.outlets), len(made.ready)) == ({}, 1, 1)
        with Collectors([]) as collectors:
            agent = made.agent(collectors)
            agent.parts.schedule = Schedule(30.0, lambda: 0.0)
            agent.step(0.0)
            assert agent.failures == {}
        (metrics,) = made.outlets
        with urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=10) as answer:  # type: ignore[attr-defined]
            assert b"fleutan_host_" in answer.read()


def test_what_runs_on_the_host_has_counters_too() -> None:
    none = {"packets.source": ("none",), "drops.on": False}
    with Assembly(effective(**none, systemd=False, containers=False)) as made:
        assert [type(one).__name__ for one in made.counters] == ["HostCounters", "InterfaceCounters"]
    with Assembly(effective(**none)) as made:
        assert "Entities" in {type(one).__name__ for one in made.counters}
        assert all(isinstance(note, str) for note in made.notes())


def test_flow_records_are_outlets_that_take_packets() -> None:
    settings = {"packets.source": ("none",), "drops.on": False}
    settings |= {"outputs.ipfix": (Collector("127.0.0.1", free_port()),), "outputs.metrics": Place("127.0.0.1", 0)}
    exporters: dict[tuple[int, int], Exporter] = {}
    with Assembly(effective(**settings), exporters=exporters) as made, Collectors([]) as collectors:
        agent = made.agent(collectors)
        assert (agent.parts.takers, agent.parts.outlets) == (made.records, made.outlets)
        assert [type(one).__name__ for one in made.outlets] == ["Metrics", "FlowRecords"]
        assert exporters.keys() == {(10, made.effective.agent.sub_agent_id)}


def test_an_address_that_comes_and_goes_is_not_another_agent_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Address(ip_address(f"10.0.0.{last}"), "eth0", 2) for last in (1, 2))
    there = [one, other]
    monkeypatch.setattr("fleutan.programs.agent.assembling.addresses.own", lambda: [*there])
    with Assembly(effective(address=None, **{"packets.source": ("none",), "drops.on": False})) as made:
        for second in range(0, 58, 2):
            there[:] = [other] if second % 4 else [one, other]
            assert not made.refresh(float(second))
        there[:] = [other]
        assert not made.refresh(100.0)
        assert not made.refresh(100.0 + STAND - 1)
        assert made.refresh(100.0 + STAND + 1)
        assert made.elected is not None
        assert made.elected.address == other.address
        assert not made.refresh(200.0)


def test_where_a_part_cannot_be_opened_the_system_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("fleutan.programs.agent.opening.counters.Listening", fails)
    monkeypatch.setattr("fleutan.programs.agent.assembling.addresses.own", fails)
    with Assembly(effective(json_port=36343, **{"packets.source": ("none",), "drops.on": False})) as made:
        assert made.elected is None
        assert made.notes()[0].endswith("Too many open files")
