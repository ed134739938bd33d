# SPDX-License-Identifier: Apache-2.0
"""What the agent costs as a whole beside hsflowd, both at the same time on the same host with the same settings.

``python bench/agent_packets.py [idle] [polls] [packets] [tcp]`` as root; without arguments all, in two minutes.
hsflowd (2.1, with its modules pcap and tcp) is taken from the environment variable HSFLOWD, or from the path; its
modules are looked for beside it.  Without it ours is measured alone.

Traffic runs between two network namespaces joined by veth, which are made for it.  Costs are CPU time of whole
processes, the kernel's part for them included; what the sampling programs take within the senders' own time is
measured in ``sampling.py``.  What was told is counted where it comes in.  A poll is a data source's counters told
once, a packet a flow sample.  Only ratios carry over to another machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from tracing import ADDRESS, FAR, FLEUTAN, NEAR, hosts, inside, started

from fleutan.linux import namespaces

#: What ours may take of a packet's and of a poll's cost to hsflowd; percent of a CPU at 1 in 400 of 10 Gbit/s; MB.
TIMES_BAR, CPU_BAR, MEMORY_BAR = 3.0, 1.0, 120
SECONDS = 15
OURS, AS_IT_IS, THEIRS = "fleutan agent", "fleutan agent, everything on", "hsflowd"
PORTS = {OURS: 26_341, AS_IT_IS: 26_342, THEIRS: 26_343}
#: Octets of an UDP packet that is never cut, and bits a second of them.
UDP = ("-u", "-l", "1400", "-b", "1500M")
#: Of sFlow's samples by their number.
KINDS = {1: "packets", 3: "packets", 2: "polls", 4: "polls"}


class Settings(NamedTuple):
    """What both are told."""

    polling: int = 30
    sampling: int = 400


class Cost(NamedTuple):
    """CPU seconds, and seconds, that it took; polls and packets that were told; MB at the most."""

    cpu: float
    seconds: float
    polls: int
    packets: int
    memory: int

    @property
    def percent(self) -> float:
        """Of a CPU."""
        return self.cpu / self.seconds * 100


# -- both sides


def hsflowd() -> str | None:
    """Where it is."""
    return os.environ.get("HSFLOWD") or shutil.which("hsflowd")


def ours(folder: Path, told: Settings, port: int, more: str) -> list[str]:
    """The command with a configuration of ours."""
    file = folder / f"{port}.toml"
    file.write_text(
        f'[agent]\ncollectors = ["127.0.0.1:{port}"]\npolling = {told.polling}\naddress = "192.0.2.1"\n{more}'
        f"[agent.sampling]\ndefault = {told.sampling}\nbps_ratio = 0\n"
        '[agent.packets]\ndevices = ["veth0"]\n[agent.drops]\non = false\n'
    )
    return [FLEUTAN, "agent", "--config", str(file)]


def theirs(folder: Path, told: Settings, port: int) -> list[str]:
    """The command with a configuration of theirs that says the same."""
    file, program = folder / "hsflowd.conf", hsflowd() or ""
    file.write_text(
        f"sflow {{\n  polling = {told.polling}\n  sampling = {told.sampling}\n  agent = veth0\n"
        f"  collector {{ ip = 127.0.0.1 udpport = {port} }}\n"
        f"  pcap {{ dev = veth0 sampling = {told.sampling} }}\n  tcp {{ }}\n}}\n"
    )
    own = ["-p", f"{folder}/hsflowd.pid", "-o", f"{folder}/hsflowd.auto", "-l", str(Path(program).parent)]
    return [program, "-d", "-P", "-f", str(file), *own]


def sides(folder: Path, told: Settings) -> dict[str, list[str]]:
    """Ours with what hsflowd is told, ours as it is by itself, and hsflowd."""
    bare = "systemd = false\ncontainers = false\nowners = false\n"
    found = {OURS: ours(folder, told, PORTS[OURS], bare), AS_IT_IS: ours(folder, told, PORTS[AS_IT_IS], "")}
    return found | ({THEIRS: theirs(folder, told, PORTS[THEIRS])} if hsflowd() else {})


# -- measuring


class Agent:
    """One that runs in NEAR, and what came from it."""

    def __init__(self, command: Sequence[str], port: int, folder: Path) -> None:
        with namespaces.entered(namespaces.find(NEAR)):
            self._heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._heard.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            self._heard.bind(("127.0.0.1", port))
        self._heard.setblocking(False)
        environ = {**os.environ, "RUNTIME_DIRECTORY": str(folder / str(port))}
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environ}
        # Not by ``ip netns exec``, which hides control groups.
        self._process = subprocess.Popen(["nsenter", f"--net=/run/netns/{NEAR}", *command], **quiet)

    def cpu(self) -> float:
        """CPU seconds so far (CPUCLOCK_SCHED of include/linux/posix-timers.h), all threads."""
        return time.clock_gettime(~self._process.pid << 3 | 2)

    def memory(self) -> int:
        """MB at the most."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024

    def heard(self) -> Counter[str]:
        """Samples by kind since the last call."""
        return Counter(kind for datagram in self.datagrams() for kind in kinds(datagram))

    def datagrams(self) -> list[bytes]:
        """What came since the last call."""
        found = []
        while True:
            try:
                found.append(self._heard.recv(65536))
            except BlockingIOError:
                return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._heard.close()


