# SPDX-License-Identifier: Apache-2.0
"""What hsflowd.conf says as the agent's settings, with where each of them stands, and remarks on what is not used.

A module of hsflowd is loaded only where its block is there, so what has no block is off.
"""

from __future__ import annotations

from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

from fleutan.config import AROUND
from fleutan.config.agents import Sampling, Tap
from fleutan.config.hsflowd.checked import Checked, Found, unused
from fleutan.config.sections import Agent, changed
from fleutan.errors import UsageError
from fleutan.sources.collectors import Collector

#: Where hsflowd writes what is in force.
STATE = Path("/etc/hsflowd.auto")


class Settings(NamedTuple):
    """The agent as the file has it; ``origins`` are its keys, as ``packets.source``, with file and line."""

    agent: Agent
    remarks: list[str]
    origins: dict[str, str]


#: The options of ``sflow`` itself that are keys of [agent], and their names there.
_KEYS = {
    "polling": "polling",
    "agentip": "address",
    "agent": "device",
    "agent.cidr": "prefer",
    "subagentid": "sub_agent_id",
    "uuid": "uuid",
    "headerbytes": "header_bytes",
    "datagrambytes": "datagram_bytes",
}


def settings(checked: Checked) -> Settings:
    """The agent's settings.  Raises UsageError for a collector without an address."""
    made = _Made(checked)
    for option, key in _KEYS.items():
        if option in checked.top.values:
            made.put(key, checked.top.get(option), checked.top.places[option])
    for part in (_collectors, _sampling, _entities, _packets, _drops, _json):
        part(made)
    made.put("state_file", STATE, f"{checked.path}: hsflowd writes it, too")
    made.fit()
    return Settings(changed(Agent(), made.values), made.remarks, made.origins)


class _Made:
    """The agent in the making."""

    def __init__(self, checked: Checked) -> None:
        self.file = checked
        self.values: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.remarks = [*checked.remarks, *unused(checked)]

    def put(self, key: str, value: Any, origin: str) -> None:
        self.values[key], self.origins[key] = value, origin

    def switch(self, key: str, *blocks: str) -> None:
        """On where one of the blocks is there."""
        found = self.file.of(*blocks)
        nothing = f"{self.file.path}: there is no {', '.join(blocks)} {{ }}"
        self.put(key, bool(found), found[0].place if found else nothing)

    def fit(self) -> None:
        """A header that does not fit is cut, as hsflowd would leave the sample away."""
        header = self.values.get("header_bytes", Agent().header_bytes)
        room = self.values.get("datagram_bytes", Agent().datagram_bytes) - AROUND
        if header > room:
            origin = self.origins["datagram_bytes"]
            self.put("header_bytes", room, origin)
            self.remarks.append(f"{origin}: no more than {room} octets of a header fit into such datagrams")


def _collectors(made: _Made) -> None:
    found = [_collector(block) for block in made.file.of("collector")]
    if found:
        made.put("collectors", tuple(dict.fromkeys(one for one, _ in found)), made.file.of("collector")[0].place)
        made.origins |= {f"collectors {one.title}": place for one, place in reversed(found)}
    domains = [(block.get("domain", ""), block.place) for block in made.file.of("dns-sd")]
    if made.file.top.get("dnssd"):
        domains.append((made.file.top.get("dnssd_domain", ""), made.file.top.places["dnssd"]))
    if domains:
        made.put("dns_sd", *domains[-1])
        if found:
            made.remarks.append(
                f"{domains[-1][1]}: the DNS says only what this file does not; hsflowd would drop its collectors"
            )
    elif not found:
        made.remarks.append(f"{made.file.path}: there is neither collector {{ }} nor dns-sd {{ }}: sFlow goes nowhere")


def _collector(block: Found) -> tuple[Collector, str]:
    if "ip" not in block.values:
        raise UsageError(f"{block.place}: collector {{ }} has no ip")
    return Collector(
        block.get("ip"), block.get("udpport", 6343), block.get("dev", ""), block.get("namespace", "")
    ), block.place


def _sampling(made: _Made) -> None:
    top = made.file.top
    rates = Sampling(top.get("sampling", Sampling.default), top.get("sampling.bps_ratio"), made.file.speeds)
    places = [top.places[name] for name in ("sampling", "sampling.bps_ratio", "sampling.") if name in top.places]
    if places:
        made.put("sampling", rates, places[0])
    if made.file.applications:
        made.put("applications", made.file.applications, top.places.get("applications") or places[0])


