# SPDX-License-Identifier: Apache-2.0
"""An agent that gave up what it does not need: all of its threads did, and it goes on with what comes later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.namespaces.conftest import PLAIN, Host, World, until

from fleutan.linux.capabilities import names_of

pytestmark = pytest.mark.usefixtures("needs_bpf")
NEEDED = {"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}
SETTINGS = """
[agent]
collectors = ["127.0.0.1:6399"]
address = "192.0.2.7"
polling = 1
sampling = 1
systemd = {units}
containers = false
state_file = "{folder}/state/hsflowd.auto"
packets.devices = ["late*"]
drops.on = {drops}
"""


class Running:
    def __init__(self, folder: Path, pid: int) -> None:
        self.folder, self.pid = folder, pid

    @property
    def status(self) -> dict[str, Any]:
        (file,) = (self.folder / "run" / ".status").glob("agent-*.json")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def reload(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def sets(self, which: str) -> set[frozenset[str]]:
        """Of all threads."""
        found = set()
        for path in Path(f"/proc/{self.pid}/task").glob("*/status"):
            words = dict(line.split(":", 1) for line in path.read_text().splitlines())
            found.add(names_of(int(words[which], 16)))
        return found


def configure(folder: Path, more: str = "", drops: str = "false", units: str = "false") -> Path:
    file = folder / "fleutan.toml"
    text = SETTINGS.format(folder=folder, drops=drops, units=units)
    file.write_text(text.replace("[agent]\n", f"[agent]\n{more}\n"))
    return file


@contextmanager
def agent(host: Host, folder: Path, more: str = "") -> Iterator[Running]:
    folder.chmod(0o755)
    (folder / "state").mkdir()
    file = configure(folder, more)
    own = {**PLAIN, "RUNTIME_DIRECTORY": str(folder / "run"), "STATE_DIRECTORY": str(folder / "state")}
    process = subprocess.Popen(host.command("agent", "--config", str(file)), env=own, stderr=subprocess.DEVNULL)
    try:
        until(lambda: [*folder.rglob("agent-*.json")], "it tells of itself")
        yield Running(folder, process.pid)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def sampled(host: Host, running: Running) -> None:
    """A device that comes later is sampled."""
    host.run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    host.run("ip", "addr", "add", "10.9.0.1/24", "dev", "late0")
    for name in ("late0", "late1"):
        host.run("ip", "link", "set", name, "up")
    actor = host.actor()
    actor.do("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(1, 6, 1)")  # SO_BROADCAST

    def told() -> bool:
        actor.do("s.sendto(b'late', ('10.9.0.255', 9))")
        return bool(running.status["samples"].get("flows"))

    until(told, "packets of the later device are sampled")


@pytest.fixture
def host() -> Iterator[Host]:
    with World() as world:
        yield world.host()


def test_root_keeps_what_is_needed_and_no_more(host: Host, tmp_path: Path) -> None:
    with agent(host, tmp_path) as running:
        for which in ("CapEff", "CapPrm", "CapBnd"):
            assert running.sets(which) == {frozenset(NEEDED)}
        assert running.sets("CapAmb") == running.sets("CapInh") == {frozenset()}
        said = running.status["privileges"]
        assert (said["user"], set(said["capabilities"])) == ("root", NEEDED)
        sampled(host, running)
        configure(tmp_path, drops="true")
        running.reload()
        lack = "CAP_SYS_ADMIN was given up when the agent began; restart it"
        until(lambda: any(lack in note for note in running.status["notes"]), "it names what it lacks now")


def test_another_user_samples_and_writes_its_files(host: Host, tmp_path: Path) -> None:
    with agent(host, tmp_path, 'user = "nobody"') as running:
        assert running.sets("CapEff") == running.sets("CapPrm") == {frozenset(NEEDED)}
        assert Path(f"/proc/{running.pid}").stat().st_uid in (0, 65534)
        assert running.status["privileges"]["user"] == "nobody"
        state = tmp_path / "state" / "hsflowd.auto"
        until(lambda: "agentIP=192.0.2.7" in state.read_text(), "the state file is written")
        sampled(host, running)
        assert running.status["notes"] == []
        configure(tmp_path)
        running.reload()
        until(lambda: any("as it was started" in note for note in running.status["notes"]), "the user stays")
