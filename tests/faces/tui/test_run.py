# SPDX-License-Identifier: Apache-2.0
"""The parts together, on a real terminal: a pseudo-terminal, this host, the command line's own process."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.bpf import needs_bpf

from fleutan.faces.tui.run import counting, dropping
from fleutan.sources.capture import Reader
from fleutan.table import Table

DEADLINE = 60.0
TOP = "import sys; from fleutan.faces.cli.top import command; command(sys.argv[1:], standalone_mode=False)"


class Terminal:
    """A program on a terminal of 80 columns and 24 lines; what it wrote is gathered."""

    def __init__(self, *arguments: str, code: str = TOP) -> None:
        self.mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.program = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        self.theirs = theirs
        self.written = b""

    def until(self, text: str) -> None:
        """Waits until the program has written this."""
        deadline = time.monotonic() + DEADLINE
        while text.encode() not in self.written:
            assert time.monotonic() < deadline, self.written[-2000:]
            if select.select([self.mine], [], [], 0.1)[0]:
                self.written += os.read(self.mine, 65536)

    def type(self, text: str) -> None:
        os.write(self.mine, text.encode())

    def status(self) -> int:
        """The exit status; what is still being written is taken."""
        deadline = time.monotonic() + DEADLINE
        while self.program.poll() is None:
            assert time.monotonic() < deadline
            if select.select([self.mine], [], [], 0.1)[0]:
                self.written += os.read(self.mine, 65536)
        return self.program.returncode

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self.mine)
        os.close(self.theirs)


@pytest.fixture
def start() -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def run(*arguments: str) -> Terminal:
        started.append(Terminal(*arguments))
        return started[-1]

    yield run
    for terminal in started:
        terminal.close()


def test_it_shows_this_host_and_ends_by_q(start: Callable[..., Terminal]) -> None:
    terminal = start("--source", "netlink", "-a", "-r", "-i", "0.2")
    terminal.until("fleutan takes")
    terminal.type("?")
    terminal.until("this page")
    terminal.type("q")
    assert terminal.status() == 0
    assert b"\x1b[?1049l" in terminal.written  # the other screen is left
    assert b"\x1b[?25h" in terminal.written  # and the cursor is back
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_the_terminal_as_it_was(start: Callable[..., Terminal], number: signal.Signals) -> None:
    terminal = start("--source", "netlink", "-a")
    terminal.until("owners")
    terminal.program.send_signal(number)
    assert terminal.status() == 128 + number
    assert b"\x1b[?1049l" in terminal.written
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_ctrl_c_ends_it(start: Callable[..., Terminal]) -> None:
    terminal = start("--source", "netlink", "-l")
    terminal.until("owners")
    terminal.type("\x03")
    assert terminal.status() == 130
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@needs_bpf
def test_packets_are_counted_while_it_lasts() -> None:
    with ExitStack() as held:
        meters = counting(held)
        assert meters is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            deadline = time.monotonic() + DEADLINE
            while not meters.cost():
                sender.sendto(b"x", ("127.0.0.1", 9))
                assert time.monotonic() < deadline


@needs_bpf
def test_drops_are_counted_while_it_lasts() -> None:
    with ExitStack() as held, Reader(source="netlink") as reader:
        read = dropping(reader, None, held)["drops"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            there = gone.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", there)
        deadline = time.monotonic() + DEADLINE
        while ("NO_SOCKET", there[1]) not in pairs(read()):
            assert time.monotonic() < deadline
        assert ("NO_SOCKET", there[1]) in pairs(read())  # what was dropped before is still told


def pairs(table: Table) -> list[tuple[str, int]]:
    return [*zip(table.column("reason").objects(), table.column("sport").objects(), strict=True)]
