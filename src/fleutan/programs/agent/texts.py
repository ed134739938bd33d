# SPDX-License-Identifier: Apache-2.0
"""The agent's settings in words, one by one; whose word each is, is known in ``settings``."""

from __future__ import annotations

from collections.abc import Iterable

from fleutan.config import Agent
from fleutan.programs.agent.rates import named
from fleutan.programs.agent.taps import written
from fleutan.sources.collectors import Collector


def texts(agent: Agent) -> Iterable[tuple[str, str]]:
    """Each key, as ``packets.source``, and what it says; of a collector the key is ``collectors`` and its title."""
    yield from _targets("collectors", "collector", agent.collectors)
    if not agent.collectors:
        yield "collectors", "no collector of sFlow"
    yield from _plain(agent).items()
    yield from _applications(agent)
    yield from _packets(agent)
    yield from _drops(agent)
    yield from _outputs(agent)


def _targets(key: str, noun: str, targets: Iterable[Collector]) -> Iterable[tuple[str, str]]:
    return [(f"{key} {one.title}", f"{noun} {one.title}") for one in targets]


def _plain(agent: Agent) -> dict[str, str]:
    domain = agent.dns_sd
    return {
        "dns_sd": "no DNS-SD" if domain is None else f"DNS-SD of {domain or 'the own domain'}",
        "polling": f"polling {agent.polling} s" if agent.polling else "no polling",
        "sampling": f"sampling {_sampling(agent)}",
        "header_bytes": f"headers of {agent.header_bytes} bytes",
        "datagram_bytes": f"datagrams of {agent.datagram_bytes} bytes",
        "address": f"agent's address {agent.address or 'elected'}",
        "device": f"agent's device {agent.device or 'any'}",
        "prefer": f"agent's networks {', '.join(map(str, agent.prefer)) or 'any'}",
        "sub_agent_id": f"sub-agent {agent.sub_agent_id}",
        "uuid": f"UUID {agent.uuid or 'of the host'}",
        **{key: f"{noun} {_on(getattr(agent, key))}" for key, noun in _SWITCHES.items()},
        "json_port": f"JSON at UDP port {agent.json_port} of loopback" if agent.json_port else "no JSON",
        "structures": f"{agent.structures} of the structures that older decoders stumble over",
        "json_fifo": f"JSON from {agent.json_fifo}" if agent.json_fifo else "no pipe of JSON",
        "state_file": f"state file {agent.state_file or 'none'}",
        "user": f"user {agent.user or 'as it is started'}",
    }


_SWITCHES = {
    "tcp": "TCP state",
    "owners": "owners of sockets",
    "entities": "units and containers of packets",
    "systemd": "systemd's services",
    "scopes": "systemd's scopes",
    "containers": "containers",
    "hostnames": "host names of containers",
    "gpus": "GPUs",
}


def _on(value: bool) -> str:
    return "on" if value else "off"


def _one_in(rate: int) -> str:
    return f"1 in {rate:,}" if rate else "none"


def _sampling(agent: Agent) -> str:
    rates = agent.sampling
    ratio = [f"bps_ratio {rates.bps_ratio:,}"] if rates.bps_ratio is not None else []
    by_name = [f"{name} {_one_in(rate)}" for name, rate in rates.devices.items()]
    by_speed = [f"{named(speed)} {_one_in(rate)}" for speed, rate in sorted(rates.speeds.items())]
    return ", ".join([f"{_one_in(rates.default)} where the speed is unknown", *ratio, *by_speed, *by_name])


def _applications(agent: Agent) -> Iterable[tuple[str, str]]:
    for name, said in agent.applications.items():
        sampling = [f"sampling {_one_in(said.sampling)}"] if said.sampling is not None else []
        polling = [f"polling {said.polling} s"] if said.polling is not None else []
        yield "applications", f"application {name} {', '.join(sampling + polling)}"


def _packets(agent: Agent) -> Iterable[tuple[str, str]]:
    packets = agent.packets
    yield "packets.source", f"packets from {', '.join(packets.source)}"
    if packets.source == ("none",):
        return
    devices = ", ".join(map(written, packets.devices))
    yield "packets.devices", f"packets of {devices or 'devices with hardware'}"
    yield "packets.direction", f"packets' direction {packets.direction}"
    if "psample" in packets.source:
        yield "packets.psample_group", f"psample group {packets.psample_group}"
        yield "packets.psample_direction", f"psample direction {packets.psample_direction}"
    if "nflog" in packets.source:
        yield "packets.nflog_group", f"nflog group {packets.nflog_group}"
        yield "packets.nflog_probability", f"nflog probability {packets.nflog_probability}"


def _drops(agent: Agent) -> Iterable[tuple[str, str]]:
    drops = agent.drops
    yield "drops.on", f"dropped packets {_on(drops.on)}"
    if drops.on:
        yield "drops.software", f"dropped packets of the kernel {_on(drops.software)}"
        yield "drops.hardware", f"dropped packets of devices {_on(drops.hardware)}"
        yield "drops.limit", f"dropped packets told, {drops.limit:,} a second"
        yield "drops.max", f"dropped packets pause from {drops.max:,} a second"
        if drops.hide:
            yield "drops.hide", f"dropped packets hidden /{drops.hide}/"


def _outputs(agent: Agent) -> Iterable[tuple[str, str]]:
    outputs = agent.outputs
    yield from _targets("outputs.ipfix", "IPFIX to", outputs.ipfix)
    yield from _targets("outputs.netflow9", "NetFlow 9 to", outputs.netflow9)
    told = {
        "metrics": ("OpenMetrics at", outputs.metrics),
        "influx": ("InfluxDB", outputs.influx),
        "elasticsearch": ("Elasticsearch", outputs.elasticsearch),
        "statsd": ("StatsD", outputs.statsd and outputs.statsd.title),
        "graphite": ("Graphite", outputs.graphite and outputs.graphite.title),
    }
    for key, (noun, value) in told.items():
        if value is not None:
            yield f"outputs.{key}", f"{noun} {value}"
