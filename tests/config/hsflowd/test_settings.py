# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fleutan.config import AROUND, Agent, agree
from fleutan.config.agents import Application, Prefix, Sampling, Tap
from fleutan.config.hsflowd.checked import check
from fleutan.config.hsflowd.settings import STATE, Settings, settings
from fleutan.config.hsflowd.tree import parse
from fleutan.config.sections import Drops, Packets
from fleutan.errors import UsageError
from fleutan.sources.collectors import Collector

PATH = "/etc/hsflowd.conf"
TO = "collector { ip=192.0.2.1 }\n"
UID = "31a1f0d0-5c0e-4a6b-9d63-0f6b8f0d9c11"


def said(text: str) -> Settings:
    return settings(check(parse(f"sflow {{\n{text}\n}}", PATH), PATH))


def test_what_hsflowd_does_not_do_without_being_told_is_off() -> None:
    found = said(TO)
    assert found.agent == replace(
        Agent(),
        collectors=(Collector("192.0.2.1"),),
        tcp=False,
        owners=False,
        entities=False,
        structures="all",
        systemd=False,
        containers=False,
        gpus=False,
        state_file=STATE,
        packets=Packets(source=("none",)),
        drops=Drops(on=False),
    )
    assert found.remarks == []
    assert found.origins["packets.source"] == f"{PATH}: there is no pcap {{ }}, psample {{ }} or nflog {{ }}"
    assert found.origins["systemd"] == f"{PATH}: there is no systemd {{ }}"
    assert found.origins["containers"] == f"{PATH}: there is no docker, containerd, k8s {{ }}"


def test_all_that_stands_in_sflow_itself() -> None:
    text = f"""
    polling=20 sampling=10 sampling.10G=5 sampling.bps_ratio=7 sampling.app.a=8 polling.app.a=9
    agentIP=192.0.2.7 agent=eth0 agent.cidr=!10.0.0.0/8 subAgentId=5 uuid={UID}
    headerBytes=200 datagramBytes=1000 jsonPort=36343
    """
    found = said(TO + text)
    agent = found.agent
    assert (agent.polling, agent.address, agent.device, agent.sub_agent_id) == (20, "192.0.2.7", "eth0", 5)
    assert (agent.header_bytes, agent.datagram_bytes, agent.uuid, agent.json_port) == (200, 1000, UUID(UID), 36343)
    assert agent.sampling == Sampling(10, 7, {10**10: 5})
    assert agent.applications == {"app.a": Application(8, 9)}
    assert agent.prefer == (Prefix(ip_network("10.0.0.0/8"), True),)
    assert {found.origins[key] for key in ("polling", "sampling", "applications")} == {f"{PATH}:4"}
    assert (found.origins["json_port"], found.origins["prefer"]) == (f"{PATH}:6", f"{PATH}:5")


def test_a_ratio_alone_is_said_of_sampling() -> None:
    found = said(TO + "sampling.bps_ratio=0")
    assert (found.agent.sampling, found.origins["sampling"]) == (Sampling(bps_ratio=0), f"{PATH}:3")


def test_collectors_have_a_place_each() -> None:
    found = said(
        "collector { ip=a.example.org udpport=7 }\ncollector { ip=fe80::1 dev=eth0 namespace=blue }\n"
        "collector {ip=a.example.org udpport=7}"
    )
    first, second = Collector("a.example.org", 7), Collector("fe80::1", 6343, "eth0", "blue")
    assert found.agent.collectors == (first, second)
    assert found.origins[f"collectors {first.title}"] == f"{PATH}:2"
    assert found.origins[f"collectors {second.title}"] == f"{PATH}:3"


def test_a_collector_has_an_address() -> None:
    with pytest.raises(UsageError, match=rf"{PATH}:3: collector {{ }} has no ip"):
        said("\ncollector { udpport=7 }")


def test_where_nothing_goes_it_is_said() -> None:
    assert said("").remarks == [f"{PATH}: there is neither collector {{ }} nor dns-sd {{ }}: sFlow goes nowhere"]


@pytest.mark.parametrize(
    ("text", "domain", "line"),
    [
        ("dns-sd { }", "", 2),
        ("dns-sd { domain=.example.org }", "example.org", 2),
        ("DNS-SD { DNSSD_domain=example.org }", "example.org", 2),
        ("DNSSD=on\nDNSSD_domain=.example.org", "example.org", 2),
        ("DNSSD=off", None, 0),
    ],
)
def test_the_dns_is_asked_where_that_is_said(text: str, domain: str | None, line: int) -> None:
    found = said(text)
    assert (found.agent.dns_sd, found.origins.get("dns_sd", f"{PATH}:0")) == (domain, f"{PATH}:{line}")
    assert len(found.remarks) == (domain is None)


def test_collectors_of_the_file_beside_the_dns_are_remarked() -> None:
    assert said(TO + "dns-sd {}").remarks == [
        f"{PATH}:3: the DNS says only what this file does not; hsflowd would drop its collectors"
    ]


