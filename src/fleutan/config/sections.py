# SPDX-License-Identifier: Apache-2.0
"""Every key of a configuration file: its default, what its value is, and what it means.

``docs/reference/configuration.md`` is made of these tables.  How a file is found and read is the
business of the package itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from fleutan.config.agentkeys import (
    APPLICATIONS,
    DEVICE,
    DIRECTIONS,
    DNS_SD,
    IPFIX,
    NETFLOW9,
    PLACE,
    PREFIXES,
    REGEX,
    SAMPLING,
    SERVER,
    SFLOW,
    STATSD,
    STRUCTURES,
    TAPPED,
    TAPS,
    URL,
    USER,
    UUIDS,
    target,
    targets,
)
from fleutan.config.agents import Application, Place, Prefix, Sampling, Tap
from fleutan.config.values import (
    ADDRESS,
    COMMAND,
    OCTETS,
    PATH,
    PORT,
    RETENTION,
    TEXT,
    TRUTH,
    Value,
    choice,
    number,
    several,
    whole,
)
from fleutan.lake.retention import DEFAULTS, Keep
from fleutan.sources.collectors import Collector

#: Megabytes and gigabytes as they are written.
MB, GB = 10**6, 10**9
#: A day in seconds.
DAY = 86_400
#: How jobs can be looked up.
LOOKUPS = ("none", "oar", "slurm", "command", "file")


def entry(default: Any, value: Value, meaning: str, typed: str = "") -> Any:
    """A field of a section; ``typed`` is how it is written in TOML: the default, or an example where there is none."""
    return field(default_factory=lambda: default, metadata={"entry": Entry(value, meaning, typed)})


class Entry(NamedTuple):
    """What a key's value is, what it means, and how it is typed where that is not plain of its default."""

    value: Value
    meaning: str
    typed: str


def section(made: type) -> Any:
    """A field that is a table of its own, all defaults."""
    return field(default_factory=made, metadata={"section": made})


@dataclass(frozen=True)
class Lake:
    """Where rows are kept, when they are written, and for how long they stay."""

    path: Path | None = entry(
        None, PATH, "The lake's directory. Without it: /var/lib/fleutan/lake of root, else the user's own.", "'lake'"
    )
    flush_seconds: float = entry(5.0, number("seconds from 0.1 to 60", 0.1, 60), "Rows are on disk after so long.")
    seal_seconds: float = entry(
        300.0, number("seconds from 1 to 3600", 1, 3600), "Few rows become a file after so long."
    )
    waiting_bytes: int = entry(
        512 << 20, OCTETS, "Rows that may wait for the disk; the oldest beyond are lost.", "'512 MiB'"
    )
    compaction: bool = entry(True, TRUTH, "Whether small files are made into hourly ones, and old ones taken away.")
    retention: Mapping[str, Keep] = entry(
        DEFAULTS, RETENTION, "How long rows of each kind stay, and how many bytes of them.", "see below"
    )


@dataclass(frozen=True)
class Record:
    """What is recorded of this host."""

    interval: float = entry(10.0, number("seconds from 0.1 to 86400", 0.1, DAY), "How long an interval is.")
    netns: str = entry("all", TEXT, "A network namespace by name or process id, or all of them.")
    source: str = entry("auto", choice("auto", "netlink", "bpf"), "How sockets are read.")
    paths: float | None = entry(
        None, number("minutes from 0.1", 0.1, DAY), "Paths to new peers are traced so often.", "30"
    )
    packets: int | None = entry(
        None, whole("octets from 1 to 4096", 1, 4096), "The first octets that are kept of some packets.", "128"
    )
    one_in: int = entry(1000, whole("a number from 1", 1, 1 << 32), "Of one in so many packets, drawn by lot.")


@dataclass(frozen=True)
class Collect:
    """What the collector listens to."""

    ports: tuple[int, ...] = entry((6343, 2055, 4739), several(PORT, "a list of UDP ports", 1), "UDP ports.")
    addresses: tuple[str, ...] = entry(
        (), several(ADDRESS, "a list of IP addresses"), "Where it listens: '::' is everywhere; none: loopback only."
    )
    sockets: int = entry(1, whole("a number from 1 to 64", 1, 64), "Sockets that share each port.")
    headers: int = entry(128, whole("octets up to 65536", 0, 1 << 16), "Octets that are kept of each sampled header.")
    queue_bytes: int = entry(
        128 * MB, OCTETS, "Datagrams that may wait to be decoded; those beyond are lost.", "'128 MB'"
    )


@dataclass(frozen=True)
class Limits:
    """What one question over HTTP may cost."""

    seconds: float = entry(60.0, number("seconds from 0.1", 0.1, DAY), "An answer that takes longer is given up.")
    rows: int = entry(1_000_000, whole("a number from 1", 1), "An answer ends after so many rows, and says so.")
    memory: int = entry(512 * MB, OCTETS, "Memory of one question.", "'512 MB'")
    concurrent: int = entry(4, whole("a number from 1 to 1024", 1, 1024), "Questions at a time; others wait.")


