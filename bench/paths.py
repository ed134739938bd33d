# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths`` beside as many traceroutes: wall time, CPU time and probes to 64 destinations 8 hops away.

``python bench/paths.py`` as root, in about a minute.  A host, seven routers in a row and a host that
has all destinations are network namespaces joined by veth, made for it; the first link holds each
packet for a while.  Both sides take turns; the first router's device counts what came.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

FLEUTAN = str(Path(sys.executable).parent / "fleutan")
DESTINATIONS, HOPS, ROUNDS = 64, 8, 3
#: Seconds that the first link holds a packet, one way.
DELAY = 0.02
#: So many times what one round trip after the other to each hop takes, or one wait, is what a trace may take
#: besides the start of Python.
BAR = 1.5
#: Seconds that an answer is waited for where a hop is silent.
WAIT = 1.0
NODES = [f"fln{os.getpid()}-{number}" for number in range(HOPS + 1)]
RELAY = f"fln{os.getpid()}-relay"
ENDS = [f"10.6.{HOPS}.{number}" for number in range(1, DESTINATIONS + 1)]
_FORWARDS = """
cd /proc/sys/net/ipv4
echo 1 >ip_forward; echo 0 >icmp_ratelimit; echo 1000000 >icmp_msgs_per_sec; echo 1000000 >icmp_msgs_burst
"""
#: Passes frames from one device to the other, each when it has been held long enough.  The header of
#: PACKET_VNET_HDR goes with them: it says which checksums are still to be filled in.
_HOLDS = """
import collections, select, socket, sys, time
delay, ends, held = float(sys.argv[1]), [], collections.deque()
for name in ("near", "far"):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(3))
    end.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
    end.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    end.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
    end.bind((name, 0))
    ends.append(end)
print("ready", flush=True)
while True:
    wait = max(0, held[0][0] - time.monotonic()) if held else 1
    for end in select.select(ends, [], [], wait)[0]:
        other = ends[end is ends[0]]
        try:
            while True:
                held.append((time.monotonic() + delay, other, end.recv(65536)))
        except BlockingIOError:
            pass
    while held and held[0][0] <= time.monotonic():
        held[0][1].send(held.popleft()[2])
"""


class Cost(NamedTuple):
    """What one side took: seconds of wall clock, seconds of CPU, probes that came to the first router."""

    wall: float
    cpu: float
    probes: int


def inside(node: str, *command: str) -> list[str]:
    """The command, in a namespace; ``ip`` becomes it, so that its process is the one started."""
    return ["ip", "netns", "exec", node, *command]


def configure(node: str, *lines: str) -> None:
    """Lines for ``ip -batch``."""
    subprocess.run(["ip", "-netns", node, "-batch", "-"], input="\n".join(lines), check=True, text=True)


@contextmanager
def chain() -> Iterator[None]:
    """NODES in a row, the last one with all of ENDS, and RELAY on the first link."""
    with ExitStack() as held:
        for node in (*NODES, RELAY):
            subprocess.run(["ip", "netns", "add", node], check=True)
            held.callback(subprocess.run, ["ip", "netns", "delete", node], check=False)
        configure(NODES[0], f"link add east type veth peer name near netns {RELAY}")
        configure(NODES[1], f"link add west type veth peer name far netns {RELAY}")
        configure(RELAY, "link set near up", "link set far up")
        for number, (one, other) in enumerate(pairwise(NODES)):
            if number:
                configure(one, f"link add east type veth peer name west netns {other}")
            for node, device, last in ((one, "east", 1), (other, "west", 2)):
                configure(node, f"address add 10.5.{number}.{last}/24 dev {device}", f"link set {device} up")
            subprocess.run(inside(other, "sh", "-c", _FORWARDS), check=True)
        for number, node in enumerate(NODES):
            ways = [f"route add 10.6.0.0/16 via 10.5.{number}.2"] * (number < HOPS)
            ways += [f"route add 10.5.0.0/24 via 10.5.{number - 1}.1"] * (number > 1)
            configure(node, "link set lo up", *ways)
        configure(NODES[-1], *(f"address add {end}/32 dev lo" for end in ENDS))
        command = inside(RELAY, sys.executable, "-c", _HOLDS, str(DELAY))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as relay:
            assert relay.stdout
            relay.stdout.readline()
            try:
                subprocess.run(
                    inside(NODES[0], "traceroute", "-n", ENDS[0]), check=True, capture_output=True
                )  # neighbours
                yield
            finally:
                relay.kill()


