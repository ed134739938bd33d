# SPDX-License-Identifier: Apache-2.0
"""Questions about drops and lives of connections, to counts made by hand and owners of this host."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf

from fleutan.errors import FilterError, UsageError
from fleutan.linux.drops import Counts
from fleutan.live import Question
from fleutan.live.events import KINDS, Events, Kind, require
from fleutan.sources.capture import Reader

HERE = os.stat("/proc/self/ns/net").st_ino
DROP, RETRANSMIT = 0, 1


def row(event: int, packets: int, sport: int = 80, netns: int = HERE, proto: int = 17) -> tuple[bytes, bytes]:
    """A struct drop_key with its drop_count."""
    ends = (socket.inet_aton("127.0.0.1").ljust(16, b"\0"),) * 2
    key = struct.pack("=QQ16s16s3I3H4B2x", 0, 0, *ends, 2, netns, 1, sport, 1000, 0x0800, event, 1, 2, proto)
    return key, struct.pack("=3Q16s", packets, packets, 100, b"lo")


class Counted:
    """Gives one reading after the other."""

    def __init__(self, *readings: Sequence[tuple[bytes, bytes]]) -> None:
        self._readings = list(readings)
        self.entered = False
        self.slept: list[float] = []

    def __enter__(self) -> Counted:
        self.entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.entered = False

    def wait(self, seconds: float) -> None:
        self.slept.append(seconds)

    def read(self) -> Counts:
        rows = self._readings.pop(0)
        pair = b"".join(key for key, _ in rows), b"".join(count for _, count in rows)
        return Counts(pair, (b"", b""), 0, 10**9, 10**18)


def drops_by(counted: Counted) -> Kind:
    return KINDS["drops"]._replace(counting=lambda: counted)


def told(question: Question, *rows: tuple[bytes, bytes], every: bool = False) -> list[dict[str, Any]]:
    with Reader(source="netlink") as reader, Events(question, reader, drops_by(Counted(rows)), every) as counted:
        return list(counted.read().rows())


def test_each_reading_is_of_the_time_since_the_one_before() -> None:
    counted = Counted([row(DROP, 3)], [])
    with Reader(source="netlink") as reader:
        with Events(Question(), reader, drops_by(counted)) as asked:
            assert counted.entered
            first, second = asked.after(2), asked.after(3)
        assert not counted.entered
    assert counted.slept == [2, 3]
    assert ([row["packets"] for row in first.rows()], len(second)) == ([3], 0)
    assert first.reading.netns == next(iter(first.rows()))["netns"]


def test_other_namespaces_are_left_out_unless_all_are_meant() -> None:
    rows = (row(DROP, 1), row(DROP, 2, netns=1), row(DROP, 4, netns=0))
    assert [found["packets"] for found in told(Question(), *rows)] == [1, 4]
    assert [found["packets"] for found in told(Question(), *rows, every=True)] == [1, 2, 4]


@pytest.mark.parametrize(
    ("question", "packets"),
    [
        (Question("event = retransmit"), [2]),
        (Question("sport 80", also=("packets > 1",)), [2]),
        (Question(protos=("tcp", "mptcp")), [2]),
        (Question(family="ipv6"), []),
        (Question(f"pid {os.getpid()}"), [4]),
    ],
)
def test_what_is_meant(question: Question, packets: list[int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind(("127.0.0.1", 0))
        rows = (row(DROP, 1), row(RETRANSMIT, 2, proto=6), row(DROP, 4, sport=mine.getsockname()[1]))
        assert [found["packets"] for found in told(question, *rows)] == packets


def test_a_process_that_ends_meanwhile_keeps_its_name() -> None:
    code = "import socket; u = socket.socket(type=2); u.bind(('127.0.0.1', 0)); print(u.getsockname()[1]); input()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as sender:
        assert sender.stdout
        counted = Counted([row(DROP, 1, sport=int(sender.stdout.readline()))])
        with Reader(source="netlink") as reader, Events(Question(), reader, drops_by(counted)) as asked:
            sender.communicate("\n")
            (found,) = asked.read().rows()
    assert (found["pid"], found["comm"]) == (sender.pid, Path(sys.executable).name[:15])


@pytest.mark.parametrize("question", [Question("rtt > 5ms"), Question(fields=("cwnd",)), Question("retrans > 0")])
def test_what_is_not_known_of_drops_is_refused_before_anything_is_counted(question: Question) -> None:
    with Reader(source="netlink") as reader, pytest.raises(UsageError, match="is not known of drops"):
        Events(question, reader, KINDS["drops"]._replace(counting=lambda: pytest.fail("it counted")))


def test_a_filter_that_cannot_be_read() -> None:
    with Reader(source="netlink") as reader, pytest.raises(FilterError):
        Events(Question("event ="), reader, KINDS["drops"])


def test_fields_by_any_of_their_names() -> None:
    assert require("peer", KINDS["drops"]) == "dst"
    assert require("duration_us", KINDS["lifecycle"]) == "duration"
    with pytest.raises(UsageError, match="no field is called"):
        require("nonsense", KINDS["drops"])
    with pytest.raises(UsageError, match="reason is not known of lifecycle; 'fleutan lifecycle --fields all'"):
        require("reason", KINDS["lifecycle"])


@needs_bpf
def test_a_connection_that_began_and_ended_here() -> None:
    question = Question(f"pid {os.getpid()} and role = client")
    with Reader(source="netlink") as reader, Events(question, reader, KINDS["lifecycle"]) as counted:

        def look() -> None:
            with socket.create_server(("127.0.0.1", 0)) as server:
                port = server.getsockname()[1]
                with socket.create_connection(("127.0.0.1", port)):
                    server.accept()[0].close()
            (found,) = counted.after(0.05).rows()
            assert (found["dport"], found["outcome"], found["connections"]) == (port, "closed", 1)

        agrees(look)
