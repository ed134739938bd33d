# SPDX-License-Identifier: Apache-2.0
"""An agent is put together of what is in force: its sources are opened, each that cannot be is named with the reason.

Nothing that is missing keeps the rest from running.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fleutan.errors import FleutanError
from fleutan.linux.cgroupstats.hierarchies import hierarchies
from fleutan.programs.agent import Agent, Outlet, Packets, Parts, Ready
from fleutan.programs.agent.accelerated import Accelerated
from fleutan.programs.agent.applications import Applications
from fleutan.programs.agent.applications import rates as rates_of
from fleutan.programs.agent.batches import Both, Read, a_moment
from fleutan.programs.agent.election import Elected, elect
from fleutan.programs.agent.explaining import AUTO, Lack
from fleutan.programs.agent.listening import Listening
from fleutan.programs.agent.outputs.elasticsearch import Elasticsearch
from fleutan.programs.agent.outputs.flowrecords import Exporter, FlowRecords
from fleutan.programs.agent.outputs.influx import Influx
from fleutan.programs.agent.outputs.metrics import Metrics
from fleutan.programs.agent.outputs.posting import token
from fleutan.programs.agent.outputs.statsd import Graphite, StatsD
from fleutan.programs.agent.rates import Interface, rate
from fleutan.programs.agent.sampled.discards import of_discards
from fleutan.programs.agent.sampled.kernel import of_kernel
from fleutan.programs.agent.sampled.sockets import Told
from fleutan.programs.agent.schedule import Schedule
from fleutan.programs.agent.settings import Effective
from fleutan.programs.agent.stream import Identity, Stream
from fleutan.programs.agent.taps import choose
from fleutan.protocols.netflow.encoding import Sender
from fleutan.sources import addresses
from fleutan.sources.collectors import Collectors
from fleutan.sources.counters import CounterSource
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.devices import Interface as Device
from fleutan.sources.counters.entities import Entities
from fleutan.sources.counters.entities import Settings as EntitySettings
from fleutan.sources.counters.entities.gpus import Gpus
from fleutan.sources.counters.entities.kinds import Choice
from fleutan.sources.counters.entities.traffic import Counting
from fleutan.sources.counters.host import HostCounters
from fleutan.sources.counters.interfaces import InterfaceCounters
from fleutan.sources.discards import Bounds, DiscardedPackets
from fleutan.sources.packets.choosing import Sampler
from fleutan.sources.packets.columns import Tap
from fleutan.sources.packets.nflog import NflogSource
from fleutan.sources.packets.owning import Holding, Owners
from fleutan.sources.packets.psample import Groups, PsampleSource
from fleutan.sources.packets.sampler import BpfSampler
from fleutan.sources.packets.tapping import SocketSampler
from fleutan.sources.trapped import TrappedPackets

#: How often devices, addresses and rates are looked at again, in seconds.
REFRESH = 2.0
#: An address that is elected in place of another has to be so for so long: some come and go, and begin all anew.
STAND = 10.0
#: Of a data source that has not told its counters for so many intervals there are no metrics.
KEEP = 3
#: Counters are never told where they are told so rarely.
NEVER = 1e12
Say = Callable[[str], object]


@dataclass
class Assembly:
    """An agent's parts while they are open; ``lacks`` are those that cannot be had, by name."""

    effective: Effective
    devices: Devices = field(default_factory=Devices)
    held: ExitStack = field(default_factory=ExitStack)
    lacks: dict[str, Lack] = field(default_factory=dict)
    elected: Elected | None = None
    flows: list[Packets] = field(default_factory=list)
    discards: list[Packets] = field(default_factory=list)
    counters: list[CounterSource] = field(default_factory=list)
    ready: list[Ready] = field(default_factory=list)
    outlets: list[Outlet] = field(default_factory=list)
    #: Outlets of flow records; what each remembers is kept for the next assembly, by version and domain.
    records: list[FlowRecords] = field(default_factory=list)
    exporters: dict[tuple[int, int], Exporter] = field(default_factory=dict)
    samplers: list[Sampler] = field(default_factory=list)
    _found: Entities | None = None
    _noted: dict[str, Callable[[], list[str]]] = field(default_factory=dict)
    _refreshed: float = float("-inf")
    _other_since: float | None = None

    def __enter__(self) -> Assembly:
        settings = self.effective.agent
        self._elect(0.0)
        uuid = settings.uuid.bytes if isinstance(settings.uuid, UUID) else None
        self.counters += [self._host(uuid), InterfaceCounters(self.devices)]
        if settings.systemd or settings.scopes or settings.containers:
            self.counters.append(self._entities(uuid))
        if settings.json_port is not None or settings.json_fifo is not None:
            self._try("applications", self._applications)
        for name, open_ in self._outputs().items():
            if getattr(settings.outputs, name) is not None:
                self._try(name, open_)
        self._flow_records()
        self._packets(settings.packets.source)
        if settings.drops.on:
            self._try("drops", self._drops)
        return self

    def __exit__(self, *trouble: object) -> None:
        self.held.close()

    def agent(self, collectors: Collectors, stream: Stream | None = None) -> Agent:
        """The agent of these parts; a stream that was before goes on if it is the same agent's."""
        now = time.monotonic()
        if stream is None or stream.identity != self.identity:
            stream = Stream(self.identity, collectors, now)
        stream.to(collectors)
        polling = self.effective.agent.polling
        parts = Parts(stream, collectors, Schedule(polling or NEVER), self.counters if polling else ())
        parts.flows, parts.discards = self.flows, self.discards
        parts.ready, parts.outlets, parts.takers = self.ready, self.outlets, self.records
        return Agent(parts)

    @property
    def identity(self) -> Identity:
        """Who the agent is; of an unknown address nobody."""
        settings = self.effective.agent
        address = self.elected.address.packed if self.elected else bytes(4)
        return Identity(address, settings.sub_agent_id, settings.datagram_bytes)

    def interfaces(self) -> list[Interface]:
        """What there is of devices now, as far as rates depend on it."""
        return [_facts(one) for one in self.devices.table(1.0).values()]

    def rates(self) -> dict[int, int]:
        """Of which devices packets are sampled, by their number, and one in how many."""
        settings = self.effective.agent
        found = {}
        for tapped in choose(settings.packets, self.interfaces()):
            one = tapped.interface
            if tapped.tap is not None and (one_in := rate(settings.sampling, one, tapped.tap).one_in):
                found[one.ifindex] = one_in
        return found

    def refresh(self, now: float) -> bool:
        """Looks at devices and addresses again; whether the agent's own address is another one now."""
        if now - self._refreshed < REFRESH:
            return False
        self._refreshed = now
        for sampler in self.samplers:
            sampler.want(self._ways_of(self.rates()))
        before = self.elected
        self._elect(now)
        return (before and before.address) != (self.elected and self.elected.address)

    def notes(self) -> list[str]:
        """What cannot be known now, and why, a line each."""
        told = [line for notes in self._noted.values() for line in notes()]
        return [*(f"{name}: {lack}" for name, lack in self.lacks.items() if name != "gpus"), *told]

    def _elect(self, now: float) -> None:
        try:
            known = addresses.own()
        except (FleutanError, OSError):
            return
        held = self.elected
        found = elect(self.effective.agent, known, held)
        if held is None or (found and found.address == held.address):
            self.elected, self._other_since = found, None
        elif self._other_since is None:
            self._other_since = now
        elif now - self._other_since >= STAND:
            self.elected, self._other_since = found, None

    def _try(self, name: str, open_: Callable[[], None]) -> bool:
        try:
            open_()
        except (FleutanError, OSError) as error:
            self.lacks[name] = Lack((), str(error))
        return name not in self.lacks

    def _host(self, uuid: bytes | None) -> CounterSource:
        host = HostCounters(self.devices, uuid, socket.gethostname())
        if not self.effective.agent.gpus:
            return host
        gpus = self.held.enter_context(Gpus())
        if gpus.trouble:
            self.lacks["gpus"] = Lack((), gpus.trouble)
        return Accelerated(host, gpus)

    def _entities(self, uuid: bytes | None) -> CounterSource:
        settings = self.effective.agent
        moved = self.held.enter_context(Counting(hierarchies().v2))
        containers = settings.containers
        choice = Choice(settings.systemd, settings.scopes, containers, pods=containers)
        found = self._found = Entities(
            uuid, EntitySettings(choice, hostnames=settings.hostnames, state=numbers()), moved.read
        )
        self.held.callback(found.close)
        self._noted["entities"] = lambda: [
            *found.notes(),
            *([f"traffic of units: {moved.trouble}"] if moved.trouble else []),
        ]
        return found

    def _applications(self) -> None:
        settings = self.effective.agent
        listening = self.held.enter_context(Listening(settings.json_port, settings.json_fifo))
        found = Applications(listening, rates_of(settings.applications, settings.sampling.default))
        self._noted["applications"] = found.notes
        self.counters.append(found)
        self.ready.append(found)

    def _metrics(self) -> None:
        place, polling = self.effective.agent.outputs.metrics, self.effective.agent.polling
        assert place is not None  # noqa: S101  # who calls has looked
        self._outlet(Metrics(place, KEEP * (polling or 1) + REFRESH))

    def _outputs(self) -> Mapping[str, Callable[[], None]]:
        return {
            "metrics": self._metrics,
            "influx": self._influx,
            "elasticsearch": self._elasticsearch,
            "statsd": self._statsd,
            "graphite": self._graphite,
        }

    def _influx(self) -> None:
        said = self.effective.agent.outputs
        secret = token(said.influx_token) if said.influx_token else None
        self._outlet(Influx(said.influx or "", socket.gethostname(), secret))

    def _elasticsearch(self) -> None:
        said = self.effective.agent.outputs
        secret = token(said.elasticsearch_token) if said.elasticsearch_token else None
        self._outlet(Elasticsearch(said.elasticsearch or "", socket.gethostname(), secret))

    def _statsd(self) -> None:
        said = self.effective.agent.outputs.statsd
        assert said is not None  # noqa: S101  # who calls has looked
        self._outlet(StatsD(said, socket.gethostname()))

    def _flow_records(self) -> None:
        settings = self.effective.agent
        domain = settings.sub_agent_id
        for version, collectors in ((10, settings.outputs.ipfix), (9, settings.outputs.netflow9)):
            if collectors:
                exporter = self.exporters.setdefault((version, domain), Exporter(Sender(version, domain)))
                made = FlowRecords(version, collectors, exporter=exporter, mtu=settings.datagram_bytes)
                self._outlet(made)
                self.records.append(made)

    def _graphite(self) -> None:
        said = self.effective.agent.outputs.graphite
        assert said is not None  # noqa: S101  # who calls has looked
        self._outlet(Graphite(said.host, said.port, socket.gethostname()))

    def _outlet(self, made: Any) -> None:
        opened: AbstractContextManager[Outlet] = made
        self.outlets.append(self.held.enter_context(opened))

    def _packets(self, said: Sequence[str]) -> None:
        """Opens where packets come from; of ``auto`` the first that can be."""
        ways = self._ways()
        for name in said:
            if name == "auto":
                next((way for way in AUTO if self._try(way, ways[way])), None)
            elif name != "none":
                self._try(name, ways[name])

    def _ways(self) -> Mapping[str, Callable[[], None]]:
        return {"bpf": self._bpf, "socket": self._sockets, "psample": self._psample, "nflog": self._nflog}

    def _bpf(self) -> None:
        self._sample("bpf", BpfSampler(header=self.effective.agent.header_bytes or 1))

    def _sockets(self) -> None:
        self._sample("socket", SocketSampler(header=self.effective.agent.header_bytes or 1))

    def _sample(self, name: str, made: AbstractContextManager[Sampler]) -> None:
        sampler: Sampler = self._open(name, made)
        sampler.want(self._ways_of(self.rates()))
        self.samplers.append(sampler)
        settings = self.effective.agent
        owners = Owners(self.held.enter_context(Holding())) if settings.owners else None
        known = self._found.of_groups if self._found and settings.entities and settings.polling else None
        self.flows.append(Both(sampler, Told(settings.tcp, known, settings.structures == "all"), owners))

    def _ways_of(self, rates: Mapping[int, int]) -> dict[Tap, int]:
        direction = self.effective.agent.packets.direction
        ways = [egress for egress, name in ((False, "ingress"), (True, "egress")) if direction in ("both", name)]
        return {Tap(ifindex, egress): one_in for ifindex, one_in in rates.items() for egress in ways}

    def _psample(self) -> None:
        packets = self.effective.agent.packets
        groups = Groups(
            packets.psample_group, packets.psample_direction != "egress", packets.psample_direction != "ingress"
        )
        source = self._open("psample", PsampleSource(groups, self._one_in, self.effective.agent.header_bytes))
        self.flows.append(Read(source, of_kernel, a_moment))

    def _nflog(self) -> None:
        packets = self.effective.agent.packets
        probability = packets.nflog_probability or 1.0
        source = self._open(
            "nflog", NflogSource(packets.nflog_group, probability, self._one_in, self.effective.agent.header_bytes)
        )
        self.flows.append(Read(source, of_kernel, a_moment))

    def _one_in(self, ifindex: int) -> int:
        """What is asked for of a device whose packets the kernel samples at a rate of its own."""
        one = self.devices.table(REFRESH).get(ifindex)
        return 1 if one is None else rate(self.effective.agent.sampling, _facts(one)).one_in or 1

    def _drops(self) -> None:
        drops, header = self.effective.agent.drops, self.effective.agent.header_bytes
        if drops.software:
            bounds = Bounds(drops.limit, header, drops.max, hide=drops.hide or "")
            self.discards.append(Read(self._open("drops", DiscardedPackets(bounds)), of_discards))
        if drops.hardware:
            try:
                traps = self._open("traps", TrappedPackets(drops.limit, header))
                self.discards.append(Read(traps, of_discards, a_moment))
            except FleutanError as error:  # most kernels have no such devices, so this is no lack of the host's
                self._noted["traps"] = lambda error=error: [f"devices' own drops: {error}"]  # type: ignore[misc]

    def _open(self, name: str, source: Any) -> Any:
        opened: AbstractContextManager[Any] = source
        found = self.held.enter_context(opened)
        self._noted[name] = found.notes
        return found


def numbers(environ: Mapping[str, str] = os.environ) -> str | None:
    """The file where units and containers keep their numbers; None where there is no place for it."""
    folder = environ.get("STATE_DIRECTORY", "").partition(":")[0] or "/var/lib/fleutan"
    path = os.path.join(folder, "agent.json")
    return path if os.access(folder, os.W_OK) or os.access(path, os.W_OK) else None


def _facts(one: Device) -> Interface:
    kind = one.kind or ("" if one.hardware or one.loopback else "virtual")
    return Interface(one.name, one.ifindex, one.up and one.running, one.speed, kind, one.loopback)
