# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from fleutan.config import parse
from fleutan.programs.agent.election import Elected
from fleutan.programs.agent.explaining import Lack, Lacks, Line, explain, in_use
from fleutan.programs.agent.rates import Interface
from fleutan.programs.agent.settings import Effective, merged, of_config

ELECTED = Elected(ip_address("192.0.2.7"), "eth0", "IPv4 global, the only one")
LO, ETH0 = Interface("lo", 1, loopback=True), Interface("eth0", 2, speed=10**9)
NO_BPF = Lack(("CAP_BPF", "CAP_PERFMON"))
NOTHING: Lacks = {}
TO = "collectors = '192.0.2.1'\n"


def effective(text: str) -> Effective:
    return merged(of_config(parse(f"[agent]\n{text}".encode(), Path("/x"))))


def lines(
    text: str = TO,
    interfaces: tuple[Interface, ...] = (LO, ETH0),
    lacks: Lacks = NOTHING,
    elected: Elected | None = ELECTED,
) -> list[Line]:
    return explain(effective(text), interfaces, lacks, elected)


def problems(text: str = TO, **more: object) -> list[str]:
    return [str(line) for line in lines(text, **more) if line.topic == "problem"]  # type: ignore[arg-type]


def test_where_all_is_well_it_is_said_what_goes_where_and_why() -> None:
    assert list(map(str, lines())) == [
        "agent: 192.0.2.7 (eth0): IPv4 global, the only one",
        "192.0.2.1:6343: sFlow (/x)",
        "counters: the host, its interfaces, systemd's services, containers, GPUs, each 30 s (default)",
        "packets: by bpf (default)",
        "dropped packets: up to 100 a second (default)",
        "lo: counters only: it is loopback",
        "eth0: 1 in 1,000: 1 Gbit/s / 1,000,000; sampling counts only where the speed is unknown",
    ]


def test_other_outputs_are_told() -> None:
    text = """
    gpus = false
    [agent.outputs]
    ipfix = "a"
    netflow9 = "b"
    metrics = 9343
    influx = "http://c"
    elasticsearch = "http://d"
    statsd = "e"
    graphite = "f"
    """
    told = [str(line) for line in lines(TO + text) if line.topic == "export"]
    assert told[2:10] == [
        "a:4739: IPFIX (/x)",
        "b:2055: NetFlow 9 (/x)",
        "e:8125: StatsD (/x)",
        "f:2003: Graphite (/x)",
        "127.0.0.1:9343: OpenMetrics (/x)",
        "http://c: InfluxDB (/x)",
        "http://d: Elasticsearch (/x)",
        "counters: the host, its interfaces, systemd's services, containers, each 30 s (default)",
    ]


def test_without_a_collector_sflow_goes_nowhere() -> None:
    assert problems("") == ["collectors: there are none, so sFlow goes nowhere; say collectors, or dns_sd"]
    assert problems("dns_sd = true") == [
        "collectors: there are none, so sFlow goes nowhere; the DNS has named none so far"
    ]


def test_without_an_address_nothing_is_sent() -> None:
    assert problems(elected=None) == [
        "agent: no address of this host can be the agent's, so no sFlow is sent; say address"
    ]


def test_without_polling_there_are_no_counters() -> None:
    assert problems(f"{TO}polling = 0") == ["counters: none are told, since polling is 0"]


