# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleutan.sources.service import Service

SECOND = 10**9


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5 * SECOND

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    """Everything that was sent until now: datagrams of AF_UNIX have arrived when they are sent."""
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def service(manager: socket.socket, clock: Clock, **environ: str) -> Service:
    return Service({"NOTIFY_SOCKET": manager.getsockname(), **environ}, clock, pid=77)


def test_the_life_of_a_service(manager: socket.socket) -> None:
    clock = Clock()
    mine = service(manager, clock)
    assert mine.is_managed
    mine.ready("listening on 6343")
    mine.status("12 exporters")
    mine.status("12 exporters")
    mine.reloading()
    mine.ready()
    mine.extend(2.5)
    mine.stopping("sealing")
    assert heard(manager) == [
        "READY=1\nSTATUS=listening on 6343",
        "STATUS=12 exporters",
        "RELOADING=1\nMONOTONIC_USEC=5000000",
        "READY=1",
        "EXTEND_TIMEOUT_USEC=2500000",
        "STOPPING=1\nSTATUS=sealing",
    ]


def test_a_status_is_told_once_until_it_changes(manager: socket.socket) -> None:
    mine = service(manager, Clock())
    mine.ready("a")
    for text in ("a", "b", "b", "a"):
        mine.status(text)
    mine.stopping()
    assert heard(manager) == ["READY=1\nSTATUS=a", "STATUS=b", "STATUS=a", "STOPPING=1"]


def test_the_watchdog_is_told_twice_within_its_time(manager: socket.socket) -> None:
    clock = Clock()
    mine = service(manager, clock, WATCHDOG_USEC="10000000", WATCHDOG_PID="77")
    for _ in range(21):
        mine.alive()
        clock.now_ns += SECOND
    assert heard(manager) == ["WATCHDOG=1"] * 5


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}])
def test_no_watchdog_hears_nothing(manager: socket.socket, environ: dict[str, str]) -> None:
    mine = service(manager, Clock(), **environ)
    mine.alive()
    assert heard(manager) == []


def test_the_process_itself_is_the_one_that_is_watched(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "10", "WATCHDOG_PID": str(os.getpid())}
    Service(environ).alive()
    assert heard(manager) == ["WATCHDOG=1"]


def test_without_a_manager_nothing_is_told_and_nothing_fails() -> None:
    mine = Service({}, Clock())
    mine.ready("a")
    mine.alive()
    mine.stopping()
    assert (mine.is_managed, mine.state) == (False, None)


def test_the_first_directory_is_the_one_for_the_state() -> None:
    assert Service({"STATE_DIRECTORY": "/var/lib/fleutan:/var/lib/other"}).state == Path("/var/lib/fleutan")
