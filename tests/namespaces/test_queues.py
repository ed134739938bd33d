# SPDX-License-Identifier: Apache-2.0
"""Queues and disciplines of real devices, against what tc and sysfs say of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.tc import COUNTS

from fleutan.analysis.queues import since
from fleutan.linux.namespaces import entered, find
from fleutan.sources import queues
from fleutan.sources.queues import Snapshot

pytest.importorskip("pyroute2")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("tc")), reason="needs root (CAP_NET_ADMIN), ip and tc"
)

NEAR, FAR = f"fq-near-{os.getpid()}", f"fq-far-{os.getpid()}"
VETH = "numtxqueues 4 numrxqueues 4"
# Up at the end: what the kernel itself sends at once would find htb without its class.
SETUP = f"""
ip netns add {NEAR}
ip netns add {FAR}
ip link add near {VETH} netns {NEAR} type veth peer name far {VETH} netns {FAR}
ip -n {NEAR} addr add 10.99.7.1/24 dev near
ip -n {FAR} addr add 10.99.7.2/24 dev far
ip -n {FAR} link set lo up
tc -n {NEAR} qdisc replace dev near root handle 8: mq
tc -n {NEAR} qdisc replace dev near parent 8:1 handle 10: htb default 10
tc -n {NEAR} class add dev near parent 10: classid 10:1 htb rate 1gbit quantum 60000
tc -n {NEAR} class add dev near parent 10:1 classid 10:10 htb rate 1gbit ceil 2gbit prio 3 quantum 60000
tc -n {NEAR} qdisc replace dev near parent 8:2 handle 20: tbf rate 500mbit burst 64k limit 1m
tc -n {NEAR} qdisc replace dev near parent 8:3 handle 30: pfifo_fast
tc -n {NEAR} qdisc replace dev near parent 8:4 handle 40: pfifo limit 2
tc -n {NEAR} qdisc add dev near clsact
ip -n {FAR} link set far up
ip -n {NEAR} link set near up
"""


def run(command: str) -> str:
    return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def link() -> Iterator[None]:
    """Two namespaces with a link of four queues each way, and a discipline of its own for each tx queue."""
    try:
        for command in SETUP.strip().splitlines():
            made = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(
                    f"needs network namespaces, veth, mq, htb, tbf and clsact: {command}: {made.stderr.strip()}"
                )
        for number in range(4):
            write(NEAR, f"/sys/class/net/near/queues/tx-{number}/xps_cpus", "1" if number % 2 else "2")
        write(NEAR, "/sys/class/net/near/queues/rx-1/rps_cpus", "3")
        write(NEAR, "/sys/class/net/near/queues/rx-1/rps_flow_cnt", "256")
        yield
    finally:
        for name in (NEAR, FAR):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def write(netns: str, path: str, value: str) -> None:
    subprocess.run(["ip", "netns", "exec", netns, "tee", path], input=value.encode(), capture_output=True, check=True)


def send(count: int, mark: int) -> None:
    """Datagrams with this priority, from new ports each so that they go by several queues."""
    for _ in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, mark)
            sender.sendto(bytes(1000), ("10.99.7.2", 9))


def quiet() -> tuple[Snapshot, dict[str, Any], str]:
    """What we read and what tc says, while nothing changes; the second is by handle and parent."""
    for _ in range(50):
        first = queues.take(NEAR)
        said = json.loads(run(f"tc -n {NEAR} -s -j qdisc show dev near"))
        classes = run(f"tc -n {NEAR} -s class show dev near")
        if queues.take(NEAR).spaces[0].qdiscs == first.spaces[0].qdiscs:
            return first, {found["handle"]: found for found in said}, classes
    raise AssertionError("the disciplines never were quiet")


def test_qdiscs_are_exactly_those_of_tc(link: None) -> None:
    with entered(find(NEAR)):
        send(64, 0)
    snapshot, said, _ = quiet()
    table = queues.qdiscs(snapshot, "mine")
    ours = {row["handle"]: row for row in table.rows() if row["dev"] == "near" and row["layer"] == "qdisc"}
    assert set(ours) == set(said) == {"8:", "10:", "20:", "30:", "40:", "ffff:"}
    for handle, theirs in said.items():
        row = ours[handle]
        assert {name: row[name] for name in COUNTS} == {name: theirs[word] for name, word in COUNTS.items()}, handle
        assert row["qdisc"] == theirs["kind"]
        if theirs["kind"] != "clsact":
            assert row["parent"] == ("root" if theirs.get("root") else theirs["parent"])
    assert ours["8:"]["qdisc_packets"] >= 64
    assert ours["10:"]["qdisc_options"] == "default 10"
    assert ours["20:"]["qdisc_options"] == "rate 500Mbit burst 65536b limit 1048576b"
    assert ours["40:"]["qdisc_options"] == "limit 2p"
    assert table.reading.notes == ()


CLASS = re.compile(
    r"class htb (?P<handle>\S+) (?:parent (?P<parent>\S+)|root) .*\n"
    r" Sent (?P<bytes>\d+) bytes (?P<packets>\d+) pkt \(dropped (?P<drops>\d+), overlimits (?P<overlimits>\d+) "
    r"requeues (?P<requeues>\d+)\)"
)


def test_classes_are_exactly_those_of_tc(link: None) -> None:
    snapshot, _, said = quiet()
    ours = {row["handle"]: row for row in queues.qdiscs(snapshot).rows() if row["layer"] == "class"}
    theirs = {match["handle"]: match for match in CLASS.finditer(said)}
    assert set(ours) == set(theirs) == {"10:1", "10:10"}
    for handle, match in theirs.items():
        row = ours[handle]
        names = [name for name in COUNTS if not name.startswith("backlog")]
        assert [row[name] for name in names] == [int(match[COUNTS[name]]) for name in names]
        assert row["parent"] == (match["parent"] or "root")
    assert ours["10:10"]["qdisc_options"] == "prio 3 rate 1Gbit ceil 2Gbit"


def test_queues_of_another_namespace_with_their_settings(link: None) -> None:
    table = queues.queues(queues.take(NEAR))
    rows = {(row["direction"], row["queue"]): row for row in table.rows() if row["dev"] == "near"}
    assert set(rows) == {(direction, number) for direction in ("rx", "tx") for number in range(4)}
    assert [rows["tx", number]["qdisc"] for number in range(4)] == ["htb", "tbf", "pfifo_fast", "pfifo"]
    assert [rows["tx", number]["handle"] for number in range(4)] == ["10:", "20:", "30:", "40:"]
    several = (os.cpu_count() or 1) > 1
    assert [rows["tx", number]["xps_cpus"] for number in range(4)] == (["1", "0"] * 2 if several else ["", "0"] * 2)
    assert rows["rx", 1]["rps_cpus"] == ("0-1" if several else "0")
    assert (rows["rx", 1]["rps_flow_cnt"], rows["rx", 0]["rps_flow_cnt"]) == (256, 0)
    assert (rows["tx", 0]["channels"], rows["tx", 0]["channels_max"]) == ("tx", 4)
    assert (rows["rx", 0]["irqs"], rows["rx", 0]["numa_node"]) == (None, None)
    assert table.reading.netns == NEAR
    far = {row["dev"] for row in queues.queues(queues.take(FAR)).rows()}
    assert far == {"lo", "far"}
    assert not {"near", "far"} & {row["dev"] for row in queues.queues(queues.take()).rows()}


def test_every_namespace_is_among_all(link: None) -> None:
    named = {row["netns"] for row in queues.queues(queues.take("all")).rows()}
    assert {NEAR, FAR} <= named


def test_what_was_sent_in_between_is_the_difference(link: None) -> None:
    before, _, _ = quiet()
    with entered(find(NEAR)):
        send(40, 0)
    after, _, _ = quiet()
    grown = since(queues.queues(before), queues.queues(after), after.steady_ns - before.steady_ns)
    sent = [row for row in grown.rows() if row["dev"] == "near" and row["direction"] == "tx"]
    assert sum(row["qdisc_packets"] for row in sent) >= 40
    assert sum(row["qdisc_bytes"] for row in sent) >= 40 * 1042
    assert grown.reading.interval_ns > 0
    root = since(queues.qdiscs(before), queues.qdiscs(after), 1)
    [mq] = [row for row in root.rows() if row["qdisc"] == "mq"]
    assert mq["qdisc_packets"] == sum(row["qdisc_packets"] for row in sent)


def test_a_device_that_goes_takes_its_rows_along(link: None) -> None:
    run(f"ip -n {NEAR} link add gone numtxqueues 2 type ifb")
    assert "gone" in {row["dev"] for row in queues.queues(queues.take(NEAR)).rows()}
    run(f"ip -n {NEAR} link delete gone")
    assert "gone" not in {row["dev"] for row in queues.queues(queues.take(NEAR)).rows()}