@pytest.mark.parametrize(
    ("interface", "text", "expected"),
    [
        (ETH0._replace(up=False), "", ["eth0: no samples: eth0 is down"]),
        (ETH0._replace(speed=None), "", ["eth0: its speed is unknown, so collectors cannot tell how busy it is"]),
        (
            ETH0._replace(speed=10**10),
            "sampling = 20",
            [
                "eth0: one sample in 10,000 packets, since its speed decides: sampling, 1 in 20, does not count for it;"
                " sampling.bps_ratio = 0 has it count"
            ],
        ),
        (ETH0, "sampling = 101", []),
        (ETH0, "sampling = 0", []),
        (ETH0._replace(speed=10**10), "sampling = { default = 20, 10G = 10000 }", []),
        (ETH0, "sampling = { 1G = 0 }", ["eth0: no samples: sampling.1G"]),
        (ETH0, "packets.devices = 'eth9'", ["packets: no device is sampled; say packets.devices"]),
        (LO, "", ["packets: no device is sampled; say packets.devices"]),
        (ETH0, "packets.source = 'none'", ["packets: none are sampled, since packets.source says so"]),
        (ETH0._replace(up=False), "packets.source = 'psample'", []),
    ],
)
def test_no_samples_why(interface: Interface, text: str, expected: list[str]) -> None:
    assert problems(TO + text, interfaces=(interface,)) == expected


@pytest.mark.parametrize(
    ("source", "lacks", "expected"),
    [
        (
            "auto",
            {"bpf": NO_BPF},
            ["packets: by packet sockets, since BPF programs cannot be: CAP_BPF, CAP_PERFMON missing"],
        ),
        (
            "auto",
            {"bpf": NO_BPF, "socket": Lack(("CAP_NET_RAW",))},
            ["packets: none by bpf: CAP_BPF, CAP_PERFMON missing"],
        ),
        ("socket", {"bpf": NO_BPF}, []),
        (
            "psample",
            {"psample": Lack(reason="the kernel has no psample")},
            ["packets: none by psample: the kernel has no psample"],
        ),
        (
            "nflog",
            {"nflog": Lack(("CAP_NET_ADMIN",), "the kernel has no nfnetlink_log")},
            ["packets: none by nflog: CAP_NET_ADMIN missing; the kernel has no nfnetlink_log"],
        ),
    ],
)
def test_what_a_source_lacks_is_named(source: str, lacks: Lacks, expected: list[str]) -> None:
    assert problems(f"{TO}packets = {{ source = '{source}', nflog_probability = 0.5 }}", lacks=lacks) == expected


def test_what_other_parts_lack_is_named_only_where_they_are_on() -> None:
    lacks = {name: Lack(reason="x") for name in ("drops", "systemd", "containers", "gpus")}
    assert problems(lacks=lacks) == [f"{name}: not told: x" for name in lacks if name != "gpus"], "many hosts have none"
    told = {line.subject: line.text for line in lines(lacks=lacks)}
    assert told["counters"] == "the host, its interfaces, each 30 s (default)"
    assert "dropped packets" not in told
    off = "drops.on = false\nsystemd = false\ncontainers = false\ngpus = false"
    assert problems(TO + off, lacks=lacks) == []
    assert "dropped packets" not in {line.subject for line in lines(TO + off)}


@pytest.mark.parametrize(("key", "place"), [("ipfix", "192.0.2.9:4739"), ("netflow9", "192.0.2.9:2055")])
def test_flow_records_alone_are_no_problem(key: str, place: str) -> None:
    said = f"outputs.{key} = '192.0.2.9'\n"
    assert place in {line.subject for line in lines(said)}
    assert problems(said) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [("psample", "packets as psample has them"), ("none", "counters only"), ("bpf", "1 in 1,000: ")],
)
def test_rates_are_told_where_they_are_decided_here(source: str, expected: str) -> None:
    told = {line.subject: line.text for line in lines(f"{TO}packets.source = '{source}'")}
    assert told["eth0"].startswith(expected)


def test_remarks_are_told() -> None:
    made = effective(TO)
    told = explain(Effective(made.agent, made.origins, ("x:1: never",)), (), {}, ELECTED)
    assert told[-1] == Line("remark", "configuration", "x:1: never")


def test_auto_is_the_first_that_can_be() -> None:
    assert in_use(("auto", "bpf", "psample"), {}) == ["bpf", "psample"]
    assert in_use(("auto",), {"bpf": NO_BPF}) == ["socket"]
    assert in_use(("none",), {}) == []
