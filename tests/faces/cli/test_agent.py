# SPDX-License-Identifier: Apache-2.0
"""``fleutan agent``: what makes no sense, what is said of this host, and the daemon as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.faces.cli.test_cli import FLEUTAN, status_of

from fleutan.protocols.sflow.messages import parse

QUIET = ("--packets", "none", "--no-drops", "--address", "192.0.2.7")


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents tell of themselves in a folder of this test's."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.delenv("FLEUTAN_CONFIG", raising=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--check", "--once"), "--check and --once each ask for something else"),
        (("--json",), "--json goes with --check or --status"),
        (("-c", "host:99999"), "--collector: "),
        (("-c", ""), "--collector: "),
        (("--ipfix", "host:0"), "--ipfix: "),
        (("--netflow9", ""), "--netflow9: "),
        (("--address", "here"), "--address: 'here' is not an IP address"),
        (("--sampling", "-1"), "--sampling"),
        (("--polling", "9999"), "--polling"),
        (("-f", "/nonexistent/hsflowd.conf", "--check"), "/nonexistent/hsflowd.conf"),
        (("--packets", "nflog", "--check"), "nflog_probability"),
        (("anything",), "anything"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("agent", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_check_says_what_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("agent", "--check", *QUIET, "-c", "192.0.2.1") == 0
    text = capsys.readouterr().out
    assert "EXPORTED\n" in text
    assert "192.0.2.1:6343" in text
    assert "address says so" in text
    assert "PROBLEMS\n" in text
    assert "PRIVILEGES\n  CAP_NET_ADMIN" in text
    assert "for optics, and ports of bonds" in text
    assert status_of("agent", "--check", "--json", *QUIET) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["topic"] for line in lines} >= {"export", "interface", "problem"}
    assert any(line["subject"] == "collectors" and "there are none" in line["text"] for line in lines)


def test_flow_records_alone_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--ipfix", "192.0.2.1", "--ipfix", "[2001:db8::1]:4740", "--netflow9", "192.0.2.2")
    assert status_of("agent", "--check", *QUIET, *words) == 0
    text = capsys.readouterr().out
    exported = [line.split(maxsplit=1) for line in text.splitlines() if "NetFlow" in line or "IPFIX" in line]
    assert exported == [
        ["192.0.2.1:4739", "IPFIX (command line)"],
        ["[2001:db8::1]:4740", "IPFIX (command line)"],
        ["192.0.2.2:2055", "NetFlow 9 (command line)"],
    ]
    assert "goes nowhere" not in text


def test_a_configuration_of_host_sflow_is_taken_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hsflowd.conf"
    file.write_text(
        "sflow {\n polling = 20\n agentIP = 192.0.2.9\n collector { ip = 192.0.2.1 udpport = 6344 }\n xen { }\n}\n"
    )
    assert status_of("agent", "-f", str(file), "--check", "--no-drops") == 0
    text = capsys.readouterr().out
    assert "192.0.2.1:6344" in text
    assert f"{file}:" in text
    assert "xen" in text
    assert "each 20 s" in text


def test_a_file_of_ours_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[agent]\ncollectors = ["192.0.2.3"]\npolling = 7\npackets.source = "none"\ndrops.on = false\n')
    assert status_of("agent", "--config", str(file), "--check", "--polling", "5") == 0
    text = capsys.readouterr().out
    assert "192.0.2.3:6343" in text
    assert "each 5 s (command line)" in text


def test_one_round_is_printed_as_collectors_read_it(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert status_of("agent", "--once", *QUIET) == 0
    out, err = capfdbinary.readouterr()
    lines = dict(line.split(b" ", 1) for line in reversed(out.splitlines()) if b" " in line)  # the first of each
    assert lines[b"agent"] == b"192.0.2.7"
    assert lines[b"hostname"] == socket.gethostname().encode()
    assert int(lines[b"mem_total"]) > 0
    assert b"decodeProblem" not in out
    assert b"no collector is said" in err


def test_where_no_agent_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert status_of("agent", "--status") == 0
    assert capsys.readouterr().out == f"no agent runs (none tells of itself in {tmp_path / 'run'})\n"
    assert status_of("agent", "--status", "--json") == 0
    assert capsys.readouterr().out == ""


def asked(capsys: pytest.CaptureFixture[str], wanted: str) -> str:
    """What ``--status`` says as soon as that is there."""
    ends = time.monotonic() + 20
    while wanted not in (text := (status_of("agent", "--status"), capsys.readouterr().out)[1]):
        assert time.monotonic() < ends, text
        time.sleep(0.05)
    return text


def test_servers_and_who_asks_for_metrics_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fleutan.toml"
    with socket.create_server(("127.0.0.1", 0)) as influx:
        with socket.create_server(("127.0.0.1", 0)) as free:
            metrics = free.getsockname()[1]
        at = f"http://127.0.0.1:{influx.getsockname()[1]}/write?db=x"
        outputs = f'metrics = {metrics}\nstatsd = "127.0.0.1:9"\ninflux = "{at}"\n'
        file.write_text(f"[agent]\npolling = 1\n[agent.outputs]\n{outputs}")
        with subprocess.Popen([*FLEUTAN, "agent", "--config", str(file), *QUIET], stderr=subprocess.PIPE) as process:
            try:
                influx.accept()[0].close()
                with urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=20) as page:
                    assert b"fleutan_" in page.read()
                text = asked(capsys, "metrics were asked for: 1 x 200")
                (server,) = (line for line in text.splitlines() if line.startswith("InfluxDB"))
                assert re.search(r" 0 +[1-9]\d* +0 ", server), "none is sent, some wait, none are lost"
                assert [line.split()[1] for line in text.splitlines() if line.startswith("127.0.0.1:9")] == ["StatsD"]
            finally:
                process.kill()


def test_it_runs_until_a_signal_and_tells_how_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        end.settimeout(20)
        place = f"127.0.0.1:{end.getsockname()[1]}"
        command = [*FLEUTAN, "agent", "-c", place, "--netflow9", place, "--polling", "1", *QUIET]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            try:
                assert parse(end.recv(1 << 16)).agent == bytes([192, 0, 2, 7])
                end.recv(1 << 16)
                assert status_of("agent", "--status") == 0
                text = capsys.readouterr().out
                assert f"process {process.pid} agent 192.0.2.7, sub-agent 100000" in text
                assert [line.split()[1] for line in text.splitlines() if line.startswith(place)] == ["sFlow", "NetFlow"]
                assert "0 records of NetFlow 9, of sampled packets" in text
                assert status_of("agent", "--status", "--json") == 0
                assert json.loads(capsys.readouterr().out)["lives"]
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
            finally:
                process.kill()
    assert [*(tmp_path / "run").rglob("*.json")] == []


def test_nobody_reading_its_words_and_a_pipe_as_its_file_end_nothing(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[agent]\npackets.source = "nflog"\npackets.nflog_probability = 0.5\ndrops.on = false\n')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        end.settimeout(20)
        own = ("--config", str(file), "-c", f"127.0.0.1:{end.getsockname()[1]}", "--polling", "1")
        with subprocess.Popen([*FLEUTAN, "agent", *own], stderr=subprocess.PIPE) as process:
            try:
                assert process.stderr
                process.stderr.close()
                end.recv(1 << 16)
                file.unlink()
                os.mkfifo(file)
                process.send_signal(signal.SIGHUP)  # of which it says something, too
                for _ in range(3):
                    end.recv(1 << 16)
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
            finally:
                process.kill()
