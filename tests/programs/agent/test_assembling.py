# SPDX-License-Identifier: Apache-2.0
"""Of this host, whatever it is: what cannot be had is named, and the rest is there."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.request import urlopen
from uuid import UUID

import pytest
from tests.faces.cli.test_collecting import free_port

from fleutan.config import Agent as Settings
from fleutan.config.agents import Place, Sampling, Tap
from fleutan.config.sections import changed
from fleutan.linux import capabilities
from fleutan.programs.agent.assembling import REFRESH, STAND, Assembly, numbers
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
        assert made.rates() == {LO: 50}
        assert len(made.flows) == len(made.samplers) == 1
        assert {*made.samplers[0].totals()} == {Sampled(LO, False), Sampled(LO, True)}
        assert (made.discards, made.lacks) == ([], {})
        assert made.notes() == made.samplers[0].notes()
        assert made.identity.address == bytes([192, 0, 2, 7])
        assert not made.refresh(0.0)
        assert not made.refresh(REFRESH / 2)
        assert not made.refresh(REFRESH)
        assert [one.name for one in made.interfaces() if one.loopback] == ["lo"]


def test_a_rate_of_none_is_no_sampling() -> None:
    with Assembly(effective(**TAPS, sampling=Sampling(0, bps_ratio=0))) as made:
        assert made.samplers[0].totals() == {}


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


def test_a_port_that_is_taken_is_named_and_the_rest_is_there() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        place = Place("127.0.0.1", one.getsockname()[1])
        settings = {"packets.source": ("none",), "drops.on": False}
        with Assembly(effective(**settings, **{"outputs.metrics": place})) as made:
            assert list(made.lacks) == ["metrics"]
            assert made.outlets == []


def test_units_and_containers_are_data_sources_whose_numbers_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = {"packets.source": ("none",), "drops.on": False}
    with Assembly(effective(**none, systemd=False, containers=False, gpus=False)) as made:
        assert [type(one).__name__ for one in made.counters] == ["HostCounters", "InterfaceCounters"]
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/elsewhere")
    assert numbers() == str(tmp_path / "agent.json")
    with Assembly(effective(**none)) as made:
        assert "Entities" in {type(one).__name__ for one in made.counters}
        assert all(isinstance(note, str) for note in made.notes())
    assert numbers({"STATE_DIRECTORY": str(tmp_path / "none")}) is None


def test_applications_write_into_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    settings = {
        "packets.source": ("none",),
        "drops.on": False,
        "json_fifo": pipe,
        "sampling": Sampling(1),
        "systemd": False,
        "containers": False,
    }
    with Assembly(effective(**settings, scopes=True)) as made:
        assert "Entities" in {type(one).__name__ for one in made.counters}
        (ready,) = made.ready
        ready.samples(0.0)
        with pipe.open("wb", buffering=0) as file:
            file.write(
                b'{"flow_sample":{"app_name":"shop","sampling_rate":1,"app_operation":{"operation":"a","status":0}}}\n'
            )
            (found,) = ready.samples(1.0)
        assert b"shop" in found


def test_counters_go_elsewhere_too(tmp_path: Path) -> None:
    """Nobody answers there, which ends nothing; a token that cannot be read is named."""
    nowhere = f"http://127.0.0.1:{free_port()}/"
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    places = {"influx": nowhere, "influx_token": secret, "elasticsearch": nowhere, "elasticsearch_token": secret}
    settings = {"packets.source": ("none",), "drops.on": False, "outputs.statsd": Collector("127.0.0.1", free_port())}
    settings["outputs.graphite"] = Collector("127.0.0.1", free_port())
    settings |= {f"outputs.{name}": said for name, said in places.items()}
    with Assembly(effective(**settings)) as made, Collectors([]) as collectors:
        assert [type(one).__name__ for one in made.outlets] == ["Influx", "Elasticsearch", "StatsD", "Graphite"]
        agent = made.agent(collectors)
        agent.parts.schedule = Schedule(30.0, lambda: 0.0)
        agent.step(0.0)
        assert agent.failures == {}
    with Assembly(effective(**{**settings, "outputs.influx_token": tmp_path / "none"})) as made:
        assert list(made.lacks) == ["influx"]


def test_packets_go_out_as_flow_records_whose_numbers_go_on() -> None:
    settings = {"packets.source": ("none",), "drops.on": False, "sub_agent_id": 7, "datagram_bytes": 900}
    settings |= {"outputs.ipfix": (Collector("127.0.0.1", free_port()),), "outputs.netflow9": (Collector("::1", 2055),)}
    exporters: dict[tuple[int, int], Exporter] = {}
    for _ in range(2):
        with Assembly(effective(**settings), exporters=exporters) as made, Collectors([]) as collectors:
            agent = made.agent(collectors)
            assert (agent.parts.takers, agent.parts.outlets) == (made.records, made.records)
            assert [one.form for one in made.records] == ["IPFIX", "NetFlow 9"]
            assert [one.accounts()[0].title for one in made.records][1] == "[::1]:2055"
            exporters[10, 7].sender.sequence += 1
    assert {key: one.sender.sequence for key, one in exporters.items()} == {(10, 7): 2, (9, 7): 0}
    assert [(one.sender.version, one.sender.domain) for one in exporters.values()] == [(10, 7), (9, 7)]


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

    monkeypatch.setattr("fleutan.programs.agent.assembling.Listening", fails)
    monkeypatch.setattr("fleutan.programs.agent.assembling.addresses.own", fails)
    with Assembly(effective(json_port=36343, **{"packets.source": ("none",), "drops.on": False})) as made:
        assert made.elected is None
        assert made.notes()[0].endswith("Too many open files")