def _entities(made: _Made) -> None:
    made.switch("tcp", "tcp")
    made.switch("systemd", "systemd")
    made.switch("containers", "docker", "containerd", "k8s")
    named = [block for block in made.file.of("docker", "containerd") if block.get("hostname")]
    if named:
        made.put("hostnames", True, named[0].places["hostname"])
    made.switch("gpus", "nvml")
    marked = [block for block in made.file.of("systemd", "docker", "containerd", "k8s") if block.get("marktraffic")]
    path = made.file.path
    made.put("entities", bool(marked), marked[0].places["marktraffic"] if marked else f"{path}: no markTraffic is on")
    made.put("structures", "all", f"{path}: hsflowd sends all that there are")
    made.put("owners", False, f"{path}: hsflowd does not tell them")


def _packets(made: _Made) -> None:
    taps, psample, nflog = (made.file.of(*names) for names in (("pcap", "epcap"), ("psample",), ("nflog",)))
    sources = ["bpf" if {block.name for block in taps} == {"epcap"} else "auto"] if taps else []
    if taps:
        # the last that fits counts, since hsflowd goes through them from the end
        first = taps[0].place
        made.put("packets.devices", tuple(map(_tap, reversed(taps))), first)
    if psample and (direction := _psample(made, psample[-1])):
        sources.append("psample")
        made.put("packets.psample_direction", direction, psample[-1].place)
    if nflog and _nflog(made, nflog[-1]):
        sources.append("nflog")
    blocks = [*taps, *psample, *nflog]
    nothing = f"{made.file.path}: there is no pcap {{ }}, psample {{ }} or nflog {{ }}"
    made.put("packets.source", tuple(sources) or ("none",), blocks[0].place if blocks else nothing)


def _tap(block: Found) -> Tap:
    return Tap(
        escape(block.get("dev", "")),
        block.get("dev.pattern", ""),
        block.get("speed"),
        block.get("sampling"),
        block.get("promisc", False),
    )


#: What of psample is read, by whether ingress and egress are on.
_DIRECTIONS = {(True, True): "both", (True, False): "ingress", (False, True): "egress", (False, False): ""}


def _psample(made: _Made, block: Found) -> str:
    made.put("packets.psample_group", block.get("group", 1), block.places.get("group", block.place))
    direction = _DIRECTIONS[block.get("ingress", True), block.get("egress", False)]
    if not direction:
        made.remarks.append(f"{block.place}: psample {{ }} with ingress and egress off samples nothing")
    return direction


def _nflog(made: _Made, block: Found) -> bool:
    top = made.file.top
    group = block.get("group", top.get("nfloggroup", 0))
    probability = block.get("probability", top.get("nflogprobability", 0))
    if not probability:
        made.remarks.append(f"{block.place}: nflog {{ }} is not used: without its probability no rate is known")
        return False
    made.put("packets.nflog_group", group, block.place)
    made.put("packets.nflog_probability", probability, block.place)
    return True


def _drops(made: _Made) -> None:
    found = made.file.of("dropmon")
    if not found:
        made.put("drops.on", False, f"{made.file.path}: there is no dropmon {{ }}")
        return
    block = found[-1]
    is_on = block.get("start", True)
    software, hardware = (
        bool(is_on and block.get(kind, True)) or block.get(f"{kind}_passive", False) for kind in ("sw", "hw")
    )
    made.put("drops.on", software or hardware, block.place)
    made.put("drops.software", software, block.place)
    made.put("drops.hardware", hardware, block.place)
    for name in ("limit", "max", "hide"):
        if name in block.values:
            made.put(f"drops.{name}", block.get(name), block.places[name])


def _json(made: _Made) -> None:
    ports = [(found.get("udpport"), found.places["udpport"]) for found in made.file.of("json") if found.get("udpport")]
    if "jsonport" in made.file.top.values:
        ports.insert(0, (made.file.top.get("jsonport"), made.file.top.places["jsonport"]))
    if ports:
        made.put("json_port", *ports[-1])
    pipes = [(found.get("fifo"), found.places["fifo"]) for found in made.file.of("json") if found.get("fifo")]
    if "jsonfifo" in made.file.top.values:
        pipes.insert(0, (made.file.top.get("jsonfifo"), made.file.top.places["jsonfifo"]))
    if pipes:
        made.put("json_fifo", *pipes[-1])
