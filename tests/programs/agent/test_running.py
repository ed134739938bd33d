# SPDX-License-Identifier: Apache-2.0
"""The daemon on loopback: what a collector hears, what signals and files change, what it tells of itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleutan.config import Agent as Settings
from fleutan.config.sections import changed
from fleutan.errors import UsageError
from fleutan.programs.agent.assembling import Assembly
from fleutan.programs.agent.auto import read as read_state
from fleutan.programs.agent.running import NAME, NOTES, Running, folder
from fleutan.programs.agent.settings import InForce, Told
from fleutan.programs.signals import Orders
from fleutan.programs.status import Status, read
from fleutan.protocols.sflow.messages import Message, parse
from fleutan.sources.collectors import Collector, Collectors
from fleutan.sources.service import Service

DEADLINE = 20.0
QUIET = {"packets.source": ("none",), "drops.on": False, "polling": 1, "address": "192.0.2.7"}


@pytest.fixture
def end() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(DEADLINE)
        yield made


class Started:
    """An agent in a thread."""

    def __init__(self, told: Callable[[], Told], root: Path) -> None:
        self.orders, self.said = Orders(), list[str]()
        self._in_force, self._root = InForce(told), root
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with Status(self._root, NAME) as status:
            Running(self._in_force, self.orders, self.said.append, Service({}), status).run()

    def end(self) -> None:
        self.orders.stop()
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()


def heard(end: socket.socket) -> Message:
    found = parse(end.recv(1 << 16))
    assert found.problems == ()
    return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)  # a condition is waited for, not a time


def told(end: socket.socket, **more: object) -> Told:
    place = Collector("127.0.0.1", end.getsockname()[1])
    return Told(changed(Settings(), {**QUIET, "collectors": (place,), **more}))


def test_a_collector_hears_of_the_host_and_the_agent_tells_of_itself(end: socket.socket, tmp_path: Path) -> None:
    state = tmp_path / "hsflowd.auto"
    started = Started(lambda: told(end, state_file=state), tmp_path)
    try:
        first = heard(end)
        assert (first.agent, first.sub_agent_id, first.sequence_number) == (bytes([192, 0, 2, 7]), 100_000, 1)
        names = {one.layout.name for sample in first.samples for one in sample.elements if one.layout}
        while "host_cpu" not in names:
            names |= {one.layout.name for sample in heard(end).samples for one in sample.elements if one.layout}
        until(lambda: [one for one in read(tmp_path, NAME) if one["datagrams"] and one["samples"]])
        (status,) = read(tmp_path, NAME)
        assert status["agent"] == "192.0.2.7"
        assert status["collectors"][0]["sent"] >= 1
        assert (status["collectors"][0]["form"], status["flow_records"]) == ("sFlow", {})
        assert (status["failures"], status["refused"]) == ({}, {})
        until(state.exists)
        assert read_state(state.read_text()) is not None
    finally:
        started.end()
    assert read(tmp_path, NAME) == []


def test_flow_records_go_without_sflow_and_their_collectors_are_told_of(end: socket.socket, tmp_path: Path) -> None:
    place = Collector("127.0.0.1", end.getsockname()[1])
    started = Started(lambda: told(end, collectors=(), **{"outputs.ipfix": (place,)}), tmp_path)
    try:
        until(lambda: read(tmp_path, NAME))
        until(lambda: [one for one in read(tmp_path, NAME) if not one["collectors"][0]["trouble"]])
        (status,) = read(tmp_path, NAME)
        (account,) = status["collectors"]
        assert (account["form"], account["title"]) == ("IPFIX", place.title)
        assert (status["flow_records"], status["refused"]) == ({"IPFIX": 0}, {})
    finally:
        started.end()


def test_what_is_read_again_counts_and_numbers_go_on(end: socket.socket, tmp_path: Path) -> None:
    polling, wrong = [1], list[str]()

    def read_file() -> Told:
        if wrong:
            raise UsageError(wrong[0])
        return told(end, polling=polling[0])

    started = Started(read_file, tmp_path)
    try:
        before = heard(end)
        wrong.append("settings.toml: line 3: what?")
        started.orders.reload()
        until(lambda: started.said)
        assert started.said[-1] == "settings.toml: line 3: what?; what ran before goes on"
        wrong.clear()
        started.orders.reload()
        until(lambda: not started.orders.asked)
        after = heard(end)
        assert (after.sequence_number or 0) > (before.sequence_number or 0)
        assert (after.uptime or 0) >= (before.uptime or 0)
    finally:
        started.end()


def test_what_cannot_be_had_is_said_once_and_the_rest_goes_on(end: socket.socket, tmp_path: Path) -> None:
    nflog = {"packets.source": ("nflog",), "packets.nflog_group": 70_000, "packets.nflog_probability": 0.5}
    started = Started(lambda: told(end, **nflog), tmp_path)
    try:
        heard(end)
        heard(end)
    finally:
        started.end()
    assert sum("nflog" in line for line in started.said) == 1


def test_a_domain_without_an_answer_keeps_nobody_waiting(end: socket.socket, tmp_path: Path) -> None:
    started = Started(lambda: told(end, dns_sd="no-such-domain.invalid"), tmp_path)
    try:
        heard(end)
    finally:
        started.end()


def test_where_agents_tell_of_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder({"RUNTIME_DIRECTORY": "/run/one:/run/other"}) == Path("/run/one")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert folder({}) == Path("/run/fleutan")
    monkeypatch.setattr("os.geteuid", lambda: 5)
    assert folder({"XDG_RUNTIME_DIR": "/run/user/5"}) == Path("/run/user/5/fleutan")
    assert folder({}).name == "fleutan"


def alone(root: Path, **more: object) -> tuple[Running, list[str]]:
    """One that does not run."""
    said: list[str] = []
    in_force = InForce(lambda: Told(changed(Settings(), {**QUIET, **more})))
    return Running(in_force, Orders(), said.append, Service({}), Status(root, NAME)), said


def test_a_note_whose_numbers_change_is_said_once(tmp_path: Path) -> None:
    running, said = alone(tmp_path)
    for number in range(3):
        running._tell([f"1,{number}27.5 messages found no room", "no room"])
    assert said == ["note: 1,027.5 messages found no room", "note: no room"]
    for letter in range(NOTES):
        running._tell([chr(0x4E00 + letter)])
    assert len(running._said) == NOTES
    running._tell(["no room"])
    assert said.count("note: no room") == 2, "what was not said for long is said again"


def test_a_file_without_collectors_does_not_go_unnoticed(end: socket.socket, tmp_path: Path) -> None:
    collectors = [Collector("127.0.0.1", end.getsockname()[1])]
    told = lambda: Told(changed(Settings(), {**QUIET, "collectors": tuple(collectors)}))  # noqa: E731
    started = Started(told, tmp_path)
    try:
        heard(end)
        assert not any("nowhere" in line for line in started.said)
        collectors.clear()
        started.orders.reload()
        until(lambda: any("no collector is said" in line for line in started.said))
    finally:
        started.end()


def test_another_state_file_takes_the_place_of_the_first(end: socket.socket, tmp_path: Path) -> None:
    names = ["one.auto", "other.auto"]
    started = Started(lambda: told(end, state_file=tmp_path / names[0]), tmp_path)
    try:
        until((tmp_path / "one.auto").exists)
        names.pop(0)
        started.orders.reload()
        until((tmp_path / "other.auto").exists)
        assert "agentIP" not in (tmp_path / "one.auto").read_text()
    finally:
        started.end()
    assert "agentIP" not in (tmp_path / "other.auto").read_text()


def test_a_clock_that_is_set_changes_no_duration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter([1e9, -1e9, 5e9] * 9)
    monkeypatch.setattr("time.time", lambda: next(steps))
    monkeypatch.setattr("time.time_ns", lambda: int(next(steps)) * 10**9)
    running, _ = alone(tmp_path)
    with Assembly(running.in_force.effective) as made, Collectors([]) as collectors:
        agent = made.agent(collectors)
        for now in (1.0, 2.0, 3.0):
            agent.step(now)
        assert 0 <= running._document(agent, made, [])["uptime_s"] < 60
    assert agent.failures == {}
