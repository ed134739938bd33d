# SPDX-License-Identifier: Apache-2.0
"""Who holds a socket: one process, several by fork, several by handing over, nobody, one elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.namespaces.conftest import Host, World

from fleutan.live import Asked, Question
from fleutan.sources.capture import Reader

Row = dict[str, Any]
HAND_OVER = """
channel = socket.socket(socket.AF_UNIX)
channel.connect("\\0fln-hand-over")
held = listen("127.0.0.1", 7300)
socket.send_fds(channel, [b"x"], [held.fileno()])
"""
TAKE_OVER = """
peer = channel.accept()[0]
_, (number,), _, _ = socket.recv_fds(peer, 1, 1)
taken = socket.socket(fileno=number)
"""
ELSEWHERE = """
ctypes.CDLL(None).setns(os.open("/run/netns/{}", os.O_RDONLY), 0)
there = listen("127.0.0.1", 7400)
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with World() as world:
        yield world.host()


def held_at(host: Host, port: int, source: str) -> Row:
    """The flow at a local port, and that ss names the same processes."""
    (row,) = host.rows(f"sport = {port}", fields=["pids", "pid", "comm", "owner", "uid"], source=source).values()
    theirs = host.ss("-t")[row["cookie"]]
    assert row["pids"] == theirs.get("pids")
    return row


def test_one_process(host: Host, source: str) -> None:
    actor = host.actor()
    actor.do('one = listen("127.0.0.1", 7100)')
    row = held_at(host, 7100, source)
    assert (row["pids"], row["pid"], row["comm"]) == (
        (actor.pid,),
        actor.pid,
        actor.ask('open("/proc/self/comm").read()').strip(),
    )
    actor.end()


def test_several_processes_by_fork(host: Host, source: str) -> None:
    actor = host.actor()
    actor.do('shared = listen("127.0.0.1", 7200); children = [fork(), fork()]; own = listen("127.0.0.1", 7201)')
    children = actor.ask("children")
    row = held_at(host, 7200, source)
    assert row["pids"] == tuple(sorted([actor.pid, *children]))
    assert row["pid"] == min(row["pids"])
    assert held_at(host, 7201, source)["pids"] == (actor.pid,)
    for child in children:
        found = host.rows(f"pid = {child}", fields=["pids"], source=source)
        assert [one["sport"] for one in found.values()] == [7200]
    assert len(host.flows(f"sport = 7200 and pid != {children[0]}", source=source)) == 0
    actor.end()


def test_a_process_that_it_was_handed_to(host: Host, source: str) -> None:
    first, second = host.actor(), host.actor()
    second.do('channel = socket.socket(socket.AF_UNIX); channel.bind("\\0fln-hand-over"); channel.listen()')
    first.do(HAND_OVER)
    second.do(TAKE_OVER)
    assert held_at(host, 7300, source)["pids"] == tuple(sorted([first.pid, second.pid]))
    first.end()
    assert held_at(host, 7300, source)["pids"] == (second.pid,)
    second.end()


def test_nobody_while_it_is_being_handed_over(host: Host, source: str) -> None:
    first, second = host.actor(), host.actor()
    second.do('channel = socket.socket(socket.AF_UNIX); channel.bind("\\0fln-hand-over"); channel.listen()')
    first.do(HAND_OVER)
    first.do("held.close()")
    row = held_at(host, 7300, source)
    assert row["pids"] is row["owner"] is row["pid"] is None
    assert row["inode"] > 0
    first.end()
    second.end()


def test_nobody_after_the_end_and_before_accept(host: Host, source: str) -> None:
    actor = host.actor()
    actor.do('waiting = listen("127.0.0.1", 7500); caller = connect("127.0.0.1", 7500)')
    actor.do('other = listen("127.0.0.1", 7501); past = connect("127.0.0.1", 7501); left = other.accept()[0]')
    port = actor.ask("past.getsockname()[1]")
    actor.do("past.close(); left.recv(1); left.close()")
    rows = host.rows("port in (7500, 7501)", fields=["pids", "inode"], source=source)
    unaccepted = [row for row in rows.values() if row["sport"] == 7500 and row["state"] == "established"]
    past = [row for row in rows.values() if row["state"] == "time-wait" and row["sport"] == port]
    assert [(row["pids"], row["inode"]) for row in unaccepted + past] == [(None, 0), (None, 0)]
    actor.end()


def test_a_process_in_another_namespace(host: Host, world: World, source: str) -> None:
    other, actor = world.host(), host.actor()
    actor.do('here = listen("127.0.0.1", 7401)')
    actor.do(ELSEWHERE.format(other.name))
    row = held_at(other, 7400, source)
    assert row["pids"] == (actor.pid,)
    assert held_at(host, 7401, source)["pids"] == (actor.pid,)
    every = host.flows("sport in (7400, 7401)", fields=["pids", "netns"], netns="all", source=source)
    ours = [row for row in every.rows() if row["netns"] in (other.name, host.name)]
    assert {(row["netns"], row["sport"], row["pids"]) for row in ours} == {
        (other.name, 7400, (actor.pid,)),
        (host.name, 7401, (actor.pid,)),
    }
    actor.end()


def test_a_process_that_ends_between_reading_and_asking(host: Host, source: Any) -> None:
    actor = host.actor()
    actor.do('brief = listen("127.0.0.1", 7600)')
    asked = Asked(Question("sport = 7600", fields=("pids", "comm", "cgroup", "exe"), states="all"))
    with Reader(host.name, source) as reader:
        capture = reader.take()
        actor.end()
        (row,) = asked.answer(capture).rows()
    assert row["pids"] == (actor.pid,)
    assert row["comm"] is row["cgroup"] is row["exe"] is None
