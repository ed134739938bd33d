# SPDX-License-Identifier: Apache-2.0
"""An agent is put together of what is in force; how its parts are opened is known in ``opening/``.

Nothing that is missing keeps the rest from running.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from fleutan.errors import FleutanError
from fleutan.programs.agent import Agent, Outlet, Packets, Parts, Ready
from fleutan.programs.agent.election import Elected, elect
from fleutan.programs.agent.explaining import Lack
from fleutan.programs.agent.opening import REFRESH, Opening
from fleutan.programs.agent.opening.counters import applications, entities, host
from fleutan.programs.agent.opening.outlets import flow_records, outlets
from fleutan.programs.agent.opening.packets import Given, discards, flows
from fleutan.programs.agent.opening.wanted import Wanted
from fleutan.programs.agent.outputs.flowrecords import Exporter, FlowRecords
from fleutan.programs.agent.rates import Interface
from fleutan.programs.agent.schedule import Schedule
from fleutan.programs.agent.settings import Effective
from fleutan.programs.agent.stream import Identity, Stream
from fleutan.sources import addresses
from fleutan.sources.collectors import Collectors
from fleutan.sources.counters import CounterSource
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.interfaces import InterfaceCounters
from fleutan.sources.packets.choosing import Sampler

#: An address that is elected in place of another has to be so for so long: some come and go, and begin all anew.
STAND = 10.0
#: Counters are never told where they are told so rarely.
NEVER = 1e12
Say = Callable[[str], object]


@dataclass
class Assembly:
    """An agent's parts while they are open."""

    effective: Effective
    devices: Devices = field(default_factory=Devices)
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
    _refreshed: float = float("-inf")
    _other_since: float | None = None

    def __post_init__(self) -> None:
        self._opening = Opening(self.effective.agent)
        self._wanted = Wanted(self.effective.agent, self.devices)

    def __enter__(self) -> Assembly:
        settings, opening = self.effective.agent, self._opening
        self._elect(0.0)
        uuid = settings.uuid.bytes if isinstance(settings.uuid, UUID) else None
        self.counters += [host(opening, self.devices, uuid), InterfaceCounters(self.devices)]
        if (found := entities(opening, uuid)) is not None:
            self.counters.append(found)
        if (told := applications(opening)) is not None:
            self.counters.append(told)
            self.ready.append(told)
        self.outlets += outlets(opening)
        self.records += flow_records(opening, self.exporters)
        self.outlets += self.records
        for one in flows(Given(opening, self._wanted, found)):
            self.flows.append(one.packets)
            self.samplers += [one.sampler] if one.sampler is not None else []
        self.discards += discards(opening)
        return self

    def __exit__(self, *trouble: object) -> None:
        self._opening.held.close()

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

    @property
    def lacks(self) -> dict[str, Lack]:
        """The parts that cannot be had, by name."""
        return self._opening.lacks

    def interfaces(self) -> list[Interface]:
        """What there is of devices now, as far as rates depend on it."""
        return self._wanted.interfaces()

    def refresh(self, now: float) -> bool:
        """Looks at devices and addresses again; whether the agent's own address is another one now."""
        if now - self._refreshed < REFRESH:
            return False
        self._refreshed = now
        for sampler in self.samplers:
            sampler.want(self._wanted.taps())
        before = self.elected
        self._elect(now)
        return (before and before.address) != (self.elected and self.elected.address)

    def notes(self) -> list[str]:
        """What cannot be known now, and why, a line each."""
        return self._opening.notes()

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
