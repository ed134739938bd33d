# SPDX-License-Identifier: Apache-2.0
"""The state file as hsflowd's sub-agents read it (``/etc/hsflowd.auto``): what is in force, by whom and to whom.

A revision stands at both ends; a reader who finds two of them that differ reads again.  Here the file
is replaced as a whole, so that nobody does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from fleutan.config.agents import Application, bits
from fleutan.config.sections import Agent
from fleutan.programs.agent.election import Elected
from fleutan.programs.agent.rates import named
from fleutan.sources.collectors import Collector

#: The port that goes without saying, and the number of the host as a data source.
PORT, HOST = 6343, 1
HEAD = "# What is in force of an sFlow agent; it is replaced whenever that changes.\n"
#: More of a file is not read.
_LARGEST = 1 << 20


@dataclass(frozen=True)
class State:
    """What a sub-agent is told; ``collectors`` have addresses, no names.  ``applications`` have no speeds."""

    hostname: str
    sampling: int
    header: int
    datagram: int
    polling: int
    agent_ip: str
    agent: str = ""
    bps_ratio: int | None = None
    speeds: Mapping[int, int] = field(default_factory=dict)
    applications: Mapping[str, Application] = field(default_factory=dict)
    collectors: tuple[Collector, ...] = ()
    json_port: int | None = None
    ds_index: int = HOST


def state(agent: Agent, elected: Elected, hostname: str, resolved: Mapping[str, str] | None = None) -> State:
    """What is to be told of an agent.

    ``resolved`` are the addresses of collectors' names; a collector whose address is unknown is left out.
    """
    known = resolved or {}
    reached = [(one, _address(known.get(one.host, one.host))) for one in agent.collectors]
    return State(
        hostname=hostname,
        sampling=agent.sampling.default,
        header=agent.header_bytes,
        datagram=agent.datagram_bytes,
        polling=agent.polling,
        agent_ip=str(elected.address),
        agent=elected.device,
        bps_ratio=agent.sampling.bps_ratio,
        speeds=agent.sampling.speeds,
        applications=agent.applications,
        collectors=tuple(one._replace(host=address) for one, address in reached if address),
        json_port=agent.json_port,
    )


def _address(host: str) -> str:
    """The address, without a zone, which readers do not know; empty for a name."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return ""


def text(revision: int, said: State | None) -> str:
    """The file; without a state it says that there is nothing to do."""
    lines = [f"rev_start={revision}", *(_lines(said) if said else ()), f"rev_end={revision}"]
    return HEAD + "".join(f"{line}\n" for line in lines)


def _lines(said: State) -> Iterator[str]:
    yield f"hostname={said.hostname}"
    yield f"sampling={said.sampling}"
    yield f"header={said.header}"
    yield f"datagram={said.datagram}"
    yield f"polling={said.polling}"
    if said.bps_ratio is not None:
        yield f"sampling.bps_ratio={said.bps_ratio}"
    for speed, rate in sorted(said.speeds.items()):
        yield f"sampling.{named(speed)}={rate}"
    for name, one in sorted(said.applications.items()):
        if one.sampling is not None:
            yield f"sampling.{name}={one.sampling}"
        if one.polling is not None:
            yield f"polling.{name}={one.polling}"
    yield f"agentIP={said.agent_ip}"
    if said.agent:
        yield f"agent={said.agent}"
    yield from sorted(map(_collector, said.collectors))
    if said.json_port:
        yield f"jsonPort={said.json_port}"
    yield f"ds_index={said.ds_index}"


def _collector(one: Collector) -> str:
    """As older sub-agents read it, if it has neither device nor namespace."""
    if one.device or one.netns:
        return f"collector={one.host}/{one.port}/{one.device}/{one.netns}"
    return f"collector={one.host}" + ("" if one.port == PORT else f" {one.port}")


class Read:
    """A file's revision and its state; None where it says that there is nothing to do."""

    def __init__(self, revision: int, state: State | None) -> None:
        self.revision, self.state = revision, state


