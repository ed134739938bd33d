# SPDX-License-Identifier: Apache-2.0
"""The command and its process: what it refuses, what it says, what signals do."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.asking import SECOND, filled, records, until
from tests.faces.cli.test_collecting import free_port
from tests.protocols.netflow.making import record_5, v5

from fleutan.faces.cli import main
from fleutan.faces.cli.serve import check_memory


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("serve") / "lake", [records(1_800_000_000 * SECOND, 60)])


class Process:
    """``fleutan serve`` at a port of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        self.said = process.stderr.readline()
        found = re.fullmatch(r"fleutan: listening on http://127\.0\.0\.1:(\d+)\n", self.said)
        assert found, self.said
        self.port = int(found[1])

    def get(self, target: str, token: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", target, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        found = response.status, response.read().decode()
        connection.close()
        return found

    def end(self, number: int) -> tuple[int, str]:
        """The exit status after a signal, and the rest of what was said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@contextmanager
def serving(lake: Path, *words: str) -> Iterator[Process]:
    code = "from fleutan.faces.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--lake", str(lake), "--host", "127.0.0.1", "--port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        try:
            yield Process(process)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal(lake: Path, number: int) -> None:
    with serving(lake, "--name", "n1", "--location", "Lyon") as process:
        status, text = process.get("/traffic?start=1800000000&end=1800000060&format=plain&interval=60")
        assert (status, text.split()[2:]) == (200, ["60000", "600"])
        assert process.get("/status")[1].startswith("Node: n1 | Lyon | lake\n")
        assert process.end(number) == (0, "")


def test_tokens_are_read_again_on_a_signal(lake: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("alice:one\n")
    with serving(lake, "--tokens", str(tokens)) as process:
        assert process.get("/status")[0] == 401
        assert process.get("/status", "one")[0] == 200
        tokens.write_text("alice:two\n")
        process.process.send_signal(signal.SIGHUP)
        until(lambda: process.get("/status", "two")[0] == 200)
        assert process.get("/status", "one")[0] == 401
        tokens.write_text("nonsense\n")
        process.process.send_signal(signal.SIGHUP)
        assert process.process.stderr is not None
        assert "line 1: a token is written NAME:TOKEN" in process.process.stderr.readline()
        assert process.get("/status", "two")[0] == 200
        assert process.end(signal.SIGTERM)[0] == 0


def test_one_process_serves_collects_and_records(tmp_path: Path) -> None:
    """What is sent and what this host's kernel sees are in one lake, and SIGHUP reaches all three."""
    file, port, lake = tmp_path / "settings.toml", free_port(), tmp_path / "lake"
    text = f"[collect]\nports = [{port}]\n[record]\ninterval = 0.5\n[lake]\nflush_seconds = 0.1\n"
    file.write_text(text)
    with serving(lake, "--config", str(file), "--collect", "--record") as process:
        until(lambda: (lake / ".status").is_dir() and [*(lake / ".status").iterdir()])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(v5(record_5()), ("127.0.0.1", port))
        asked = "/api/v1/modules/talkers?format=jsonl&since=1h&keys=dport&filter=dport+"
        until(lambda: '"packets":3' in process.get(f"{asked}80")[1])
        until(lambda: f'"dport":{process.port}' in process.get(f"{asked}{process.port}")[1])
        file.write_text(text.replace("[collect]", "[collect]\nsockets = 2"))
        process.process.send_signal(signal.SIGHUP)
        assert process.process.stderr is not None
        said = iter(process.process.stderr.readline, "")
        assert any("sockets: changed in the file, and taken over when" in line for line in said)
        assert process.end(signal.SIGTERM)[0] == 0
    assert [*lake.glob("records/**/*.parquet")], "what was collected is sealed before the end"
    assert [*lake.glob("flows/**/*.parquet")], "and what was recorded"


def test_what_cannot_be_collected_ends_the_server(lake: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        file = tmp_path / "settings.toml"
        file.write_text(f"[collect]\nports = [{one.getsockname()[1]}]\n")
        with serving(lake, "--config", str(file), "--collect") as process:
            _, said = process.process.communicate(timeout=20)
            assert process.process.returncode == 1
            assert said.startswith("fleutan: collect ended: ")


def test_limits_are_those_of_the_options(lake: Path) -> None:
    with serving(lake, "--rows", "10", "--settle", "0") as process:
        status, text = process.get("/tuple?start=1800000000&end=1800000060")
        assert (status, text) == (400, "the answer has more than 10 rows; ask of a shorter time, or say topn\n")


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["--host", "192.0.2.1"], 2, "192.0.2.1 is beyond loopback: say who may ask (--tokens FILE), or --open"),
        (["--memory", "much"], 2, "--memory much: "),
        (["--settle", "soon"], 2, "a number with a unit was expected here"),
        (["--tokens", "/nonexistent"], 2, "cannot read the tokens in /nonexistent: No such file or directory"),
        (["--tls-key", "/nonexistent"], 2, "a key without a certificate: say --tls-cert too"),
        (["--port", "70000"], 2, "invalid value for '--port'"),
        (["--seconds", "0"], 2, "invalid value for '--seconds'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    words: list[str], status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "0", *words])
    assert ended.value.code == status
    assert capsys.readouterr().err.startswith(f"fleutan: {line}")


def test_a_size_of_memory_is_known() -> None:
    check_memory("512MB")