def kinds(datagram: bytes) -> Iterator[str]:
    """What samples of a datagram are."""
    at = 28 if struct.unpack_from(">I", datagram, 4)[0] == 1 else 40
    while at < len(datagram):
        tag, size = struct.unpack_from(">II", datagram, at)
        yield KINDS.get(tag, "others")
        at += 8 + size


def measured(told: Settings, load: Callable[[], object]) -> dict[str, Cost]:
    """What each side cost during a load; all of them run at once."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        agents = {}
        for name, command in sides(folder, told).items():
            agents[name] = Agent(command, PORTS[name], folder)
            held.callback(agents[name].end)
        time.sleep(6)  # all are ready, and have looked around
        before = {name: (agent.cpu(), agent.heard()) for name, agent in agents.items()}
        began = time.monotonic()
        load()
        time.sleep(1)  # what waits is sent within that
        took = time.monotonic() - began
        return {name: cost(agent, before[name][0], took) for name, agent in agents.items()}


def cost(agent: Agent, cpu: float, took: float) -> Cost:
    """What it was since then."""
    heard = agent.heard()
    return Cost(agent.cpu() - cpu, took, heard["polls"], heard["packets"], agent.memory())


def traffic(*words: str) -> Callable[[], None]:
    """iperf3 from NEAR."""

    def run() -> None:
        with started(inside(FAR, "iperf3", "--server", "--one-off", "--forceflush"), "listening"):
            command = inside(NEAR, "iperf3", "-c", ADDRESS, "-t", str(SECONDS), *words)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return run


def tell(title: str, found: dict[str, Cost], rest: dict[str, Cost] | None, unit: str) -> None:
    """A line for each side; what it did at rest is taken off where a unit is told of."""
    print(title)
    each = {}
    for name, one in found.items():
        line = f"  {name:30} {one.percent:6.2f} % of a CPU   {one.memory:4} MB"
        many = getattr(one, unit) if unit else 0
        if many and rest:
            beyond = (one.cpu - rest[name].percent / 100 * one.seconds) / many * 1e6
            each[name] = one.cpu / many * 1e6
            line += f"   {each[name]:8.1f} us for each of {many:6} {unit} ({beyond:.1f} beyond rest)"
        print(line, flush=True)
    if THEIRS in each:
        print(f"  ratio {each[OURS] / each[THEIRS]:6.2f}   bar {TIMES_BAR:.2f}")
    elif THEIRS in found:
        print(f"  ratio {found[OURS].cpu / found[THEIRS].cpu:6.2f}")


def main() -> None:
    """Prints what was asked for."""
    asked = sys.argv[1:] or ["idle", "polls", "packets", "tcp"]
    with hosts():
        idle = measured(Settings(), lambda: time.sleep(SECONDS))
        tell("nothing to do, polled each 30 s", idle, None, "")
        if "polls" in asked:
            found = measured(Settings(polling=1), lambda: time.sleep(SECONDS))
            tell("polled each second", found, idle, "polls")
        if "packets" in asked:
            found = measured(Settings(sampling=100), traffic(*UDP))
            tell("1 in 100 of packets that are not cut", found, idle, "packets")
        if "tcp" in asked:
            found = measured(Settings(), traffic("-b", "10G"))
            tell("1 in 400 of TCP, 10 Gbit/s if they can be had", found, idle, "packets")
            whole = found[AS_IT_IS]
            print(f"  everything on {whole.percent:.2f} %   bar {CPU_BAR} %;   {whole.memory} MB   bar {MEMORY_BAR} MB")


if __name__ == "__main__":
    main()
