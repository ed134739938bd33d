# SPDX-License-Identifier: Apache-2.0
"""``fleutan collect`` as a process of its own: what is sent to it over loopback is in the lake."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.exporting import sflow
from tests.exports.sflowtool.received import flow, header
from tests.faces.cli.test_cli import FLEUTAN, process
from tests.protocols.netflow.making import record_5, v5
from tests.protocols.netflow.test_programs import collected, datagrams_of

from fleutan.faces.cli.collecting import room_of
from fleutan.lake.kinds import KINDS
from fleutan.lake.listing import snapshot
from fleutan.lake.storage import files_of
from fleutan.programs.collecting.backlog import ROOM

DEADLINE = 30.0
nfreplay = shutil.which("nfreplay")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(found: Callable[[], Any]) -> Any:
    """What is found in the end."""
    deadline = time.monotonic() + DEADLINE
    while not (what := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # a condition is waited for, not a time
    return what


def status(lake: Path) -> dict[str, Any]:
    done = process("collect", "--status", "--json", "--lake", str(lake))
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return found


def passed_rows(lake: Path) -> dict[str, int]:
    """How many rows of each kind were decoded, as the process says itself."""
    found = [json.loads(path.read_bytes()) for path in (lake / ".status").glob("collect-*.json")]
    return {one["of"]: one["passed"] for told in found for one in told["stages"] if one["unit"] == "rows" and one["of"]}


def passed(lake: Path, stage: str) -> int:
    """What a stage let pass, as the process says itself."""
    found = [json.loads(path.read_bytes()) for path in (lake / ".status").glob("collect-*.json")]
    return sum(one["passed"] for told in found for one in told["stages"] if one["stage"] == stage)


@contextmanager
def collecting(lake: Path, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A collector that listens."""
    words = [*FLEUTAN, "collect", "-p", str(port), "-b", "127.0.0.1", "--lake", str(lake), *more]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as found:
        try:
            until(lambda: found.poll() is not None or (lake / ".status" / f"collect-{found.pid}.json").exists())
            yield found
        finally:
            found.kill()


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for datagram in datagrams:
            one.sendto(datagram, ("127.0.0.1", port))


def counted(lake: Path, kind: str) -> int:
    """Rows that count: of sealed files, and of tails."""
    found = snapshot(lake, [kind])
    rows = sum(frame.arrow().length for frame in found.tails[kind])
    if parts := found.parts[kind]:
        query = f"SELECT count(*) FROM {files_of(KINDS[kind], [part.path for part in parts])}"
        rows += duckdb.connect().execute(query).fetchall()[0][0]
    return int(rows)


def test_a_signal_has_the_file_read_again(tmp_path: Path) -> None:
    """What can change does; of the rest it is said, and a file with a mistake changes nothing."""
    file, port = tmp_path / "settings.toml", free_port()
    file.write_text("[collect]\nheaders = 10\n")
    with collecting(tmp_path / "lake", port, "--config", str(file)) as collector:
        assert collector.stderr is not None
        send(port, sflow(flow(header())))
        until(lambda: passed(tmp_path / "lake", "queue") == 1)
        for said, heard in (
            ("headers = -1", b"headers"),
            ("headers = 20\nsockets = 2", b"sockets: changed in the file, and taken over when"),
        ):
            file.write_text(f"[collect]\n{said}\n")
            collector.send_signal(signal.SIGHUP)
            line = collector.stderr.readline()
            assert heard in line
            assert (b"what ran before goes on" in line) == ("-1" in said)
        send(port, sflow(flow(header()), sequence=2))
        until(lambda: passed(tmp_path / "lake", "queue") == 2)
        collector.send_signal(signal.SIGTERM)
        collector.communicate(timeout=DEADLINE)
    assert collector.returncode == 0
    files = [part.path for part in snapshot(tmp_path / "lake", ["samples"]).parts["samples"]]
    query = f"SELECT octet_length(header) FROM {files_of(KINDS['samples'], files)} ORDER BY 1"
    assert duckdb.connect().execute(query).fetchall() == [(10,), (20,)]


