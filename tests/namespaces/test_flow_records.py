# SPDX-License-Identifier: Apache-2.0
"""The agent's flow records beside collectors as they are: what each makes of them is what was sent."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.namespaces.conftest import PLAIN, Host, World, until

#: One in how many is sampled, where nfcapd and tshark listen, and where iperf3 does.
ONE_IN, PORTS, SERVER = 20, {"ipfix": 4739, "netflow9": 2055}, 5201
NAMES = (
    *("sourceIPv4Address", "destinationIPv4Address", "protocolIdentifier", "sourceTransportPort"),
    *("destinationTransportPort", "packetDeltaCount", "octetDeltaCount"),
)
#: What is sent behind all else, and where nobody listens.
END, DISCARD = b"this was all", 9
DECODERS = [word for form, port in PORTS.items() for word in ("-d", f"udp.port=={port},cflow")]
#: Octets of the headers of IPv4 and TCP, and of a full segment's payload.
HEADERS, PAYLOAD = 52, 1448
#: What is compared of a flow, as nfdump is asked for it.
FORM = "fmt:%sa,%da,%pr,%sp,%dp,%pkt,%byt"
pytestmark = [
    pytest.mark.usefixtures("needs_bpf"),
    pytest.mark.skipif(
        not all(map(shutil.which, ("nfcapd", "nfdump", "tshark", "iperf3"))),
        reason="needs nfcapd and nfdump, tshark and iperf3",
    ),
]


class Exported:
    """A transfer of iperf3 that an agent told collectors of, over IPv6; ``octets`` is what iperf3 sent."""

    def __init__(self, folder: Path, hosts: tuple[Host, Host]) -> None:
        self.folder, (self._host, self._other) = folder, hosts
        self.octets = 0

    @property
    def capture(self) -> str:
        return str(self.folder / "agent.pcap")

    def run(self) -> None:
        """Runs all, and ends the agent before the collectors."""
        with ExitStack() as running:
            for form, port in PORTS.items():
                (self.folder / form).mkdir()
                self._start(running, self._host, "nfcapd", "-b", "::1", "-p", f"{port}", "-w", f"{self.folder}/{form}")
            filtered = " or ".join(f"udp port {port}" for port in (*PORTS.values(), DISCARD))
            self._start(running, self._host, "tshark", "-i", "lo", "-q", "-f", filtered, "-w", self.capture)
            self._start(running, self._other, "iperf3", "-s")
            until(lambda: all(f":{port} " in self._host.run("ss", "-lun") for port in PORTS.values()), "they listen")
            until(lambda: f":{SERVER} " in self._other.run("ss", "-ltn"), "iperf3 listens")
            until(Path(self.capture).exists, "tshark captures")
            with ExitStack() as agent:
                self._agent(agent)
                said = self._host.run("iperf3", "-J", "-c", "192.0.2.2", "-n", "60M", "-b", "400M")
                self.octets = json.loads(said)["end"]["sum_sent"]["bytes"]
            self._host.actor().do(f"socket.socket(socket.AF_INET6, DATAGRAM).sendto({END!r}, ('::1', {DISCARD}))")
            until(lambda: END in Path(self.capture).read_bytes(), "tshark has captured all")
            until(lambda: not any(map(self._waits, PORTS.values())), "nfcapd has read all")

    def _waits(self, port: int) -> bool:
        return any(f":{port} " in line and line.split()[1] != "0" for line in self._host.run("ss", "-lun").splitlines())

    def _agent(self, held: ExitStack) -> None:
        words = [*("--ipfix", "::1", "--netflow9", "::1", "--sampling", str(ONE_IN), "--device", "veth0")]
        own = {**PLAIN, "RUNTIME_DIRECTORY": str(self.folder / "run")}
        command = self._host.command("agent", *words, "--polling", "0", "--no-drops")
        process = subprocess.Popen(command, env=own, stderr=subprocess.DEVNULL)
        held.callback(process.wait, 20)
        held.callback(process.terminate)
        until(lambda: [*self.folder.rglob("agent-*.json")], "it tells of itself, and samples")

    def _start(self, held: ExitStack, host: Host, *words: str) -> None:
        command = ["ip", "netns", "exec", host.name, *words]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=PLAIN)
        held.callback(process.wait, 20)
        held.callback(process.terminate)

    def nfdump(self, form: str) -> list[tuple[Any, ...]]:
        """The flows of TCP that nfcapd kept."""
        said = output("nfdump", "-q", "-N", "-6", "-R", f"{self.folder}/{form}", "-o", FORM, "proto tcp")
        rows = csv.reader(io.StringIO(said.replace(" ", "")))
        return sorted((src, dst, int(proto), *map(int, more)) for src, dst, proto, *more in rows)

    def decoded(self, form: str) -> list[dict[str, Any]]:
        """The records of TCP that our own decoder reads of the capture."""
        code = ("-c", "from fleutan.faces.cli import main; main()")
        words = ("decode", "-r", self.capture, "-j")
        datagrams = [json.loads(line) for line in output(sys.executable, *code, *words).splitlines()]
        version = {"ipfix": 10, "netflow9": 9}[form]
        assert not any("decodeProblem" in one for one in datagrams)
        return [
            one
            for told in datagrams
            if told["datagramVersion"] == version
            for one in told["records"]
            if one["protocolIdentifier"] == 6
        ]


def output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, env=PLAIN).stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    with World() as world:
        found = Exported(tmp_path_factory.mktemp("records"), world.pair())
        found.folder.chmod(0o777)
        found.run()
        yield found


@pytest.mark.parametrize("form", PORTS)
def test_nfcapd_counts_what_was_sent(exported: Exported, form: str) -> None:
    sent = sum(octets - HEADERS * packets for *_, dport, packets, octets in exported.nfdump(form) if dport == SERVER)
    # Five standard deviations of the number of samples.
    assert sent == pytest.approx(exported.octets, rel=5 / (exported.octets / PAYLOAD / ONE_IN) ** 0.5)


@pytest.mark.parametrize("form", PORTS)
def test_our_own_decoder_reads_the_same(exported: Exported, form: str) -> None:
    found = [tuple(one[name] for name in NAMES) for one in exported.decoded(form)]
    assert sorted(found) == exported.nfdump(form)
    assert len(found) >= 2


def test_ipfix_says_who_held_the_socket(exported: Exported) -> None:
    mine = [one for one in exported.decoded("ipfix") if one.get("destinationTransportPort") == SERVER]
    assert {one["processName"] for one in mine if "processName" in one} == {"iperf3"}
    assert max(one["tcpSmoothedRoundTripTime"] for one in mine if "tcpSmoothedRoundTripTime" in one) > 0


def test_tshark_reads_them_without_an_error(exported: Exported) -> None:
    said = output("tshark", "-r", exported.capture, *DECODERS, "-V")
    assert "Version: 10" in said
    assert "Version: 9" in said
    assert "Malformed" not in said
    assert "Expert Info" not in said
