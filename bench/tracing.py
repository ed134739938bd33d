# SPDX-License-Identifier: Apache-2.0
"""What it costs to count packets: each event, each command beside nethogs and iftop, and the start.

``python bench/tracing.py [events] [commands] [start]`` as root; without arguments all, in three minutes.
Traffic runs between two network namespaces joined by veth, which are made for it.  Events are
timed by the kernel (run_time_ns / run_cnt), commands by the CPU time of the whole process, the
start by when the kernel holds the last link of the command.  Only ratios carry over to another
machine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fleutan.linux import drops, lifecycle, traffic
from fleutan.linux.libbpf import Runs, counting_runs

FLEUTAN = str(Path(sys.executable).parent / "fleutan")
NEAR, FAR = (f"fln{os.getpid()}-{end}" for end in ("near", "far"))
ADDRESS = "192.0.2.2"
ROUNDS = 3

#: ns for an event, seconds until it counts, and percent of a CPU for one round a second.
EVENT_BAR, START_BAR, CPU_BAR = 150, 0.4, 2.0
#: What runs for every packet; the bar is theirs.
PER_PACKET = (*traffic.PROGRAMS, "kfree_skb")
SMALL = ("-u", "-b", "0", "-l", "64")
#: title, where the server is, its address, what the client is told
LOADS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("TCP over veth", FAR, ADDRESS, ()),
    ("TCP over veth, 8 streams", FAR, ADDRESS, ("-P", "8")),
    ("UDP of 64 bytes over veth", FAR, ADDRESS, SMALL),
    ("TCP on loopback", NEAR, "127.0.0.1", ()),
    ("UDP of 64 bytes on loopback", NEAR, "127.0.0.1", SMALL),
)
CONNECTIONS, ROUNDS_A_SECOND, UPDATES = 1_000, 10, 10
WATCH = (FLEUTAN, "flows", "--vol", "--watch", "-i", "1")
#: title, command
OURS = (
    ("fleutan flows --vol -i 10", (FLEUTAN, "flows", "--vol", "-i", str(UPDATES))),
    ("fleutan flows --vol --watch -i 1", (*WATCH, "--count", str(UPDATES))),
    ("the same, one round", (*WATCH, "--count", "1")),
)
THEIRS = (
    ("nethogs -t -d 1 -c 10", ("nethogs", "-t", "-d", "1", "-c", str(UPDATES), "veth0")),
    ("iftop -t -s 10", ("iftop", "-t", "-n", "-N", "-P", "-i", "veth0", "-s", str(UPDATES))),
)

#: Connections on each of which 500 bytes go to the server so many times a second, until it is killed.
_SERVE = """
import resource, selectors, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
listener = socket.create_server((sys.argv[1], 5000), backlog=4096)
print("ready", flush=True)
chosen = selectors.DefaultSelector()
for _ in range(int(sys.argv[2])):
    chosen.register(listener.accept()[0], selectors.EVENT_READ)
while True:
    for key, _ in chosen.select():
        key.fileobj.recv(65536)
"""
_SEND = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = [socket.create_connection((sys.argv[1], 5000)) for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
step, due = 1 / int(sys.argv[3]) / len(held), time.monotonic()
while True:
    for one in held:
        one.send(bytes(500))
        due += step
        time.sleep(max(0, due - time.monotonic()))
"""


@contextmanager
def hosts() -> Iterator[None]:
    """NEAR and FAR, joined by veth0."""
    with ExitStack() as held:
        for name in (NEAR, FAR):
            subprocess.run(["ip", "netns", "add", name], check=True)
            held.callback(subprocess.run, ["ip", "netns", "delete", name], check=False)
        lines = [f"-netns {NEAR} link add veth0 type veth peer name veth0 netns {FAR}"]
        for number, name in enumerate((NEAR, FAR), 1):
            lines += [f"-netns {name} address add 192.0.2.{number}/24 dev veth0"]
            lines += [f"-netns {name} link set {device} up" for device in ("lo", "veth0")]
        for line in lines:
            subprocess.run(["ip", *line.split()], check=True)
        yield


def inside(host: str, *command: str) -> list[str]:
    """The command, in a namespace; ``ip`` becomes it, so that its process is the one started."""
    return ["ip", "netns", "exec", host, *command]