def test_what_is_sent_is_in_the_lake_when_it_ends(tmp_path: Path) -> None:
    port = free_port()
    with collecting(tmp_path, port) as collector:
        send(port, *(sflow(flow(header()), flow(header()), sequence=place) for place in range(50)))
        send(port, *[v5(*[record_5()] * 30)] * 4, b"neither")
        until(lambda: passed(tmp_path, "queue") == 55)
        collector.send_signal(signal.SIGHUP)
        found = until(lambda: status(tmp_path))
        text = process("collect", "--status", "--lake", str(tmp_path)).stdout.decode()
        collector.send_signal(signal.SIGTERM)
        _, err = collector.communicate(timeout=DEADLINE)
    assert collector.returncode == 0
    assert err == b"fleutan: note: 1 x datagram of no known protocol\n"
    assert (counted(tmp_path, "samples"), counted(tmp_path, "records")) == (100, 120)
    assert counted(tmp_path, "exporters") == 3
    assert found["pid"] == collector.pid
    assert found["lives"]
    assert {one["protocol"]: one["datagrams"] for one in found["exporters"]} == {
        "sflow-5": 50,
        "netflow-5": 4,
        "unknown": 1,
    }
    assert all(one["lost"] == (1 if one["stage"] == "decoding" and not one["of"] else 0) for one in found["stages"])
    assert f"process {collector.pid} since" in text
    assert "netflow-5" in text
    assert not list((tmp_path / ".status").iterdir())
    assert not list((tmp_path / ".open").glob("*.arrow"))


def test_one_that_is_killed_loses_nothing_that_it_wrote_and_the_next_one_goes_on(tmp_path: Path) -> None:
    port = free_port()
    with collecting(tmp_path, port) as first:
        send(port, *(sflow(flow(header()), sequence=place) for place in range(30)))
        until(lambda: counted(tmp_path, "samples") == 30)
        first.kill()
        assert first.wait(DEADLINE) == -signal.SIGKILL
    assert not status(tmp_path)["lives"]
    with collecting(tmp_path, port) as second:
        assert status(tmp_path)["pid"] == second.pid
        send(port, *(sflow(flow(header()), sequence=place) for place in range(30, 50)))
        until(lambda: passed(tmp_path, "queue") == 20)
        second.send_signal(signal.SIGINT)
        assert second.wait(DEADLINE) == 0
    assert counted(tmp_path, "samples") == 50


@pytest.mark.skipif(not (nfreplay and shutil.which("nfcapd")), reason="needs nfreplay and nfcapd, of nfdump")
@pytest.mark.parametrize("version", [5, 9])
def test_what_nfreplay_sends_is_what_nfdump_shows(version: int, tmp_path: Path) -> None:
    columns, datagrams = datagrams_of(5)
    flows, lake, port = tmp_path / "flows", tmp_path / "lake", free_port()
    flows.mkdir()
    shown = [tuple(line.split(",")[:6]) for line in collected(flows, datagrams, columns.rows)]
    with collecting(lake, port) as collector:
        for file in flows.glob("nfcapd.*"):
            words = [str(nfreplay), "-H", "127.0.0.1", "-p", str(port), "-v", str(version), "-r", str(file)]
            subprocess.run(words, check=True, capture_output=True)
        until(lambda: passed(lake, "queue") and sum(passed_rows(lake).values()) == columns.rows)
        collector.send_signal(signal.SIGTERM)
        assert collector.wait(DEADLINE) == 0
    found = duckdb.connect().execute(
        "SELECT src_lo & 4294967295, dst_lo & 4294967295, sport, dport, packets, bytes FROM "
        f"{files_of(KINDS['records'], sorted((lake / 'records').rglob('*.parquet')))}"
    )
    ours = [(str(IPv4Address(src)), str(IPv4Address(dst)), *map(str, rest)) for src, dst, *rest in found.fetchall()]
    assert sorted(ours) == sorted(shown)


def test_a_port_that_is_taken_is_one_line_and_makes_no_lake(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        words = ("-b", "127.0.0.1", "-p", str(one.getsockname()[1]), "--lake", str(tmp_path / "lake"))
        done = process("collect", *words)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "lake").exists()


def test_room_is_an_amount_of_octets() -> None:
    assert (room_of(None), room_of("1MiB"), room_of("3k"), room_of("512")) == (ROOM, 1 << 20, 3000, 512)
