# SPDX-License-Identifier: Apache-2.0
"""What an agent is given to bear: broken files, floods, a full disk, being stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from tests.namespaces.agents import Agent, listening
from tests.namespaces.conftest import Host, Row, World, until

from fleutan.protocols.sflow.messages import Message, parse

GOOD = '[agent]\npolling = 1\ncollectors = ["192.0.2.2"]\njson_port = 36343\n'
#: Of what an agent refuses to read: the octets, and what it says of them.
BROKEN = (
    (b"[agent]\ncollecters = 3\n", "did you mean collectors?"),
    (bytes(range(256)), "is not UTF-8"),
    (bytes(4000), "is not TOML"),
    (b"a = " + b"[" * 100_000, "is nested too deeply"),
    (b"a = " + b"9" * 5_000, "is not TOML: Exceeds the limit"),
    (b"#" * (1 << 20) + b"#", "has more than 1048576 bytes"),
)
#: Applications that say all that there is to say, and what is none.
FLOOD = r"""
import json
kinds = [b"\xff\xfe" * 50, b"[" * 60_000, b"{", b"",
         b'{"rtmetric":{"datasource":"d","a":{"type":"gauge32","value":1e999}}}']
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for number in range(20_000):
        said = {"app_name": f"a{number}", "sampling_rate": 1, "app_operation": {"operation": "o", "status": 0, "uS": 5}}
        made = json.dumps({"flow_sample": said}).encode()
        one.sendto((*kinds, made)[number % 6], ("127.0.0.1", 36343))
"""
#: Datagrams to nobody, for some seconds.
DROPPED = """
import time
until = time.monotonic() + 4
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    while time.monotonic() < until:
        for port in range(20_000, 20_200):
            one.sendto(b"x", ("192.0.2.1", port))
"""
SEND = """
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for _ in range(60_000):
        one.sendto(bytes(100), ("192.0.2.2", 9000))
"""
pytestmark = pytest.mark.usefixtures("needs_bpf")


@pytest.fixture
def pair(short_world: World) -> tuple[Host, Host]:
    return short_world.pair()


def test_files_that_are_broken_change_nothing_and_are_named(pair: tuple[Host, Host], tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(GOOD)

    def told(what: str) -> None:
        before = agent.said.count("\n")
        agent.tell(signal.SIGHUP)
        until(lambda: what in "".join(agent.said.splitlines(keepends=True)[before:]), what)

    with Agent(pair[0], tmp_path / "run", "--config", str(file)) as agent:
        agent.when(lambda status: status["datagrams"], "it tells")
        for octets, what in BROKEN:
            file.write_bytes(octets)
            told(what)
        file.unlink()
        told("No such file or directory; what ran before goes on")
        os.mkfifo(file)
        told("is no regular file: it is read once only; what ran before goes on")
        agent.sends()
        file.unlink()
        file.write_text("")
        told("no collector is said, so sFlow goes nowhere")
        agent.when(lambda status: not status["collectors"], "it goes nowhere")
        file.write_text(GOOD)
        agent.tell(signal.SIGHUP)
        agent.when(lambda status: status["collectors"] and status["collectors"][0]["sent"], "it goes on")
        before = agent.settled()
        for _ in range(4):
            agent.tell(signal.SIGHUP)
            agent.looks()
        agent.assert_not_grown(before)
        assert agent.ended() == 0


def test_floods_and_being_stopped_grow_nothing(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = pair
    file = tmp_path / "agent.toml"
    file.write_text(GOOD)
    words = ("--config", str(file), "--sampling", "2", "--device", "veth0", "--no-drops")
    with Agent(here, tmp_path / "run", *words) as agent, listening(there.name, "192.0.2.2"):
        agent.when(lambda status: status["datagrams"], "it tells")
        held = []
        for _ in range(4):  # the first of them fills what has room
            least = 1000 + agent.status()["samples"].get("flows", 0)
            agent.tell(signal.SIGSTOP)
            here.actor().do(SEND)
            agent.tell(signal.SIGCONT)
            agent.when(partial(has_flows, least), "packets of meanwhile")
            here.actor().do(FLOOD)
            held.append(agent.settled())
        agent.assert_not_grown(held[1])
        agent.when(lambda status: "not JSON" in " ".join(status["notes"]), "rubbish is counted")
        assert agent.said.count("refused: not JSON") == 1, "it is said once, whatever the number is"
        assert agent.status()["failures"] == agent.status()["refused"] == {}
        assert agent.ended() == 0


def test_a_flood_of_dropped_packets_is_let_be_and_said_once(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, _ = pair
    file = tmp_path / "agent.toml"
    file.write_text(f"{GOOD}[agent.drops]\nmax = 1000\n")
    with Agent(here, tmp_path / "run", "--config", str(file), "--packets", "none") as agent:
        agent.when(lambda status: status["datagrams"], "it tells")
        here.actor().do(DROPPED)
        agent.when(lambda status: "dropped packets are not looked at" in " ".join(status["notes"]), "they are let be")
        agent.looks(3)
        assert agent.said.count("not looked at for another") == 1
        agent.sends()
        assert agent.status()["failures"] == {}
        assert agent.ended() == 0


def test_after_having_been_stopped_numbers_go_on_without_a_gap(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = pair
    words = ("-c", "192.0.2.2", "--polling", "1", "--packets", "none", "--no-drops")
    with listening(there.name, "192.0.2.2") as end, Agent(here, tmp_path, *words) as agent:
        heard = [_heard(end.recv(1 << 16)) for _ in range(2)]
        agent.tell(signal.SIGSTOP)
        end.settimeout(2.5)
        with suppress(TimeoutError):
            while True:
                heard.append(_heard(end.recv(1 << 16)))
        end.settimeout(20)
        agent.tell(signal.SIGCONT)
        heard += [_heard(end.recv(1 << 16)) for _ in range(3)]
        assert [one.sequence_number for one in heard] == [*range(1, len(heard) + 1)]
        sources = [(one.named()["ds_class"], one.named()["ds_index"]) for one in heard[-3].samples]
        assert len(sources) == len({*sources}), "what was missed meanwhile is told once"


def test_a_full_disk_is_named_and_keeps_nothing_from_going_on(pair: tuple[Host, Host], tmp_path: Path) -> None:
    state, file, runtime = tmp_path / "kept" / "state.auto", tmp_path / "agent.toml", tmp_path / "told"
    file.write_text(f"{GOOD}state_file = '{state}'\n")
    words = ("--config", str(file))
    with small_disk(state.parent), small_disk(runtime), Agent(pair[0], tmp_path, *words, runtime=runtime) as agent:
        until(state.exists, "a state")
        agent.when(lambda status: status["datagrams"], "it tells")
        before = state.read_text()
        for folder in (state.parent, runtime):
            fill(folder)
        file.write_text(file.read_text() + "header_bytes = 64\n")
        agent.tell(signal.SIGHUP)
        until(lambda: f"{state} cannot be written: No space left" in agent.said, "it is said")
        assert state.read_text() == before
        for folder in (state.parent, runtime):
            (folder / "fill").unlink()
        until(lambda: "header=64" in state.read_text(), "it is written once there is room")
        agent.sends()
        assert agent.ended() == 0
        assert "agentIP" not in state.read_text()
        assert [*(runtime / ".status").iterdir()] == []


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of four pages."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=777", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leaves no room on a disk."""
    with suppress(OSError), (folder / "fill").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1000))


def has_flows(least: int, status: Row) -> bool:
    return bool(status["samples"].get("flows", 0) > least)


def _heard(octets: bytes) -> Message:
    found = parse(octets)
    assert found.problems == ()
    return found