@contextmanager
def started(command: Sequence[str], word: str) -> Iterator[None]:
    """A process that has said ``word``, killed at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not any(word in line for line in process.stdout or ()):
                raise SystemExit(f"{' '.join(command)}: said nothing of {word!r}")
            yield
        finally:
            process.kill()


# -- events


def load(host: str, address: str, *words: str) -> None:
    """Two seconds of iperf3 from NEAR."""
    server = inside(host, "iperf3", "--server", "--one-off", "--forceflush")
    with started(server, "listening"):
        client = inside(NEAR, "iperf3", "-c", address, "-t", "2", *words)
        subprocess.run(client, check=True, stdout=subprocess.DEVNULL)


def difference(after: Runs, before: Runs) -> Runs:
    """What ran in between."""
    return Runs(*(now - then for now, then in zip(after, before, strict=True)))


def events() -> None:
    """Prints what a run of each program took under each load; those that hardly ran are left out."""
    with ExitStack() as held:
        counting = held.enter_context(traffic.Counting())
        losses = held.enter_context(drops.Counting())
        watching = held.enter_context(lifecycle.Watching())
        held.enter_context(counting_runs())
        programs: dict[str, Callable[[], Runs]] = {lifecycle.PROGRAM: watching.runs}
        programs |= {name: lambda name=name: counting.runs(name) for name in traffic.PROGRAMS}  # type: ignore[misc]
        programs |= {name: lambda name=name: losses.runs(name) for name in drops.PROGRAMS}  # type: ignore[misc]
        for title, host, address, words in LOADS:
            before = {name: runs() for name, runs in programs.items()}
            load(host, address, *words)
            ran = {name: difference(runs(), before[name]) for name, runs in programs.items()}
            for name, runs in ran.items():
                if runs.run_cnt > 1_000:
                    each = runs.run_time_ns / runs.run_cnt
                    ratio = f"   ratio {each / EVENT_BAR:6.3f} to the bar of {EVENT_BAR} ns" * (name in PER_PACKET)
                    print(f"{title:28} {name:20} {runs.run_cnt:9,} runs {each:6.0f} ns{ratio}", flush=True)
            counting.read()


# -- commands


def cpu_seconds(command: Sequence[str]) -> float:
    """CPU time of one run inside NEAR, user and system."""
    process = subprocess.Popen(inside(NEAR, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def commands() -> None:
    """Prints the CPU time of each command on the same traffic, in turn, and ours as ratios of theirs."""
    theirs = [(title, command) for title, command in THEIRS if shutil.which(command[0])]
    for title, command in THEIRS:
        if not shutil.which(command[0]):
            print(f"{title:36} not measured: {command[0]} is not installed")
    serve = inside(FAR, sys.executable, "-c", _SERVE, ADDRESS, str(CONNECTIONS))
    send = inside(NEAR, sys.executable, "-c", _SEND, ADDRESS, str(CONNECTIONS), str(ROUNDS_A_SECOND))
    with started(serve, "ready"), started(send, "ready"):
        taken = [{title: cpu_seconds(command) for title, command in (*OURS, *theirs)} for _ in range(ROUNDS)]
    for title, _ in (*OURS, *theirs):
        ratios = "".join(
            f"   {statistics.median(one[title] / one[other] for one in taken):6.3f} of {command[0]}"
            for other, command in theirs
        )
        print(f"{title:36} {statistics.median(one[title] for one in taken):6.3f} s CPU{ratios}", flush=True)
    many, single = OURS[1][0], OURS[2][0]
    each = statistics.median(one[many] - one[single] for one in taken) / (UPDATES - 1) * 100
    print(
        f"{'one more round a second':36} {each:6.2f} % of a CPU   ratio {each / CPU_BAR:6.3f} to the bar of {CPU_BAR} %"
    )


# -- the start


def links(pid: int) -> int:
    """How many programs the process holds to their places."""
    held = 0
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as said:
                held += "link_type:" in said.read()
        except FileNotFoundError:  # closed meanwhile
            continue
    return held


def seconds_until_attached(command: Sequence[str]) -> float:
    """From the start of a command until its last link is there, which is when it holds no more a second later."""
    begun = last = time.perf_counter()
    most = 0
    with subprocess.Popen(inside(NEAR, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and time.perf_counter() < max(begun + 2, last + 1):
            if (now := links(process.pid)) > most:
                most, last = now, time.perf_counter()
            time.sleep(0.002)
        process.kill()
    if not most:
        raise SystemExit(f"{' '.join(command)}: attaches nothing")
    return last - begun


def seconds_of_attaching() -> float:
    """Loading and attaching alone, in this process."""
    begun = time.perf_counter()
    with traffic.Counting(), lifecycle.Watching():
        return time.perf_counter() - begun


def start() -> None:
    """Prints how long it takes until all that is counted is counted."""
    sides: dict[str, Callable[[], float]] = {
        "fleutan flows --vol -i 10": lambda: seconds_until_attached(OURS[0][1]),
        "fleutan drops -i 10": lambda: seconds_until_attached((FLEUTAN, "drops", "-i", "10")),
        "load and attach traffic, lifecycle": seconds_of_attaching,
    }
    rounds = [{title: side() for title, side in sides.items()} for _ in range(ROUNDS)]
    for title in sides:
        took = statistics.median(one[title] for one in rounds)
        print(f"{title:36} {took:6.3f} s   ratio {took / START_BAR:6.3f} to the bar of {START_BAR} s", flush=True)


PARTS = {"events": events, "commands": commands, "start": start}


def main() -> None:
    """Runs the parts that are named, or all."""
    if os.geteuid():
        raise SystemExit("it takes root: network namespaces of its own, and BPF")
    with hosts():
        for name in sys.argv[1:] or PARTS:
            PARTS[name]()


if __name__ == "__main__":
    main()
