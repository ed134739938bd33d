# SPDX-License-Identifier: Apache-2.0
"""Rates and bytes against iperf3's figures, the interface's counters and what was written."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.namespaces.conftest import PLAIN, Host, World, until

Row = dict[str, Any]
#: Bits a second that iperf3 keeps to.
RATE = 80_000_000


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


def iperf(host: Host, *words: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", host.name, "iperf3", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=PLAIN)


def transmitted(host: Host) -> tuple[float, int]:
    """When, and how many bytes the interface had sent by then."""
    (link,) = json.loads(host.run("ip", "-json", "-statistics", "link", "show", "veth0"))
    return time.monotonic(), int(link["stats64"]["tx"]["bytes"])


@pytest.mark.skipif(not shutil.which("iperf3"), reason="needs iperf3")
@pytest.mark.parametrize("direction", ["sends", "receives"])
def test_rates_are_those_of_iperf3_and_of_the_interface(hosts: tuple[Host, Host], direction: str, source: Any) -> None:
    """In longer and longer windows, since a busy machine holds iperf3 up now and then."""
    for seconds in (2.5, 10.0, 40.0):
        sent, received, wire, theirs = rates(*hosts, direction, seconds, source)
        found = {
            "sent": fraction(sent.get("tx_rate_bps"), theirs),
            "acked": fraction(sent.get("acked_rate_bps"), theirs),
            "received": fraction(received.get("rx_rate_bps"), theirs),
            "on the wire": fraction(wire, theirs) - 0.02,  # headers, and the time around the reading
        }
        if all(abs(share - 1) < 0.05 for share in found.values()):
            return
    pytest.fail(f"of iperf3's rate: {found}")


def fraction(rate: float | None, of: float) -> float:
    return round((rate or 0) / of, 3)


def rates(near: Host, far: Host, direction: str, seconds: float, source: Any) -> tuple[Row, Row, float, float]:
    """The flow at its sender and at its receiver; bits a second of the interface, and of iperf3."""
    reverse = ["--reverse"] if direction == "receives" else []
    with iperf(far, "--server", "--one-off", "--json") as server:
        until(lambda: far.rows("sport = 5201", source="netlink"), "iperf3 listens")
        words = ["--client", "192.0.2.2", "--bitrate", str(RATE), "--time", str(seconds), "--json", *reverse]
        with iperf(near, *words) as client:
            sender, receiver = (far, near) if reverse else (near, far)
            until(lambda: carrying("bytes_sent", sender, source="netlink"), "data flows")
            before = transmitted(sender)
            sent = carrying("bytes_sent", sender, interval=0.4 * seconds, source=source)
            after = transmitted(sender)
            received = carrying("bytes_received", receiver, interval=0.2 * seconds, source=source)
            report = json.loads(client.communicate(timeout=60)[0])["end"]["sum_sent"]
        server.communicate(timeout=60)
    wire = (after[1] - before[1]) * 8 / (after[0] - before[0])
    return sent, received, wire, report["bits_per_second"]


def carrying(counter: str, host: Host, **more: Any) -> Row:
    """The flow that carries iperf3's data, once it has carried much."""
    table = host.flows(fields=[counter, "tx_rate", "acked_rate", "rx_rate"], **more)
    return next((row for row in table.rows() if (row[counter] or 0) > RATE / 8 / 10), {})


def test_what_was_sent_was_received(hosts: tuple[Host, Host], source: Any) -> None:
    near, far = hosts
    server, client = far.actor(), near.actor()
    server.do('beside(drain, listen("192.0.2.2", 7500))')
    client.do('one = connect("192.0.2.2", 7500); one.sendall(bytes(3_000_000)); two = connect("192.0.2.2", 7500)')
    port = client.ask("one.getsockname()[1]")

    def received() -> Row:
        rows = far.rows(f"dport = {port}", fields=["bytes_received"], source=source).values()
        return next((row for row in rows if row["bytes_received"] == 3_000_000), {})

    until(received, "all of it has arrived")
    names = ["bytes_sent", "bytes_acked", "bytes_retrans"]
    (sent,) = near.rows(f"sport = {port}", fields=names, source=source).values()
    assert sent["bytes_acked"] == 3_000_000 + 1  # the SYN counts as one
    assert sent["bytes_sent"] == 3_000_000 + sent["bytes_retrans"]
    for actor in (server, client):
        actor.end()