@dataclass(frozen=True)
class Serve:
    """How questions are answered over HTTP."""

    host: str = entry("127.0.0.1", ADDRESS, "Where it listens.")
    port: int = entry(44444, PORT, "The TCP port.")
    tokens: Path | None = entry(None, PATH, "A file of tokens, one a line; who asks has to have one.", "'tokens'")
    certificate: Path | None = entry(None, PATH, "TLS: the certificate and its chain, PEM.", "'fullchain.pem'")
    key: Path | None = entry(None, PATH, "TLS: its private key, PEM.", "'privkey.pem'")
    collect: bool = entry(False, TRUTH, "Whether the same process collects, as [collect] says.")
    record: bool = entry(False, TRUTH, "Whether the same process records, as [record] says.")
    limits: Limits = section(Limits)


@dataclass(frozen=True)
class Jobs:
    """How a batch system's jobs become nodes and a span of time."""

    source: str = entry("none", choice(*LOOKUPS), "Who is asked.")
    url: str | None = entry(None, TEXT, "oar: where the REST API begins.", "'https://oar.example.org/oarapi'")
    grid_url: str | None = entry(
        None, TEXT, "oar: the same of OAR's grid, for grid jobs.", "'https://oar.example.org/oargridapi'"
    )
    command: tuple[str, ...] = entry(
        (), COMMAND, "command: what is run; {id} becomes the job's id.", "['job-nodes', '{id}']"
    )
    grid_command: tuple[str, ...] = entry((), COMMAND, "command: the same for grid jobs.", "['grid-nodes', '{id}']")
    file: Path | None = entry(None, PATH, "file: jobs in TOML or JSON.", "'jobs.toml'")
    seconds: float = entry(10.0, number("seconds from 0.1 to 600", 0.1, 600), "How long it may take.")


@dataclass(frozen=True)
class Packets:
    """Which packets the agent samples, and how."""

    source: tuple[str, ...] = entry(
        ("auto",),
        TAPPED,
        "Where they come from; auto is BPF programs, or packet sockets where those cannot be.",
        "'auto'",
    )
    devices: tuple[Tap, ...] = entry(
        (),
        TAPS,
        "Of which devices: shell patterns, with ! those that are left out, or tables of device, pattern (a regular"
        " expression) and speed. Without: those with hardware of their own; if there is none, all but loopback.",
        "['eth*', '!eth9', { pattern = '^en', speed = '1G-100G', promiscuous = true }]",
    )
    direction: str = entry("both", choice(*DIRECTIONS), "Which way they go.")
    psample_group: int = entry(1, whole("a number from 0", 0, (1 << 32) - 1), "psample's group of what comes in.")
    psample_direction: str = entry(
        "ingress", choice(*DIRECTIONS), "psample: what goes out is in the group of the next number."
    )
    nflog_group: int = entry(5, whole("a number up to 65535", 0, 65_535), "nflog's group.")
    nflog_probability: float | None = entry(
        None, number("a number above 0, up to 1", 1e-9, 1), "nflog: how likely the rule takes a packet.", "0.0025"
    )


@dataclass(frozen=True)
class Drops:
    """Which dropped packets the agent tells of."""

    on: bool = entry(True, TRUTH, "Whether any are told.")
    software: bool = entry(True, TRUTH, "Those that the kernel drops.")
    hardware: bool = entry(True, TRUTH, "Those that devices drop and tell the kernel of.")
    limit: int = entry(100, whole("a number from 1 to 10000", 1, 10_000), "So many in a second; others are counted.")
    max: int = entry(
        100_000, whole("a number from 1", 1, (1 << 32) - 1), "With more drops in a second it pauses, to spare the host."
    )
    hide: str | None = entry(
        None,
        REGEX,
        "Reasons, functions and traps whose names have this in them are left out.",
        "'^NOT_SPECIFIED$'",
    )


@dataclass(frozen=True)
class Outputs:
    """Other forms in which the agent exports, besides sFlow."""

    ipfix: tuple[Collector, ...] = entry((), targets(IPFIX), "Collectors of IPFIX; port 4739.", "['192.0.2.1']")
    netflow9: tuple[Collector, ...] = entry(
        (), targets(NETFLOW9), "Collectors of NetFlow 9; port 2055.", "['192.0.2.1']"
    )
    metrics: Place | None = entry(None, PLACE, "Where OpenMetrics are served, for Prometheus.", "9343")
    influx: str | None = entry(
        None, URL, "InfluxDB: where line protocol is posted.", "'http://192.0.2.1:8086/write?db=hosts'"
    )
    influx_token: Path | None = entry(None, PATH, "InfluxDB: a file with a token.", "'influx.token'")
    elasticsearch: str | None = entry(None, URL, "Elasticsearch: where it answers.", "'http://192.0.2.1:9200'")
    elasticsearch_token: Path | None = entry(None, PATH, "Elasticsearch: a file with an API key.", "'elastic.key'")
    statsd: Collector | None = entry(None, target(STATSD), "StatsD; port 8125.", "'127.0.0.1'")
    graphite: Collector | None = entry(None, SERVER, "Graphite, by TCP; port 2003.", "'127.0.0.1'")


