# SPDX-License-Identifier: Apache-2.0
"""How right the agent's estimates are: octets of each flow as its samples say, and as iperf3 says, in ten runs.

``python bench/agent_accuracy.py [RUNS [RATE]]`` (10, 400) as root, 5 s a run.  Traffic runs between two network
namespaces joined by veth, which are made for it: three flows of TCP, which the kernel cuts into segments, and one of
UDP.  An estimate is off by z standard deviations of what drawing one in RATE packets leaves open; over all flows the
squares of z add up to about as many as there are, and their mean says whether there is a bias.
"""

from __future__ import annotations

import json
import math
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from agent_packets import Agent, Settings, ours
from tracing import ADDRESS, FAR, NEAR, hosts, inside, started

from fleutan.protocols.sflow.messages import parse

RUNS, RATE, SECONDS = 10, 400, 3
PORT, TCP_SERVER, UDP_SERVER = 26_344, 5201, 5202
#: Octets of TCP's payload in a segment: what an MTU of 1500 leaves beside timestamps.
SEGMENT = 1448
UDP = ("-u", "-l", "1400", "-b", "300M")
#: Of so many squares of z the sum is rarely farther off (standard deviations of the sum), as is their mean.
RARE = 3.0


class Seen(NamedTuple):
    """What samples say of a flow: octets of payload, and the standard deviation of that."""

    octets: float
    deviation: float
    samples: int


def payload(header: bytes) -> tuple[tuple[int, int, int], int]:
    """Protocol and ports of an Ethernet frame with IPv4, and how many octets it carries."""
    start, size = 14 + (header[14] & 15) * 4, struct.unpack_from(">H", header, 16)[0]
    source, target = struct.unpack_from(">HH", header, start)
    own = (header[start + 12] >> 4) * 4 if header[23] == 6 else 8
    return (header[23], source, target), size - (start - 14) - own


def seen(datagrams: list[bytes]) -> Mapping[tuple[int, int, int], Seen]:
    """Every flow that there are samples of."""
    sizes: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
    for sample in (sample for datagram in datagrams for sample in parse(datagram).samples):
        values = sample.named()
        for element in sample.elements:
            if element.layout is not None and element.layout.name == "sampled_header":
                header = element.named()["header"]
                if header[12:14] == b"\x08\x00" and header[23] in (6, 17):
                    flow, octets = payload(header)
                    sizes[flow].append((values["sampling_rate"], octets))
    return {
        flow: Seen(
            sum(rate * octets for rate, octets in each),
            math.sqrt(sum(rate * (rate - 1) * octets**2 for rate, octets in each)),
            len(each),
        )
        for flow, each in sizes.items()
    }


def run(agent: Agent) -> list[float]:
    """z of each flow of one run."""
    agent.datagrams()
    with ExitStack() as held:
        for port in (TCP_SERVER, UDP_SERVER):
            server = inside(FAR, "iperf3", "--server", "--one-off", "--forceflush", "-p", str(port))
            held.enter_context(started(server, "listening"))
        client = inside(NEAR, "iperf3", "-c", ADDRESS, "-J", "-t", str(SECONDS))
        words = ([*client, "-p", str(TCP_SERVER), "-P", "3"], [*client, "-p", str(UDP_SERVER), *UDP])
        processes = [subprocess.Popen(each, stdout=subprocess.PIPE) for each in words]
        said = [json.loads(process.communicate()[0]) for process in processes]
    time.sleep(1.5)
    found = seen(agent.datagrams())
    true = {**sent(said[0], 6, TCP_SERVER), **sent(said[1], 17, UDP_SERVER)}
    nothing = Seen(0.0, 1.0, 0)
    zs = []
    for flow, octets in true.items():
        one = found.get(flow, nothing)
        zs.append((one.octets - octets) / one.deviation)
        print(f"  {octets / 1e6:8.1f} MB, {one.octets / octets - 1:+7.2%} by {one.samples:5} samples   z {zs[-1]:+.2f}")
    return zs


def sent(said: Mapping[str, Any], protocol: int, port: int) -> dict[tuple[int, int, int], int]:
    """What each flow of a client carried, what it sent again included."""
    ports = {one["socket"]: one["local_port"] for one in said["start"]["connected"]}
    found = {}
    for stream in said["end"]["streams"]:
        one = stream.get("sender") or stream["udp"]
        found[protocol, ports[one["socket"]], port] = one["bytes"] + one.get("retransmits", 0) * SEGMENT
    return found


def tell(zs: list[float]) -> None:
    """Whether they are what chance makes."""
    many = len(zs)
    squares, mean = sum(z * z for z in zs), statistics.mean(zs)
    off = (squares - many) / math.sqrt(2 * many), mean * math.sqrt(many)
    print(f"{many} flows: squares of z add up to {squares:.1f} (off by {off[0]:+.2f} standard deviations), ", end="")
    print(f"their mean is {mean:+.2f} ({off[1]:+.2f}), the greatest {max(zs, key=abs):+.2f}: ", end="")
    print("as chance has it" if max(map(abs, off)) < RARE else "not as chance has it")


def main() -> None:
    """Prints each run, and all."""
    said = [*map(int, sys.argv[1:])]
    runs, rate = said + [RUNS, RATE][len(said) :]
    with hosts(), tempfile.TemporaryDirectory() as folder:
        command = ours(Path(folder), Settings(sampling=rate), PORT, "")
        agent = Agent(command, PORT, Path(folder))
        try:
            time.sleep(5)
            zs = []
            for number in range(runs):
                print(f"run {number + 1}", flush=True)
                zs += run(agent)
        finally:
            agent.end()
    tell(zs)


if __name__ == "__main__":
    main()