PACKETS: list[tuple[str, dict[str, Any]]] = [
    ("pcap { dev=eth0 }", {"source": ("auto",), "devices": (Tap("eth0"),)}),
    ("epcap { dev=eth0 }", {"source": ("bpf",), "devices": (Tap("eth0"),)}),
    (
        "epcap {speed=1G-} pcap { dev.pattern=^en promisc=on sampling=7 }",
        {
            "source": ("auto",),
            "devices": (Tap(speed=(10**9, (1 << 63) - 1)), Tap(pattern="^en", sampling=7, promiscuous=True)),
        },
    ),
    ("pcap { dev=e[0]* }", {"source": ("auto",), "devices": (Tap("e[[]0][*]"),)}),
    ("psample { }", {"source": ("psample",)}),
    ("psample { group=5 egress=on }", {"source": ("psample",), "psample_group": 5, "psample_direction": "both"}),
    ("psample { ingress=off egress=on }", {"source": ("psample",), "psample_direction": "egress"}),
    ("nflog { group=7 probability=0.5 }", {"source": ("nflog",), "nflog_group": 7, "nflog_probability": 0.5}),
    ("nflog { } nflogGroup=8 nflogProbability=0.5", {"source": ("nflog",), "nflog_group": 8, "nflog_probability": 0.5}),
    (
        "pcap {} psample {} nflog { probability=1 }",
        {"source": ("auto", "psample", "nflog"), "devices": (Tap(),), "nflog_group": 0, "nflog_probability": 1.0},
    ),
]


@pytest.mark.parametrize(("text", "packets"), PACKETS)
def test_sources_of_packets(text: str, packets: dict[str, Any]) -> None:
    found = said(TO + text)
    assert (found.agent.packets, found.remarks) == (Packets(**packets), [])
    assert found.origins["packets.source"] == f"{PATH}:3"


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("psample { ingress=off }", "psample { } with ingress and egress off samples nothing"),
        ("nflog { group=7 }", "nflog { } is not used: without its probability no rate is known"),
    ],
)
def test_a_source_that_gives_nothing_is_named(text: str, remark: str) -> None:
    found = said(TO + text)
    assert (found.agent.packets.source, found.remarks) == (("none",), [f"{PATH}:3: {remark}"])


DROPS: list[tuple[str, Drops]] = [
    ("dropmon { }", Drops()),
    ("dropmon { limit=7 max=8 hide=/^a{2}/ }", Drops(limit=7, max=8, hide="^a{2}")),
    ("dropmon { sw=off }", Drops(software=False)),
    ("dropmon { start=off }", Drops(on=False, software=False, hardware=False)),
    ("dropmon { start=off hw_passive=on }", Drops(software=False)),
]


@pytest.mark.parametrize(("text", "drops"), DROPS)
def test_drops(text: str, drops: Drops) -> None:
    found = said(TO + text)
    assert found.agent.drops == drops
    assert found.origins["drops.on"] == f"{PATH}:3"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tcp { }", "tcp"),
        ("systemd { }", "systemd"),
        ("docker { }", "containers"),
        ("containerd { }", "containers"),
        ("k8s { }", "containers"),
        ("nvml { }", "gpus"),
        ("docker { markTraffic=on }", "entities"),
        ("docker { hostname=on }", "hostnames"),
        ("containerd { hostname=on }", "hostnames"),
    ],
)
def test_modules_are_on_where_their_block_is(text: str, key: str) -> None:
    found = said(TO + text)
    assert (getattr(found.agent, key), found.origins[key]) == (True, f"{PATH}:3")


@pytest.mark.parametrize(
    ("text", "port"), [("json { udpport=7 }", 7), ("json { }", None), ("json { udpport=0 }", None)]
)
def test_json(text: str, port: int | None) -> None:
    assert said(TO + text).agent.json_port == port


@pytest.mark.parametrize(
    ("text", "pipe"),
    [
        ("json { FIFO=/run/a }", "/run/a"),
        ("json { jsonFIFO=/run/a }", "/run/a"),
        ("jsonFIFO=/run/b", "/run/b"),
        ("jsonFIFO=/run/b json { fifo=/run/a udpport=7 }", "/run/a"),
    ],
)
def test_a_pipe_of_json(text: str, pipe: str) -> None:
    found = said(TO + text)
    assert (found.agent.json_fifo, found.remarks) == (Path(pipe), [])
    assert found.origins["json_fifo"] == f"{PATH}:3"
    with pytest.raises(UsageError, match=f"{PATH}:3: .*: 'pipe' is not a path that begins with /"):
        said(TO + text.replace(pipe, "pipe"))


def test_the_block_goes_before_the_older_option() -> None:
    assert said(TO + "jsonPort=2000 json { udpport=7 }").agent.json_port == 7


def test_a_header_is_cut_to_what_a_datagram_has_room_for() -> None:
    found = said(TO + "datagramBytes=200")
    agree(found.agent)
    assert found.agent.header_bytes == 200 - AROUND
    assert found.origins["header_bytes"] == f"{PATH}:3"
    assert found.remarks == [f"{PATH}:3: no more than {200 - AROUND} octets of a header fit into such datagrams"]


def test_every_origin_is_of_a_key() -> None:
    known = {field.name for field in fields(Agent)}
    for key in said(TO + "pcap{} psample{} nflog{probability=1} dropmon{hide=a limit=1 max=2} json{udpport=1}").origins:
        section, _, name = key.partition(" ")[0].partition(".")
        assert section in known
        assert not name or hasattr(getattr(Agent(), section), name)


def test_the_state_is_where_hsflowd_has_it() -> None:
    assert Path("/etc/hsflowd.auto") == STATE
