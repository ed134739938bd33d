# SPDX-License-Identifier: Apache-2.0
"""What an agent will tell, to whom and why; and why it will not: the answers to "no samples, why?".

Pure: facts of the host come in, lines come out; who prints them is no business of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from fleutan.config import Agent
from fleutan.programs.agent.election import Elected
from fleutan.programs.agent.rates import Interface, Rate, rate
from fleutan.programs.agent.settings import Effective
from fleutan.programs.agent.taps import Tapped, choose

#: A rate that follows from a speed is worth a word where it is so many times what ``sampling`` says.
FAR = 10
#: What ``auto`` stands for, the first that can be.
AUTO = ("bpf", "socket")
#: Those that take packets from devices at a rate that is decided here.
_TAPPING = frozenset(AUTO)

Topic = Literal["export", "interface", "privilege", "problem", "remark"]


class Line(NamedTuple):
    """One thing to know: what it is about, and what is to be said of it."""

    topic: Topic
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


class Lack(NamedTuple):
    """Why something cannot be had: capabilities by name that this process has not, and what else is not there."""

    capabilities: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        missing = f"{', '.join(self.capabilities)} missing" if self.capabilities else ""
        return "; ".join(text for text in (missing, self.reason) if text)


#: What cannot be had, by name: bpf, socket, psample, nflog, drops, systemd, containers, gpus.
Lacks = Mapping[str, Lack]


def explain(effective: Effective, interfaces: Iterable[Interface], lacks: Lacks, elected: Elected | None) -> list[Line]:
    """What is exported and why, the rate of each interface, and what stands in the way."""
    agent = effective.agent
    tapped = choose(agent.packets, interfaces)
    rates = [(one, rate(agent.sampling, one.interface, one.tap)) for one in tapped]
    sources = [one for one in in_use(agent.packets.source, lacks) if one not in lacks]
    return [
        *_exports(effective, elected, sources, lacks),
        *(_interface(*each, sources) for each in rates),
        *_problems(agent, lacks, elected),
        *_of_packets(agent, lacks, sources, rates),
        *(Line("remark", "configuration", text) for text in effective.remarks),
    ]


def in_use(said: Iterable[str], lacks: Lacks) -> list[str]:
    """Where packets come from: what ``auto`` stands for here, and the others that are said."""
    found = []
    for one in said:
        if one == "auto":
            found.append(next((way for way in AUTO if way not in lacks), AUTO[0]))
        elif one != "none":
            found.append(one)
    return list(dict.fromkeys(found))


# -- what is exported


def _exports(effective: Effective, elected: Elected | None, sources: list[str], lacks: Lacks) -> Iterator[Line]:
    agent = effective.agent
    if elected is not None:
        yield Line("export", "agent", str(elected))
    for key, place, name in _targets(agent):
        yield Line("export", place, f"{name} ({effective.origin(key)})")
    if agent.polling:
        told = _counted(agent, lacks)
        yield Line("export", "counters", f"{told}, each {agent.polling} s ({effective.origin('polling')})")
    if sources:
        yield Line("export", "packets", f"by {', '.join(sources)} ({effective.origin('packets.source')})")
    if agent.drops.on and "drops" not in lacks:
        limit = f"up to {agent.drops.limit:,} a second ({effective.origin('drops.limit')})"
        yield Line("export", "dropped packets", limit)


def _targets(agent: Agent) -> Iterator[tuple[str, str, str]]:
    """Key, place and form of everywhere that something goes."""
    outputs = agent.outputs
    hosts = (
        ("collectors", agent.collectors, "sFlow"),
        ("outputs.ipfix", outputs.ipfix, "IPFIX"),
        ("outputs.netflow9", outputs.netflow9, "NetFlow 9"),
        ("outputs.statsd", (outputs.statsd,) if outputs.statsd else (), "StatsD"),
        ("outputs.graphite", (outputs.graphite,) if outputs.graphite else (), "Graphite"),
    )
    for key, targets, name in hosts:
        yield from ((f"{key} {one.title}", one.title, name) for one in targets)
    for key, name in (("metrics", "OpenMetrics"), ("influx", "InfluxDB"), ("elasticsearch", "Elasticsearch")):
        if (place := getattr(outputs, key)) is not None:
            yield f"outputs.{key}", str(place), name


def _counted(agent: Agent, lacks: Lacks) -> str:
    nouns = {"systemd": "systemd's services", "scopes": "systemd's scopes", "containers": "containers", "gpus": "GPUs"}
    more = [noun for name, noun in nouns.items() if getattr(agent, name) and name not in lacks]
    return ", ".join(["the host", "its interfaces", *more])


def _interface(tapped: Tapped, found: Rate, sources: list[str]) -> Line:
    """Its rate, where it is decided here."""
    name = tapped.interface.name
    if not _TAPPING.intersection(sources):
        return Line("interface", name, f"packets as {', '.join(sources)} has them" if sources else "counters only")
    if tapped.tap is None:
        return Line("interface", name, f"counters only: {tapped.why}")
    return Line("interface", name, str(found))


# -- what stands in the way


def _problems(agent: Agent, lacks: Lacks, elected: Elected | None) -> Iterator[Line]:
    if elected is None:
        yield Line("problem", "agent", "no address of this host can be the agent's, so no sFlow is sent; say address")
    if not (agent.collectors or agent.outputs.ipfix or agent.outputs.netflow9):
        said = "the DNS has named none so far" if agent.dns_sd is not None else "say collectors, or dns_sd"
        yield Line("problem", "collectors", f"there are none, so sFlow goes nowhere; {said}")
    if not agent.polling:
        yield Line("problem", "counters", "none are told, since polling is 0")
    # That a host has no GPU is no problem.
    parts = {"drops": agent.drops.on, "systemd": agent.systemd, "containers": agent.containers}
    for name, is_on in parts.items():
        if is_on and name in lacks:
            yield Line("problem", name, f"not told: {lacks[name]}")


def _of_packets(agent: Agent, lacks: Lacks, sources: list[str], rates: list[tuple[Tapped, Rate]]) -> Iterator[Line]:
    if agent.packets.source == ("none",):
        yield Line("problem", "packets", "none are sampled, since packets.source says so")
        return
    for name in in_use(agent.packets.source, lacks):
        if name in lacks:
            yield Line("problem", "packets", f"none by {name}: {lacks[name]}")
    if "bpf" in lacks and "auto" in agent.packets.source and "socket" not in lacks:
        yield Line("problem", "packets", f"by packet sockets, since BPF programs cannot be: {lacks['bpf']}")
    if not _TAPPING.intersection(sources):
        return
    asked_for = [(one.interface, found) for one, found in rates if one.tap is not None]
    if not asked_for:
        yield Line("problem", "packets", "no device is sampled; say packets.devices")
    for interface, found in asked_for:
        yield from _of_interface(agent, interface, found)


def _of_interface(agent: Agent, interface: Interface, found: Rate) -> Iterator[Line]:
    name, default = interface.name, agent.sampling.default
    if not found.one_in:
        yield Line("problem", name, f"no samples: {found.why}")
    elif not interface.speed:
        yield Line("problem", name, "its speed is unknown, so collectors cannot tell how busy it is")
    elif found.by_itself and default and found.one_in >= FAR * default:
        yield Line(
            "problem",
            name,
            f"one sample in {found.one_in:,} packets, since its speed decides: sampling, 1 in {default:,}, does not"
            " count for it; sampling.bps_ratio = 0 has it count",
        )
