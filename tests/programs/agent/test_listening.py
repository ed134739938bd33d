# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleutan.errors import FleutanError
from fleutan.programs.agent.listening import MESSAGES, Listening
from fleutan.protocols.applications import LONGEST

DEADLINE = 10.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)  # a condition is waited for, not a time


def sent(listening: Listening, *messages: bytes, address: str = "127.0.0.1") -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        for one in messages:
            client.sendto(one, (address, listening.port or 0))


def test_datagrams_of_loopback_are_messages(closed: None) -> None:
    with Listening(0) as listening:
        assert listening.port
        assert [*listening.messages()] == []
        sent(listening, b"one", b"", b"x" * (LONGEST + 5))
        assert [*listening.messages()] == [b"one", b"", b"x" * (LONGEST + 1)]
        assert (listening.lost, listening.notes()) == (0, [])
    assert listening.port is None
    assert [*listening.messages()] == []


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="needs IPv6")
def test_loopback_of_ipv6_too() -> None:
    with Listening(0) as listening:
        sent(listening, b"six", address="::1")
        assert [*listening.messages()] == [b"six"]


def test_a_port_that_is_taken_is_said(closed: None) -> None:
    with Listening(0) as listening, pytest.raises(FleutanError) as failed:
        Listening(listening.port).__enter__()
    assert str(failed.value).startswith("applications' JSON cannot be taken at UDP port ")
    assert str(failed.value).endswith(" of 127.0.0.1: address already in use")


def test_many_are_taken_in_turns_and_what_has_no_room_is_counted() -> None:
    with Listening(0) as listening:
        for _ in range(20):
            sent(listening, *[b"x" * 9000] * 200)
        first = len([*listening.messages()])
        assert 0 < first <= MESSAGES
        while [*listening.messages()]:
            first += 1
        sent(listening, b"last")
        assert [*listening.messages()] == [b"last"]
        assert listening.lost > 0


def test_a_pipe_is_a_stream_of_objects(tmp_path: Path, closed: None) -> None:
    path = tmp_path / "json"
    with Listening(None, path) as listening:
        assert [*listening.messages()] == []
        assert listening.notes() == [f"{path} cannot be read: no such file or directory"]
        os.mkfifo(path)
        assert [*listening.messages()] == []
        assert listening.notes() == []
        with path.open("wb", buffering=0) as writer:
            assert [*listening.messages()] == []
            writer.write(b'{"a": 1}{"b":')
            writer.write(b" 2}\nx{")
            assert [*listening.messages()] == [b'{"a": 1}', b'{"b": 2}']
        assert [*listening.messages()] == []
        with path.open("wb", buffering=0) as writer:
            writer.write(b"}")
        assert [*listening.messages()] == [b"{}"]
        assert listening.passed_over == 1
        assert listening.port is None


def test_what_is_no_pipe_is_left_alone(tmp_path: Path, closed: None) -> None:
    path = tmp_path / "json"
    path.write_bytes(b"{}")
    with Listening(None, path) as listening:
        assert [*listening.messages()] == []
        assert listening.notes() == [f"{path} is no named pipe"]


def test_one_address_of_loopback_is_enough(closed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "2001:db8::1")
    monkeypatch.setattr("fleutan.programs.agent.listening._LOOPBACK", (elsewhere, here))
    with Listening(0) as listening:
        sent(listening, b"one")
        assert [*listening.messages()] == [b"one"]
    monkeypatch.setattr("fleutan.programs.agent.listening._LOOPBACK", (elsewhere, elsewhere))
    with pytest.raises(FleutanError, match=r"of 2001:db8::1: (cannot assign|address family)"):
        Listening(36343).__enter__()