@dataclass(frozen=True)
class Agent:
    """What the agent tells of this host, and to whom."""

    collectors: tuple[Collector, ...] = entry(
        (),
        targets(SFLOW),
        "Where sFlow goes; port 6343.",
        "['192.0.2.1', { host = 'collector.example.org', port = 6344, device = 'eth0', netns = 'blue' }]",
    )
    dns_sd: str | None = entry(
        None,
        DNS_SD,
        "A domain whose _sflow._udp says collectors and settings where this file does not.",
        "'example.org'",
    )
    polling: int = entry(30, whole("seconds from 0 to 3600", 0, 3600), "Counters are told so often; 0 is never.")
    sampling: Sampling = entry(
        Sampling(),
        SAMPLING,
        "One packet in so many, of interfaces whose speed is unknown; or a table of rates, see below.",
        "400",
    )
    applications: Mapping[str, Application] = entry(
        {}, APPLICATIONS, "Sampling and polling by name, as { 'app.shop' = { sampling = 10, polling = 10 } }.", "{}"
    )
    header_bytes: int = entry(128, whole("octets up to 1024", 0, 1024), "Octets that are sent of each sampled packet.")
    datagram_bytes: int = entry(1400, whole("octets from 200 to 8192", 200, 8192), "No datagram is longer.")
    address: str | None = entry(None, ADDRESS, "The agent's address in datagrams. Without: elected.", "'192.0.2.7'")
    device: str | None = entry(None, DEVICE, "The agent's address is elected among those of a device.", "'eth0'")
    prefer: tuple[Prefix, ...] = entry(
        (),
        PREFIXES,
        "Addresses in these networks are preferred, the first most; with ! they come last.",
        "['10.0.0.0/8']",
    )
    sub_agent_id: int = entry(
        100_000, whole("a number from 0", 0, (1 << 32) - 1), "Tells several agents of an address apart."
    )
    uuid: UUID | None = entry(
        None,
        UUIDS,
        "The host's UUID. Without: the hardware's, or the machine's id.",
        "'31a1f0d0-5c0e-4a6b-9d63-0f6b8f0d9c11'",
    )
    tcp: bool = entry(True, TRUTH, "Whether sampled TCP packets are told with their connection's state.")
    owners: bool = entry(True, TRUTH, "Whether sampled packets are told with the process that owns their socket.")
    entities: bool = entry(
        True, TRUTH, "Whether sampled packets are told with the unit or container that they belong to."
    )
    structures: str = entry(
        "one",
        choice(*STRUCTURES),
        "Of standard structures that older decoders stumble over a sample has one, or all that there are.",
    )
    systemd: bool = entry(True, TRUTH, "Whether systemd's services have counters of their own.")
    containers: bool = entry(True, TRUTH, "Whether containers and pods have counters of their own.")
    scopes: bool = entry(
        False, TRUTH, "Whether systemd's scopes (sessions, and what systemd-run starts) have them, too."
    )
    hostnames: bool = entry(False, TRUTH, "Whether containers are called by their host names, not by their names.")
    gpus: bool = entry(True, TRUTH, "Whether GPUs are told, where NVML is installed.")
    json_port: int | None = entry(None, PORT, "A UDP port of loopback where applications send JSON.", "36343")
    json_fifo: Path | None = entry(
        None, PATH, "A named pipe that is there, into which applications write JSON.", "'/run/applications.json'"
    )
    state_file: Path | None = entry(
        None, PATH, "A file that says what is in force, as hsflowd's sub-agents read it.", "'/run/fleutan/hsflowd.auto'"
    )
    user: str | None = entry(
        None, USER, "The agent, begun as root, becomes this user, and keeps the capabilities that it needs.", "'nobody'"
    )
    packets: Packets = section(Packets)
    drops: Drops = section(Drops)
    outputs: Outputs = section(Outputs)


def changed(agent: Agent, values: Mapping[str, Any]) -> Agent:
    """The agent with other values, each by its key, as ``polling`` or ``packets.source``."""
    own = {key: value for key, value in values.items() if "." not in key}
    for name in ("packets", "drops", "outputs"):
        begin = f"{name}."
        of_it = {key.removeprefix(begin): value for key, value in values.items() if key.startswith(begin)}
        if of_it:
            own[name] = replace(getattr(agent, name), **of_it)
    return replace(agent, **own)


@dataclass(frozen=True)
class Config:
    """Everything that a file may say.

    ``file`` is the one that was read, if any; ``said`` are the keys that it has, as ``agent.packets.source``.
    """

    lake: Lake = section(Lake)
    record: Record = section(Record)
    collect: Collect = section(Collect)
    serve: Serve = section(Serve)
    jobs: Jobs = section(Jobs)
    agent: Agent = section(Agent)
    file: Path | None = None
    said: frozenset[str] = field(default=frozenset(), compare=False)
