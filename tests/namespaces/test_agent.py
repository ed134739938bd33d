# SPDX-License-Identifier: Apache-2.0
"""The agent beside collectors as they are: what each of them makes of its stream is what there was."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.namespaces.conftest import PLAIN, Host, World, until

#: Octets of UDP payloads, how many there are, one in how many is sampled, and the length of their frames.
SIZE, MANY, ONE_IN, FRAME = 1000, 20_000, 20, 1042
#: How far an estimate may be off: five standard deviations of the number of samples.
OFF = 5 / (MANY / ONE_IN) ** 0.5
PORTS = {"sfcapd": 6344, "tshark": 6343}
#: A little at a time, so that no collector's socket overflows.
SEND = f"""
import time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for number in range({MANY}):
        one.sendto(bytes({SIZE}), ("192.0.2.2", 9000))
        if number % 100 == 0:
            time.sleep(0.01)
"""
pytestmark = pytest.mark.usefixtures("needs_bpf")


class Collected:
    """What an agent told collectors, in ``folder``; ``sent`` are the frames that left meanwhile."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.folder, self._host = folder, host
        self.sent = 0

    def run(self) -> None:
        """Sends packets while the agent and all collectors run, and ends them in order."""
        with ExitStack() as running:
            for name, words in self._collectors().items():
                if shutil.which(name):
                    self._start(running, *words)
            heard = [port for name, port in PORTS.items() if shutil.which(name) and name != "tshark"]
            until(lambda: all(f":{port} " in self._host.run("ss", "-lun") for port in heard), "they listen")
            until(lambda: (self.folder / "agent.pcap").exists() or not shutil.which("tshark"), "tshark captures")
            with ExitStack() as agent:
                self._agent(agent)
                before = self._frames()
                self._host.actor().do(SEND)
                self.sent = self._frames() - before

    def _agent(self, held: ExitStack) -> None:
        targets = [word for port in PORTS.values() for word in ("-c", f"127.0.0.1:{port}")]
        words = ["--polling", "1", "--sampling", str(ONE_IN), "--device", "veth0", "--no-drops"]
        own = {**PLAIN, "RUNTIME_DIRECTORY": str(self.folder / "run")}
        process = subprocess.Popen(self._host.command("agent", *targets, *words), env=own, stderr=subprocess.DEVNULL)
        held.callback(process.wait, 20)
        held.callback(process.terminate)
        until(lambda: [*self.folder.rglob("agent-*.json")], "it tells of itself, and samples")

    def _frames(self) -> int:
        return int(self._host.run("cat", "/sys/class/net/veth0/statistics/tx_packets"))

    def _collectors(self) -> dict[str, tuple[str, ...]]:
        (self.folder / "sfcapd").mkdir()
        capture = ("-i", "lo", "-q", "-f", f"udp port {PORTS['tshark']}", "-w", str(self.folder / "agent.pcap"))
        return {
            "sfcapd": ("sfcapd", "-b", "127.0.0.1", "-p", str(PORTS["sfcapd"]), "-w", f"{self.folder}/sfcapd"),
            "tshark": ("tshark", *capture),
        }

    def _start(self, held: ExitStack, *words: str) -> None:
        command = ["ip", "netns", "exec", self._host.name, *words]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=PLAIN)
        held.callback(process.wait, 20)
        held.callback(process.terminate)


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collected]:
    with World() as world:
        found = Collected(tmp_path_factory.mktemp("agent"), world.pair()[0])
        found.folder.chmod(0o777)
        found.run()
        yield found


def needs(name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"needs {name}")


def test_sfcapd_counts_what_was_sent(collected: Collected) -> None:
    needs("sfcapd")
    words = ["nfdump", "-q", "-R", f"{collected.folder}/sfcapd", "-o", "csv", "-s", "dstport/bytes"]
    said = subprocess.run(words, check=True, capture_output=True, text=True, env=PLAIN).stdout
    (row,) = [row for row in csv.DictReader(io.StringIO(said)) if row["val"] == "9000"]
    assert int(row["ipkt"] if "ipkt" in row else row["pkt"]) == pytest.approx(collected.sent, rel=OFF)


def test_tshark_reads_it_without_an_error(collected: Collected) -> None:
    needs("tshark")
    words = ["tshark", "-r", str(collected.folder / "agent.pcap"), "-V"]
    said = subprocess.run(words, check=True, capture_output=True, text=True, env=PLAIN).stdout
    assert said.count("InMon sFlow") > 100
    assert "Malformed" not in said
