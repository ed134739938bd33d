# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleutan.linux import notifying
from fleutan.linux.notifying import LONGEST, address, message, notify, watchdog_s


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What NOTIFY_SOCKET says, and the socket behind it."""
    path = str(tmp_path / "notify")
    named = path if request.param == "path" else f"@fleutan-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(named.replace("@", "\0"))
        listening.settimeout(10)
        yield named, listening


def test_the_manager_gets_what_it_is_told(manager: tuple[str, socket.socket]) -> None:
    named, listening = manager
    where = address({"NOTIFY_SOCKET": named})
    assert where is not None
    assert notify(where, message(READY=1, STATUS="3 sockets"))
    assert notify(where, message(WATCHDOG=1))
    assert [listening.recv(4096), listening.recv(4096)] == [b"READY=1\nSTATUS=3 sockets", b"WATCHDOG=1"]


@pytest.mark.parametrize("named", ["", "/", "@", "relative", "vsock:2:1234"])
def test_what_is_no_socket_of_a_manager_is_none(named: str) -> None:
    assert address({"NOTIFY_SOCKET": named}) is None
    assert address({}) is None


@pytest.mark.parametrize("where", ["/nowhere/at/all", "\0nobody-listens-here", "/" + "x" * 300])
def test_that_nobody_listens_is_no_error(where: str) -> None:
    assert not notify(where, b"READY=1")


def test_a_manager_that_reads_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "PATIENCE_S", 0.01)
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        assert any(not notify(path, b"STATUS=again") for _ in range(10_000))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "77"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
    ],
)
def test_how_often_the_watchdog_wants_to_be_told(environ: dict[str, str], expected: float | None) -> None:
    assert watchdog_s(environ, 77) == expected


def test_a_message_is_a_line_for_each_assignment_whatever_its_text() -> None:
    assert message(STATUS="a\nREADY=1\r\tb\ud800", X=7) == b"STATUS=a READY=1 b?\nX=7"
    long = message(STATUS="é" * LONGEST)
    assert len(long) <= LONGEST
    assert long.decode().startswith("STATUS=éé")
