# SPDX-License-Identifier: Apache-2.0
"""``fleutan record`` beside iperf3, short-lived connections and its own death: what the lake has at the end."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.namespaces.conftest import DEADLINE, Host, Running, World, until
from tests.namespaces.test_counting import ADDRESSES, HEADERS, between, counters, iperf, near

from fleutan.lake.kinds import KINDS
from fleutan.lake.storage import files_of

pytestmark = needs_bpf
needs_iperf = pytest.mark.skipif(not shutil.which("iperf3"), reason="needs iperf3")
Row = dict[str, Any]
#: Nobody listens there.
DISCARD = 9


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


class Recording:
    """A recording of a host, which has begun when this is made."""

    def __init__(self, host: Host, lake: Path, *words: str) -> None:
        self.lake = lake
        self._running = Running(host, "record", "-i", "0.5", "--lake", str(lake), "-N", host.name, *words)
        self._known = set(self.written())
        until(lambda: self._is_counting(host), "packets come into the lake")

    def _is_counting(self, host: Host) -> bool:
        host.run("python3", "-c", f"import socket; socket.socket(2, 2).sendto(b'x', ('192.0.2.2', {DISCARD}))")
        assert self._running.process.poll() is None, self._running.ended()
        return not self._known.issuperset(self.written())

    def written(self) -> list[Path]:
        """Files with flows, and those that are still written to."""
        return [path for path in self.lake.glob(".open/*.flows.*") if path.stat().st_size]

    def ends(self) -> None:
        """Ends it in order."""
        self._running.process.send_signal(signal.SIGTERM)
        status, _, err = self._running.ended()
        assert (status, err) == (0, "")

    def dies(self) -> None:
        self._running.process.kill()
        self._running.process.communicate()


def rows(lake: Path, kind: str, where: str) -> list[Row]:
    """Rows of a kind that are sealed."""
    import duckdb

    files = list(lake.glob(f"{kind}/**/*.parquet"))
    if not files:
        return []
    found = duckdb.execute(f"SELECT * FROM {files_of(KINDS[kind], files)} WHERE {where}")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def total(found: list[Row], name: str) -> int:
    return sum(row[name] or 0 for row in found)


@needs_iperf
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_bytes_are_those_of_iperf3_and_of_the_devices(hosts: tuple[Host, Host], tmp_path: Path, protocol: str) -> None:
    def look() -> None:
        lake = tmp_path / str(len([*tmp_path.iterdir()]))
        one, two = hosts
        recording = Recording(one, lake)
        before = counters(one)
        udp = ("-u", "-l", "1000") if protocol == "udp" else ()
        # Without a rate it counts at its end what is not sent yet.
        said = iperf(one, two, "-c", ADDRESSES["4"], "-t", "1", "-b", "50M", *udp)
        after = counters(one)
        recording.ends()
        sent = said["end"]["sum"]["bytes"] if udp else said["end"]["sum_sent"]["bytes"]
        found = rows(lake, "flows", f"dport = 5201 AND proto = '{protocol}'")
        data = max({row["sport"] for row in found}, key=lambda port: total(of(found, port), "tx_bytes"))
        flow = of(found, data)
        near(total(flow, "tx_bytes") - HEADERS["4", protocol] * total(flow, "tx_segments"), sent)
        assert {row["comm"] for row in flow} == {"iperf3"}
        assert {row["dev"] for row in flow} == {"veth0"}
        whole = rows(lake, "queues", "dev = 'veth0' AND queue IS NULL AND direction = 'tx'")
        moved = after["tx"]["bytes"] - before["tx"]["bytes"]
        between(total(whole, "bytes"), moved, counters(one)["tx"]["bytes"])

    agrees(look)


def of(found: list[Row], sport: int) -> list[Row]:
    return [row for row in found if row["sport"] == sport]


CONNECTIONS = 40
BRIEF = f"""
listener = listen('192.0.2.2', PORT)
def serve():
    for _ in range({CONNECTIONS}):
        accepted = listener.accept()[0]
        accepted.recv(100)
        accepted.close()
beside(serve)
"""
TALK = f"""
for _ in range({CONNECTIONS}):
    with connect('192.0.2.2', PORT) as made:
        made.sendall(bytes(50))
        made.recv(1)
"""


def test_connections_that_live_for_a_moment_are_flows_with_owners(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    def look() -> None:
        number = len([*tmp_path.iterdir()])
        lake, port = tmp_path / str(number), str(7000 + number)
        one, two = hosts
        server, client = two.actor(), one.actor()
        server.do(BRIEF.replace("PORT", port))
        recording = Recording(one, lake)
        client.do(TALK.replace("PORT", port))
        recording.ends()
        lives = rows(lake, "lifecycle", f"dport = {port} AND role = 'client'")
        assert len(lives) == CONNECTIONS
        assert {row["pid"] for row in lives} == {client.pid}
        assert {row["bytes_sent"] for row in lives} == {50}
        found = rows(lake, "flows", f"dport = {port}")
        assert {row["cookie"] for row in found} == {row["cookie"] for row in lives}
        assert {row["pid"] for row in found} == {client.pid}
        assert total(found, "tx_bytes") > CONNECTIONS * (50 + 4 * 66)

    agrees(look)


def test_drops_and_samples_are_kept(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    def look() -> None:
        lake = tmp_path / str(len([*tmp_path.iterdir()]))
        one, _ = hosts
        recording = Recording(one, lake, "--packets", "64", "--one-in", "1")
        for _ in range(5):
            one.run("python3", "-c", "import socket; socket.socket(2, 2).sendto(b'x', ('127.0.0.1', 9))")
        recording.ends()
        dropped = rows(lake, "drops", "reason = 'NO_SOCKET' AND dev = 'lo'")
        assert total(dropped, "packets") == 5
        sampled = rows(lake, "samples", "proto = 'udp' AND dport = 9")
        assert {len(row["header"]) for row in sampled} == {14 + 20 + 8 + 1}
        assert {row["direction"] for row in sampled} == {"rx", "tx"}, "on loopback where they arrive"

    agrees(look)


def test_after_a_sudden_end_the_next_recording_seals_what_was_written(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    one, _ = hosts
    Recording(one, tmp_path).dies()
    second = Recording(one, tmp_path)
    second.ends()
    assert [path for path in tmp_path.glob(".open/*") if path.name != "keeper.lock"] == []
    found = rows(tmp_path, "flows", f"dport = {DISCARD}")
    assert len({row["time_ns"] for row in found}) >= 2, "of both recordings"
    keys = [(row["time_ns"], row["netns_inode"], row["cookie"], row["sport"]) for row in found]
    assert len(keys) == len(set(keys)), "nothing is there twice"


def test_without_privileges_what_netlink_tells_is_recorded_and_the_rest_is_said(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    one, two = hosts
    server, client = two.actor(), one.actor()
    server.do("listener = listen('192.0.2.2', 7900)")
    client.do("made = connect('192.0.2.2', 7900)")
    tmp_path.chmod(0o777)
    lacking = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
    command = one.command("record", "-i", "0.5", "--count", "2", "--lake", str(tmp_path), before=lacking)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        first = process.stderr.readline()
        client.do("made.sendall(bytes(500))")
        rest = process.communicate(timeout=DEADLINE)[1]
    assert process.returncode == 0, first + rest
    assert first.startswith("fleutan: recording by netlink alone")
    for name in ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN"):
        assert name in first
    (row,) = rows(tmp_path, "flows", "dport = 7900")
    assert (row["bytes_sent"], row["tx_bytes"], row["change"]) == (500, None, None)
