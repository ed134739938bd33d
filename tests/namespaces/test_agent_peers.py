# SPDX-License-Identifier: Apache-2.0
"""The agent beside programs of other people's that watch hosts: all of them make the same of it, a service included."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests import cgroups
from tests.exports.sflowtool.received import RIGHT, of_octets
from tests.namespaces.conftest import CODE, PLAIN, Host, World, until

from fleutan.exports.sflowtool.text import write_text
from fleutan.linux.namespaces import entered, find

UNIT = "apache2.service"
GROUP = f"/fln{os.getpid()}.slice/system.slice/{UNIT}"
PORTS = {"text": 6343, "sfacctd": 6344, "gmond": 6345}
#: sfacctd writes so often, in seconds.
REFRESH = 1
XML, METRICS, PROMETHEUS = 8649, 9464, 9090
#: Packets that the service sends, octets in them and of their frames; one in how many is sampled.
MANY, SIZE, LONG, ONE_IN = 20_000, 1000, 1046, 20
#: How far an estimate may be off: five standard deviations of the number of samples.
OFF = 5 / (MANY / ONE_IN) ** 0.5
#: A little at a time, so that no collector's socket overflows.
SEND = f"""
import time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for number in range({MANY}):
        one.sendto(bytes({SIZE}), ("192.0.2.2", 9000))
        if number % 100 == 0:
            time.sleep(0.01)