def received() -> int:
    """Packets that came to the first router."""
    told = subprocess.run(
        inside(NODES[1], "ip", "-json", "-statistics", "link", "show", "west"), check=True, capture_output=True
    )
    return int(json.loads(told.stdout)[0]["stats64"]["rx"]["packets"])


def children_cpu() -> float:
    """Seconds of CPU of all processes that were started here and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def cost(side: Callable[[], None]) -> Cost:
    """What one run takes; asking for the packets costs CPU too, so that is read inside."""
    probes = received()
    cpu, begun = children_cpu(), time.perf_counter()
    side()
    wall, cpu = time.perf_counter() - begun, children_cpu() - cpu
    return Cost(wall, cpu, received() - probes)


def ours(*words: str) -> None:
    """All destinations by one command; each must be reached by all hops."""
    command = (FLEUTAN, "paths", "--dsts", ",".join(ENDS), "--pps", "0", "--json", *words)
    told = subprocess.run(inside(NODES[0], *command), check=True, capture_output=True)
    paths = json.loads(told.stdout)["paths"]
    complete = [path for path in paths if path["ended"] == "reached" and len(path["hops"]) == HOPS]
    if len(complete) != DESTINATIONS:
        print(f"  fleutan {' '.join(words)}: {len(complete)} of {DESTINATIONS} paths are complete")


def theirs(*words: str) -> None:
    """A traceroute for each destination, all at once; each must end at it."""
    started = [
        subprocess.Popen(
            inside(NODES[0], "traceroute", "-n", "-q", "3", *words, end), stdout=subprocess.PIPE, text=True
        )
        for end in ENDS
    ]
    last = [process.communicate()[0].splitlines()[-1].split() for process in started]
    reached = sum(line[0] == str(HOPS) and end in line for line, end in zip(last, ENDS, strict=True))
    if reached != DESTINATIONS:
        print(f"  traceroute {' '.join(words)}: {reached} of {DESTINATIONS} paths are complete")


def start() -> None:
    """Python, with what fleutan imports for a trace, and the reading of flows: everything but the trace."""
    command = (FLEUTAN, "paths", "--dsts", "127.0.0.1", "--method", "icmp", "--queries", "1")
    subprocess.run(inside(NODES[0], *command), check=True, stdout=subprocess.DEVNULL)


def bare() -> None:
    """Python with numpy alone."""
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)


def mute(silent: bool) -> None:
    """The router in the middle sends no ICMP any more, or does again."""
    rules = "table ip q { chain o { type filter hook output priority 0; meta l4proto icmp drop; }; }"
    subprocess.run(inside(NODES[HOPS // 2], "nft", rules if silent else "flush ruleset"), check=True)


#: title, our options, theirs
METHODS: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
    ("udp", ("--method", "udp"), ()),
    ("icmp", ("--method", "icmp"), ("-I",)),
)


def compare(title: str, mine: Sequence[str], other: Sequence[str], silent: bool) -> None:
    """Runs both sides in turn; prints medians, ratios and how far ours is from the bar."""
    rounds = [(cost(lambda: ours(*mine)), cost(lambda: theirs(*other)), cost(start), cost(bare)) for _ in range(ROUNDS)]
    least = max(WAIT * silent, 2 * DELAY * HOPS)
    sides = [[one[place] for one in rounds] for place in range(4)]
    for name, costs in zip(("ours", "traceroute", "start", "python"), sides, strict=True):
        middle = Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))
        print(f"{title:20} {name:12} {middle.wall:7.3f} s {middle.cpu:7.3f} s CPU {middle.probes:7,.0f} packets")
    ratios = [
        [one / two for one, two in zip(mine_, other_, strict=True)] for mine_, other_ in zip(*sides[:2], strict=True)
    ]
    wall, cpu, probes = (statistics.median(column) for column in zip(*ratios, strict=True))
    begun = statistics.median(one.wall for one in sides[2])
    took = statistics.median(one.wall for one in sides[0])
    print(
        f"{title:20} ratio to traceroute: wall {wall:6.3f}  CPU {cpu:6.3f}  packets {probes:6.3f}"
        f"   to the bar {took / (BAR * least + begun):6.3f}   (bar {BAR} x {least:.2f} s + {begun:.2f} s)",
        flush=True,
    )


def main() -> None:
    """Runs every comparison."""
    if os.geteuid():
        raise SystemExit("it takes root: network namespaces of its own, and raw sockets")
    if not shutil.which("traceroute"):
        raise SystemExit("traceroute is not installed: there is nothing to compare with")
    with chain():
        for silent in (False, True):
            mute(silent)
            for title, mine, other in METHODS:
                compare(f"{title}{', a silent hop' * silent}", mine, other, silent)


if __name__ == "__main__":
    main()
