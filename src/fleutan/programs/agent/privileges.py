# SPDX-License-Identifier: Apache-2.0
"""What an agent has to be allowed, by what is configured; all else it gives up for good when it begins.

What is opened when it begins is opened again later: devices come, namespaces are entered, its own address or what the
DNS says becomes another, SIGHUP.  So what opening takes is kept, and nothing is opened with more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fleutan.config import Agent
from fleutan.linux import privileges
from fleutan.linux.capabilities import permitted
from fleutan.linux.privileges import User
from fleutan.sources.collectors import Collector

BPF = ("CAP_BPF", "CAP_PERFMON")
#: Ports below it are privileged (net.ipv4.ip_unprivileged_port_start).
_PRIVILEGED = 1024
Needs = dict[str, list[str]]


def needs(agent: Agent) -> Needs:
    """The capabilities that this configuration takes, each with what for; in their order of importance."""
    found: Needs = {}
    for what, names in _uses(agent):
        for name in names:
            whys = found.setdefault(name, [])
            if what not in whys:
                whys.append(what)
    return found


def _uses(agent: Agent) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from _of_packets(agent)
    if agent.drops.on and agent.drops.software:
        yield "dropped packets", BPF
        yield "names of the functions that drop packets", ("CAP_SYSLOG",)
    if agent.drops.on and agent.drops.hardware:
        yield "devices' own drops", ("CAP_NET_ADMIN", "CAP_SYS_ADMIN")
    if agent.polling:
        yield from _of_counters(agent)
    if any(one.device for one in _targets(agent)):
        yield "collectors behind a device", ("CAP_NET_RAW",)
    if any(one.netns for one in _targets(agent)):
        yield "collectors in other network namespaces", ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE")
    ports = (agent.json_port, agent.outputs.metrics and agent.outputs.metrics.port)
    if any(port and port < _PRIVILEGED for port in ports):
        yield f"ports below {_PRIVILEGED}", ("CAP_NET_BIND_SERVICE",)
    secrets = (agent.outputs.influx_token, agent.outputs.elasticsearch_token)
    if agent.user and any(secrets):
        yield "files of tokens", ("CAP_DAC_READ_SEARCH",)


def _of_packets(agent: Agent) -> Iterator[tuple[str, tuple[str, ...]]]:
    sources = set(agent.packets.source)
    if sources & {"auto", "bpf"}:
        yield "packets by BPF", (*BPF, "CAP_NET_ADMIN")
    if sources & {"auto", "socket"}:
        yield "packets by sockets", ("CAP_NET_RAW",)
    if sources & {"psample", "nflog"}:
        yield "packets that the kernel samples", ("CAP_NET_ADMIN",)
    if agent.owners and sources & {"auto", "bpf", "socket"}:
        yield "owners of sockets", (*BPF, "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")


def _of_counters(agent: Agent) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "optics, and ports of bonds", ("CAP_NET_ADMIN",)
    if agent.systemd or agent.scopes or agent.containers:
        yield "traffic of units and containers", (*BPF, "CAP_NET_ADMIN")
        yield "what other users' processes read and wrote", ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
    if agent.containers:
        yield "containers' network namespaces", ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE")
        yield "names of containers", ("CAP_DAC_READ_SEARCH",)


def _targets(agent: Agent) -> Iterable[Collector]:
    outputs = agent.outputs
    single = [one for one in (outputs.statsd,) if one is not None]
    return [*agent.collectors, *outputs.ipfix, *outputs.netflow9, *single]


@dataclass(frozen=True)
class Privileges:
    """What a running agent has kept, what it had before, and who it is."""

    kept: frozenset[str]
    before: frozenset[str]
    user: str = ""

    def lacks(self, agent: Agent) -> list[str]:
        """What a configuration takes that was given up, a line each."""
        gone = self.before - self.kept
        found = [
            f"{', '.join(whys)}: {name} was given up when the agent began; restart it"
            for name, whys in needs(agent).items()
            if name in gone
        ]
        if (agent.user or "") != self.user:
            found.append(f"user {agent.user or 'as it was started'}: the agent is {_me()}; restart it")
        return found

    def document(self) -> dict[str, object]:
        """The same for who asks how the agent is."""
        return {"user": _me(), "capabilities": sorted(self.kept), "given_up": len(self.before - self.kept)}


def drop(agent: Agent, written: Mapping[Path, str] = MappingProxyType({}), folders: Iterable[Path] = ()) -> Privileges:
    """Gives up what this configuration does not take.  To be called before there are other threads.

    Where it says a user, the agent becomes that one.  Files that it writes later, by what a new one says, are given to
    that user before; folders that are its own to who it is then.  Raises UsageError for a user that is not there,
    FleutanError.
    """
    become = privileges.user(agent.user) if agent.user else None
    before = permitted()
    if become is not None:
        for path, text in written.items():
            with suppress(OSError), open(path, "x", opener=_opened) as file:
                file.write(text)
            _give(path, become, os.O_WRONLY)
    for path in folders:  # also back from a user that an agent was before
        _give(path, become or User("", os.geteuid(), os.getegid()), os.O_DIRECTORY)
    return Privileges(privileges.keep(needs(agent), become), before, agent.user or "")


def _give(path: Path, become: User, how: int) -> None:
    """Has the user own it, so that he can write it; a link that somebody left there is not followed."""
    with suppress(OSError):  # what cannot be written is a note of whoever writes it
        descriptor = os.open(path, how | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(descriptor, become.uid, become.gid)
        finally:
            os.close(descriptor)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def lines(agent: Agent, held: frozenset[str] | None = None) -> list[tuple[str, str]]:
    """What is kept and why, what is missing, and who the agent is, each a subject and what is said of it.

    ``held`` is what this process has now.  Raises UsageError for a user that is not there.
    """
    held = permitted() if held is None else held
    name = privileges.user(agent.user).name if agent.user else _me()
    found = [
        (one, f"{'kept' if one in held else 'missing'}, for {', '.join(whys)}") for one, whys in needs(agent).items()
    ]
    if others := held.difference(needs(agent)):
        found.append(("others", f"{len(others)} are given up when it begins"))
    return [*found, ("user", f"{name}{', which it becomes' if agent.user else ', as it is started'}")]


def _me() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
