# SPDX-License-Identifier: Apache-2.0
"""Where the time goes along a path, on a way whose one slow link is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import needs_bpf
from tests.namespaces.conftest import PLAIN, Host, World, until
from tests.namespaces.test_paths_breaking import alive, connected, traced

pytestmark = [
    needs_bpf,
    pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="needs /dev/net/tun"),
]
#: Each way; milliseconds.
DELAY = 20
FAR = "10.8.3.2"
_FORWARDS = "cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 0 >ipv4/icmp_ratelimit"


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Host, Host]]:
    """Two hosts with two routers between them, whose link takes 20 ms each way."""
    with World() as world:
        near, one, other, far = (world.host() for _ in range(4))
        command = ["ip", "netns", "exec", one.name, sys.executable, str(Path(__file__).with_name("relay.py"))]
        relay = subprocess.Popen([*command, other.name, str(DELAY / 1000)], env=PLAIN, stdout=subprocess.PIPE)
        world.callback(relay.communicate)
        world.callback(relay.kill)
        assert relay.stdout
        assert relay.stdout.readline() == b"ready\n"
        near.configure(f"link add east type veth peer name west netns {one.name}")
        other.configure(f"link add east type veth peer name west netns {far.name}")
        wires = [(near, "east", "10.8.1.1"), (one, "west", "10.8.1.2"), (one, "slow", "10.8.2.1")]
        wires += [(other, "slow", "10.8.2.2"), (other, "east", "10.8.3.1"), (far, "west", FAR)]
        for host, device, address in wires:
            host.configure(f"address add {address}/24 dev {device}", f"link set {device} up")
        near.configure("route add default via 10.8.1.2")
        one.configure("route add 10.8.3.0/24 via 10.8.2.2")
        other.configure("route add 10.8.1.0/24 via 10.8.2.1")
        far.configure("route add default via 10.8.3.1")
        for router in (one, other):
            router.run("sh", "-c", _FORWARDS)
        yield near, far


@pytest.mark.parametrize("method", ["flow", "syn", "udp", "icmp"])
def test_the_slow_link_is_the_step_that_adds(ends: tuple[Host, Host], method: str) -> None:
    near, far = ends
    client, server, port = connected(near, far, FAR)
    assert alive(client, server)

    def added() -> list[float] | None:
        """What each hop adds, ms; None where this machine was busy meanwhile."""
        found = json.loads(traced(near, f"dport {port}", "--slow", "--json", "--method", method).stdout)
        [flow], [path] = found["flows"], found["paths"]
        assert (path["method"], path["ended"]) == (method, "reached")
        assert [hop["routers"][0]["addr"] for hop in path["hops"]] == ["10.8.1.2", "10.8.2.2", FAR]
        assert flow["rtt_us"] >= 2 * DELAY * 1000
        assert not any(hop["slow_reply"] for hop in path["hops"])
        steps: list[Any] = [hop["added_us"] / 1000 for hop in path["hops"]]
        return steps if max(steps[0], steps[2]) < DELAY and steps[1] < 3 * DELAY else None

    first, slow, last = until(added, "one trace at the speed of the link")
    assert slow >= 2 * DELAY
    assert max(first, last) < DELAY


def test_the_page_says_so(ends: tuple[Host, Host]) -> None:
    near, far = ends
    _, _, port = connected(near, far, FAR)
    lines = traced(near, f"dport {port}", "--slow").stdout.splitlines()
    bars = {line.split()[5]: line.count("█") for line in lines if "█" in line}
    assert max(bars, key=bars.__getitem__) == "10.8.2.2"
