# SPDX-License-Identifier: Apache-2.0
"""The daemon: an agent of what is in force, put together anew when that, or its own address, changes."""

from __future__ import annotations

import gc
import os
import re
import resource
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleutan.errors import FleutanError
from fleutan.programs.agent import Agent
from fleutan.programs.agent.assembling import Assembly, Say
from fleutan.programs.agent.auto import StateFile, state
from fleutan.programs.agent.outputs.elasticsearch import Elasticsearch
from fleutan.programs.agent.outputs.flowrecords import Exporter, refused
from fleutan.programs.agent.outputs.influx import Influx
from fleutan.programs.agent.outputs.metrics import Metrics
from fleutan.programs.agent.outputs.statsd import Graphite, StatsD
from fleutan.programs.agent.privileges import Privileges
from fleutan.programs.agent.resolving import Resolving
from fleutan.programs.agent.settings import InForce
from fleutan.programs.agent.stream import Stream
from fleutan.programs.signals import Orders
from fleutan.programs.status import Status
from fleutan.sources.collectors import Collectors
from fleutan.sources.memory import keep
from fleutan.sources.service import Service

#: What its file among those of processes is called.
NAME = "agent"
#: Outlets that hold what their servers do not take yet.
SERVERS = (Elasticsearch, Graphite, Influx)
#: Notes that are remembered, so that each is said once.
NOTES = 1000


def folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where agents of this user tell how they are: what the service manager gives, else the usual one."""
    if given := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/run/fleutan")
    return Path(environ.get("XDG_RUNTIME_DIR") or f"/tmp/fleutan-{os.geteuid()}") / "fleutan"  # noqa: S108


@dataclass
class Running:
    """An agent that runs until it is ordered to stop; ``say`` is told what cannot be had, once each."""

    in_force: InForce
    orders: Orders
    say: Say
    service: Service
    status: Status
    privileges: Privileges | None = None
    began: float = field(default_factory=time.monotonic)
    _exporters: dict[tuple[int, int], Exporter] = field(default_factory=dict)
    _said: dict[str, None] = field(default_factory=dict)
    _resolving: tuple[str, Resolving] | None = None
    _state: StateFile | None = None

    def run(self) -> None:
        """Runs."""
        keep()
        stream: Stream | None = None
        while not self.orders.stopped:
            stream = self._while_in_force(stream)
            gc.collect()  # what was put together before refers to itself, and would stay for long
            if self.orders.asked and not self.orders.stopped:
                self.orders.reloaded()
                self.service.reloading()
                if trouble := self.in_force.again():
                    self.say(trouble)
                else:
                    self._said.clear()
        self.service.stopping("sending what waits")
        self._end_state()

    def _while_in_force(self, stream: Stream | None) -> Stream:
        with Assembly(self.in_force.effective, exporters=self._exporters) as made:
            targets = self.in_force.effective.agent.collectors if made.elected else ()
            with Collectors(targets) as collectors:
                agent = made.agent(collectors, stream)
                agent.parts.looked = lambda one: self._looked(one, made)
                self._tell([*self._nowhere(), *self._notes(made)])
                many = len(targets) + sum(len(one.accounts()) for one in made.records)
                self.service.ready(f"telling {many} collectors")
                agent.run(self.orders)
                return agent.parts.stream

    def _looked(self, agent: Agent, made: Assembly) -> None:
        """Once a second: what there is now, and how it goes."""
        now = time.monotonic()
        try:
            agent.renewed |= made.refresh(now)
        except FleutanError as error:
            self._tell([str(error)])
        agent.renewed |= self._discovered(now)
        notes = self._notes(made)
        self._tell(notes)
        self._keep_state(made)
        told = [("sFlow", agent.parts.stream.accounts()), *((one.form, one.accounts()) for one in made.records)]
        told += [("StatsD", [one.account()]) for one in made.outlets if isinstance(one, StatsD)]
        collectors = [{"form": form, **one._asdict()} for form, accounts in told for one in accounts]
        servers = [one.account()._asdict() for one in made.outlets if isinstance(one, SERVERS)]
        self.status.write(self._document(agent, made, notes), {"collectors": collectors, "servers": servers})
        self.service.alive()

    def _discovered(self, now: float) -> bool:
        domain = self.in_force.effective.agent.dns_sd
        if domain is None:
            self._resolving = None
            return False
        if self._resolving is None or self._resolving[0] != domain:
            self._resolving = (domain, Resolving(domain, now))
        resolving = self._resolving[1]
        changed = resolving.tick(now) and self.in_force.discovered(resolving.found)
        if resolving.trouble:
            self._tell([resolving.trouble])
        return changed

    def _nowhere(self) -> list[str]:
        """What an empty file, or one that is being written, would have nobody notice."""
        agent = self.in_force.effective.agent
        if agent.collectors or agent.dns_sd is not None:
            return []
        return ["no collector is said, so sFlow goes nowhere"]

    def _keep_state(self, made: Assembly) -> None:
        agent = self.in_force.effective.agent
        if self._state is not None and self._state.path != agent.state_file:
            self._end_state()
        if agent.state_file is None or made.elected is None:
            return
        if self._state is None:
            self._state = StateFile(agent.state_file)
        if note := self._state.update(state(agent, made.elected, socket.gethostname())):
            self.say(note)

    def _end_state(self) -> None:
        """Who reads the file is told that there is nothing to do."""
        if self._state is not None:
            self._state.update(None)
        self._state = None

    def _tell(self, lines: list[str]) -> None:
        """Says each once, whatever the numbers in it are by now; ``--status`` has those."""
        for line in lines:
            shape = re.sub(r"\d+([.,]\d+)*", "0", line)
            if shape not in self._said:
                self.say(f"note: {line}")
            self._said.pop(shape, None)
            self._said[shape] = None
        while len(self._said) > NOTES:
            del self._said[next(iter(self._said))]

    def _document(self, agent: Agent, made: Assembly, notes: list[str]) -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        stream = agent.parts.stream
        return {
            "pid": os.getpid(),
            "agent": str(made.elected.address) if made.elected else None,
            "sub_agent": stream.identity.sub_agent,
            "uptime_s": round(time.monotonic() - self.began),
            "cpu_s": round(used.ru_utime + used.ru_stime, 3),
            "memory_kb": used.ru_maxrss,
            "datagrams": stream.sent,
            "samples": dict(stream.told),
            "flow_records": {one.form: one.exporter.told for one in made.records},
            "refused": {**stream.refused, **refused(made.records)},
            "failures": dict(agent.failures),
            "scrapes": sum((Counter(one.account()) for one in made.outlets if isinstance(one, Metrics)), Counter()),
            "data_sources": len(agent.parts.schedule),
            "notes": notes,
            "privileges": self.privileges.document() if self.privileges else None,
        }

    def _notes(self, made: Assembly) -> list[str]:
        lacks = self.privileges.lacks(made.effective.agent) if self.privileges else []
        return [*made.notes(), *lacks]