def read(content: str) -> Read | None:
    """What a file says; None for one that is not whole.  What is not known in it is passed over."""
    pairs = [
        (key.strip(), value.strip())
        for key, equals, value in (line.partition("=") for line in content.splitlines())
        if equals and not key.startswith("#")
    ]
    ends = [value for key, value in pairs if key in ("rev_start", "rev_end")]
    if len(ends) != 2 or ends[0] != ends[1] or not re.fullmatch("[0-9]{1,10}", ends[0]):
        return None
    try:
        return Read(int(ends[0]), _state(pairs))
    except (KeyError, ValueError):
        return None


def _state(pairs: Iterable[tuple[str, str]]) -> State | None:
    """Raises KeyError or ValueError for what is no state."""
    pairs = [*pairs]
    said = dict(pairs)
    if "agentIP" not in said:
        return None
    speeds, applications = _by_name(pairs)
    return State(
        hostname=said["hostname"],
        sampling=int(said["sampling"]),
        header=int(said["header"]),
        datagram=int(said["datagram"]),
        polling=int(said["polling"]),
        agent_ip=said["agentIP"],
        agent=said.get("agent", ""),
        bps_ratio=int(said["sampling.bps_ratio"]) if "sampling.bps_ratio" in said else None,
        speeds=speeds,
        applications=applications,
        collectors=tuple(_read_collector(value) for key, value in pairs if key == "collector"),
        json_port=int(said["jsonPort"]) if "jsonPort" in said else None,
        ds_index=int(said.get("ds_index", HOST)),
    )


def _by_name(pairs: Iterable[tuple[str, str]]) -> tuple[dict[int, int], dict[str, Application]]:
    """Rates by speed, and what is said of applications."""
    speeds: dict[int, int] = {}
    applications: dict[str, Application] = {}
    for key, value in pairs:
        word, dot, name = key.partition(".")
        if not dot or word not in ("sampling", "polling") or name == "bps_ratio":
            continue
        if word == "sampling" and name[:1].isdecimal():
            speeds[bits(name)] = int(value)
        else:
            applications[name] = applications.get(name, Application())._replace(**{word: int(value)})
    return speeds, applications


def _read_collector(value: str) -> Collector:
    if "/" in value:
        host, port, device, netns = value.split("/", 3)
        return Collector(host, int(port), device, netns)
    host, _, port = value.partition(" ")
    return Collector(host, int(port or PORT))


class StateFile:
    """A state file that is kept as things are; what cannot be written is a note, and no more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        before = self._before()
        self._revision = before.revision if before else 0
        self._said: State | None = None
        self._is_written = False
        self._note = ""

    def _before(self) -> Read | None:
        if not self.path.is_file():  # a pipe would have its reader wait
            return None
        try:
            with self.path.open(errors="replace") as file:
                return read(file.read(_LARGEST))
        except OSError:
            return None

    def update(self, said: State | None) -> str:
        """Replaces the file if something else is to be told; why it could not be, once, or nothing."""
        if self._is_written and said == self._said:
            return ""
        before, self._note = self._note, self._replaced(said)
        return "" if self._note == before else self._note

    def _replaced(self, said: State | None) -> str:
        revision = (self._revision + 1) % (1 << 32)
        hidden = self.path.with_name(f".{self.path.name}")
        try:
            try:
                hidden.unlink(missing_ok=True)
                with open(hidden, "x", opener=_opened) as file:  # never through a link that somebody left there
                    file.write(text(revision, said))
                hidden.replace(self.path)
            except PermissionError:  # only the file itself is this user's; who reads it half written sees its revision
                with open(self.path, "r+", opener=_opened) as file:
                    file.write(text(revision, said))
                    file.truncate()
        except OSError as error:
            with suppress(OSError):
                hidden.unlink(missing_ok=True)
            return f"{self.path} cannot be written: {error.strerror}"
        self._revision, self._said, self._is_written = revision, said, True
        return ""


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)