"""
LOWER_HALF = Path(__file__).with_name("gmond.c")
pytestmark = pytest.mark.usefixtures("needs_bpf")


class Peers:
    """An agent in a network namespace, who listens to it there, and a service that is at work."""

    def __init__(self, folder: Path, host: Host, held: ExitStack) -> None:
        self.folder, self.host, self._held = folder, host, held
        self.texts: list[str] = []
        self._heard = self.inside(partial(socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
        self._heard.bind(("127.0.0.1", PORTS["text"]))
        held.callback(self._heard.close)
        for begin in (self._sfacctd, self._gmond, self._prometheus):
            begin()
        self._agent()

    def inside(self, work: Callable[[], Any]) -> Any:
        """What is done in the namespace."""
        with entered(find(self.host.name)):
            return work()

    def get(self, port: int, path: str) -> str:
        """What is answered by HTTP."""
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        self.inside(connection.connect)
        connection.request("GET", path)
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer

    def text(self) -> str:
        """The samples of the service, as sflowtool prints them, that came so far."""
        with suppress(BlockingIOError):
            while octets := self._heard.recv(65536, socket.MSG_DONTWAIT):
                lines = b"".join(write_text([of_octets(octets)], RIGHT)).decode()
                samples = re.findall(r"startSample -+\n(?:.*\n)*?endSample .*\n", lines)
                self.texts += [one for one in samples if f"hostname {UNIT}\n" in one]
        return self.texts[-1] if self.texts else ""

    def _start(self, name: str, *words: str, **environ: str) -> None:
        if not shutil.which(name):
            return
        # Not by ``ip netns exec``, which hides control groups.
        command = ["nsenter", f"--net=/run/netns/{self.host.name}", name, *words]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self.folder}
        process = subprocess.Popen(command, env={**PLAIN, **environ}, start_new_session=True, **quiet)
        self._held.callback(process.wait, 20)
        # sfacctd waits for a process of its own, perhaps for ever.
        self._held.callback(os.killpg, process.pid, signal.SIGKILL)

    def _agent(self) -> None:
        targets = [word for port in PORTS.values() for word in ("-c", f"127.0.0.1:{port}")]
        words = ["--polling", "1", "--sampling", str(ONE_IN), "--device", "veth0", "--no-drops"]
        run = self.folder / "run"
        self._start(
            sys.executable, "-c", CODE, "agent", *targets, *words, "--metrics", str(METRICS), RUNTIME_DIRECTORY=str(run)
        )
        until(lambda: [*run.rglob("agent-*.json")], "it tells of itself, and samples")

    def _sfacctd(self) -> None:
        file = self.folder / "sfacctd.conf"
        file.write_text(
            f"daemonize: false\nplugins: print\nsfacctd_ip: 127.0.0.1\nsfacctd_port: {PORTS['sfacctd']}\n"
            f"aggregate: dst_port\nsfacctd_renormalize: true\nprint_output: csv\nprint_refresh_time: {REFRESH}\n"
            f"print_output_file: {self.folder}/sfacctd.csv\nprint_output_file_append: true\n"
        )
        self._start("sfacctd", "-f", str(file))

    def _gmond(self) -> None:
        if not shutil.which("clang") or not shutil.which("gmond"):
            return
        library, file = self.folder / "gmond.so", self.folder / "gmond.conf"
        subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-o", str(library), str(LOWER_HALF)], check=True)
        file.write_text(
            "globals { daemonize = no setuid = no mute = yes deaf = no }\n"
            'cluster { name = "fleutan" }\n'
            f"udp_recv_channel {{ port = {PORTS['gmond']} }}\n"
            f"sflow {{ udp_port = {PORTS['gmond']} accept_vm_metrics = yes }}\n"
            f"tcp_accept_channel {{ port = {XML} }}\n"
        )
        self._start("setarch", "-R", "gmond", "-f", "-c", str(file), LD_PRELOAD=str(library))

    def _prometheus(self) -> None:
        file = self.folder / "prometheus.yml"
        job = {"job_name": "fleutan", "static_configs": [{"targets": [f"127.0.0.1:{METRICS}"]}]}
        file.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
        data = f"--storage.tsdb.path={self.folder}/prometheus"
        self._start("prometheus", f"--config.file={file}", data, f"--web.listen-address=127.0.0.1:{PROMETHEUS}")


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    where = cgroups.real()
    with World() as world, cgroups.made(GROUP, where) as folders:
        host = world.pair()[0]
        service = host.actor()
        cgroups.enter(folders, service.pid)
        with ExitStack() as held:
            found = Peers(tmp_path_factory.mktemp("peers"), host, held)
            until(found.text, "the service is told of")
            service.do(SEND)
            yield found
        service.end()


def needs(*names: str) -> None:
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"needs {name}")


def test_a_service_is_told_as_the_picture_has_it(peers: Peers) -> None:
    """Structures and lines of "Monitoring Linux services"; figures are those of its sockets and processes."""

    def figures() -> Mapping[str, str]:
        lines = [line.split(" ", 1) for line in peers.text().splitlines()]
        return {line[0]: line[-1] for line in lines}

    until(lambda: int(figures().get("vnio_pkts_out", "0")) >= MANY, "what it sent is counted")
    found, printed = figures(), peers.text()
    blocks = re.findall(r"counterBlock_tag (\S+)", printed)
    assert blocks == ["0:2104", "0:2103", "0:2102", "0:2101", "0:2002", "0:2000"], (
        "the picture's, and the network's first"
    )
    assert found["sourceId"].startswith("3:1")
    assert (found["vcpu_state"], found["hostname"], found["os_name"]) == ("1", UNIT, "2")
    assert (found["parent_dsClass"], found["parent_dsIndex"]) == ("2", "1")
    assert int(found["vnio_bytes_out"]) >= MANY * SIZE
    assert int(found["vcpu_cpu_mS"]) > 0
    assert int(found["vmem_memory"]) > 0


def test_sfacctd_counts_what_was_sent(peers: Peers) -> None:
    needs("sfacctd")

    def counted() -> tuple[int, int]:
        with open(peers.folder / "sfacctd.csv") as file:
            rows = [row for row in csv.DictReader(file) if row["DST_PORT"] == "9000"]
        return sum(int(row["PACKETS"]) for row in rows), sum(int(row["BYTES"]) for row in rows)

    def all_counted() -> tuple[int, int] | None:
        before = counted() if (peers.folder / "sfacctd.csv").exists() else (0, 0)
        time.sleep(2 * REFRESH + 0.5)
        return before if before[0] and before == counted() else None

    packets, octets = until(all_counted, "all are counted")
    assert packets == pytest.approx(MANY, rel=OFF)
    assert octets == packets * LONG


def test_gmond_shows_the_host_and_its_service(peers: Peers) -> None:
    needs("gmond", "clang")

    def shown() -> dict[str, str]:
        with peers.inside(partial(socket.create_connection, ("127.0.0.1", XML), 5)) as one, one.makefile("rb") as said:
            hosts = ET.fromstring(said.read()).iter("HOST")  # noqa: S314  # gmond is not an enemy
        named = [one for one in hosts if one.get("NAME") == socket.gethostname()]
        return {one.get("NAME", ""): one.get("VAL", "") for host in named for one in host.iter("METRIC")}

    def knows() -> dict[str, str]:
        found = shown()
        return found if f"{UNIT}.vcpu_util" in found and "cpu_user" in found else {}

    found = until(knows, "it knows both")
    assert found["os_release"] == os.uname().release
    assert int(found["cpu_num"]) == os.cpu_count()
    assert float(found["mem_total"]) == pytest.approx(
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024, rel=0.01
    )
    assert found[f"{UNIT}.vcpu_state"] == "Running"
    assert {f"{UNIT}.{name}" for name in ("vcpu_util", "vmem_util", "vbytes_out", "vpkts_out", "vdisk_reads")} <= {
        *found
    }


def test_prometheus_scrapes_it(peers: Peers) -> None:
    needs("prometheus")

    def asked(query: str) -> list[dict[str, Any]]:
        with suppress(OSError):
            return list(json.loads(peers.get(PROMETHEUS, f"/api/v1/query?query={query}"))["data"]["result"])
        return []

    until(lambda: [one["value"][1] for one in asked("up")] == ["1"], "the target is up")
    until(lambda: any(UNIT in one["metric"].values() for one in asked("{job=%22fleutan%22}")), "the service is there")


def test_promtool_has_nothing_to_say(peers: Peers) -> None:
    needs("promtool")
    until(lambda: UNIT in peers.get(METRICS, "/metrics"), "the service is there")
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=peers.get(METRICS, "/metrics"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
