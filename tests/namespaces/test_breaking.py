# SPDX-License-Identifier: Apache-2.0
"""What goes away while it is read, what may not be read, and where there is nothing to read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.namespaces.conftest import PLAIN, Host, World

import fleutan
from fleutan.errors import FleutanError, Gone, NotSupported, UsageError
from fleutan.linux import namespaces
from fleutan.linux.namespaces import Namespace
from fleutan.live import Asked, Question
from fleutan.sources.capture import Kernel, Reader

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
ROOT_WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
EVERYTHING = Question(states="all", fields=("rtt", "pid", "change", "tx_rate"))


@pytest.fixture(scope="module")
def needs_users() -> None:
    """Skips where this interpreter lies in a place that is closed to others."""
    command = [*NOBODY, sys.executable, "-c", "import fleutan.live"]
    if subprocess.run(command, check=False, capture_output=True, env=PLAIN).returncode:
        pytest.skip("needs a Python and a fleutan that every user may run")


@pytest.fixture(scope="module")
def empty() -> Iterator[Host]:
    """A host without a single socket."""
    with World() as world:
        yield world.host()


def documents(said: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


# -- nothing


@pytest.mark.parametrize(
    "words",
    [
        "",
        "-a --csv",
        "-a --jsonl --fields all",
        "--lat",
        "--lat --json --bins quantile:4",
        "--vol -a",
        "--limits",
        "--limits --json",
        "-g peer,proc",
        "--limits -g user --json",
        "-l --sort rtt --top 3",
        "-i 0.05 -a --json",
        "-i 0.05 --limits --csv",
        "-i 0.05 -g proc --count 2",
        "-a rtt>1ms",
    ],
)
def test_an_empty_host_answers_every_question(empty: Host, words: str) -> None:
    said = empty.fleutan("flows", *words.split())
    assert said.returncode == 0, said.stderr
    assert "Traceback" not in said.stderr
    if "--json" in words.split():
        document = json.loads(said.stdout)
        assert document.get("flows", document.get("groups")) == []
    assert "nan" not in said.stdout.lower()


def test_an_empty_host_is_an_empty_table_either_way(empty: Host, source: Any) -> None:
    table = empty.flows("tcp and rtt > 1ms", source=source, interval=0.01)
    assert len(table) == 0
    assert {"rtt", "limit", "tx_rate", "pid"} <= set(table.columns)
    assert table.reading.interval_ns >= 10**7
    assert table.reading.notes == ()


def test_a_host_of_ipv6_alone(world: World, source: Any) -> None:
    host = world.host()
    host.configure("address del 127.0.0.1/8 dev lo")
    actor = host.actor()
    actor.do('server = listen("::1", 7000); client = connect("::1", 7000); far = server.accept()[0]')
    table = host.flows(fields=["family", "service"], source=source)
    assert table["family"].tolist() == ["ipv6"] * 3
    assert table["service"].tolist() == [7000] * 3
    assert set(table["src"].tolist()) == {"::1"}


# -- what goes away


def test_an_interval_in_which_everything_vanished(short_world: World, source: Any) -> None:
    host = short_world.host()
    actor = host.actor()
    actor.do('server = listen("127.0.0.1", 7000); client = connect("127.0.0.1", 7000); far = server.accept()[0]')
    asked = Asked(EVERYTHING)
    with Reader(host.name, source) as reader:
        before = reader.take()
        # No TIME-WAIT stays behind.
        actor.do('far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0"); far.close()')
        actor.do("client.close(); server.close()")
        table = asked.answer(reader.take_after(before, 0.01), before)
    assert table["change"].tolist() == ["vanished"] * 3
    assert table["tx_rate"].tolist() == [None] * 3
    assert set(table["pid"].tolist()) == {actor.pid}


def test_a_namespace_that_is_deleted_before_it_is_entered(short_world: World) -> None:
    host = short_world.host()
    with Reader(host.name) as reader:
        delete(host)
        with pytest.raises(Gone, match=f"network namespace {host.name} is gone"):
            reader.take()
        with pytest.raises(Gone):
            reader.begin().result()
    with pytest.raises(UsageError, match="no network namespace called"):
        Reader(host.name)


def test_a_namespace_that_is_deleted_among_others(short_world: World, source: Any) -> None:
    doomed, other = short_world.host(), short_world.host()
    actor = other.actor()
    actor.do('server = listen("127.0.0.1", 7000)')

    def every() -> tuple[list[Namespace], list[str]]:
        found = namespaces.every()
        delete(doomed)
        return found

    with Reader("all", source, kernel=Kernel(every=every)) as reader:
        capture = reader.take()
    assert [note for note in capture.notes if f"{doomed.name} is gone" in note]
    table = Asked(Question("sport = 7000", states="all")).answer(capture)
    assert other.name in table["netns"].tolist()


def test_a_namespace_that_lost_its_name_is_known_by_its_process(short_world: World, source: Any) -> None:
    host = short_world.host()
    actor = host.actor()
    actor.do('server = listen("127.0.0.1", 7000)')
    inode = str(actor.ask('os.stat("/proc/self/ns/net").st_ino'))
    delete(host)
    table = fleutan.flows(states="all", netns=actor.pid, source=source)
    assert (table["sport"].tolist(), table["netns"].tolist()) == ([7000], [inode])
    every = fleutan.flows("sport = 7000", states="all", netns="all", source=source)
    assert inode in every["netns"].tolist()


def delete(host: Host) -> None:
    subprocess.run(["ip", "netns", "delete", host.name], check=True)


# -- all namespaces


def test_all_namespaces_are_the_sum_of_each(world: World, source: Any) -> None:
    hosts = [world.host() for _ in range(3)]
    for number, host in enumerate(hosts):
        host.actor().do(f'servers = [listen("127.0.0.1", 7700 + port) for port in range({number})]')
    table = fleutan.flows("sport = 7700:7710", states="all", netns="all", source=source)
    for number, host in enumerate(hosts):
        own = [row for row in table.rows() if row["netns"] == host.name]
        assert sorted(row["sport"] for row in own) == [7700 + port for port in range(number)]
        assert {row["cookie"] for row in own} == set(host.rows(source=source))
    assert table.reading.netns == "all"


# -- what is refused


def listening(host: Host) -> None:
    host.actor().do('server = listen("127.0.0.1", 7000)')


@pytest.mark.usefixtures("needs_users")
@pytest.mark.parametrize("user", [NOBODY, ROOT_WITHOUT_CAPABILITIES], ids=["nobody", "root without capabilities"])
def test_without_privilege_what_can_be_read_is_read(short_world: World, user: tuple[str, ...]) -> None:
    host = short_world.host()
    listening(host)
    said = host.fleutan("flows", "-a", "--json", before=user)
    document = documents(said)
    assert [flow["sport"] for flow in document["flows"]] == [7000]
    assert document["source"].startswith("sock_diag; owners: /proc/*/fd, ")
    if user is NOBODY:
        assert document["flows"][0]["pid"] is None
        assert document["source"].endswith("own processes only")
        assert [note for note in document["notes"] if "1 socket has no known owner" in note]


@pytest.mark.usefixtures("needs_users")
@pytest.mark.parametrize("user", [NOBODY, ROOT_WITHOUT_CAPABILITIES], ids=["nobody", "root without capabilities"])
def test_where_bpf_is_refused_a_note_says_so_unless_it_is_forced(short_world: World, user: tuple[str, ...]) -> None:
    host = short_world.host()
    listening(host)
    said = host.fleutan("flows", "-a", "--json", "--fields", "sport,cpu", before=user)
    document = documents(said)
    assert document["flows"] == [{"sport": 7000, "cpu": None}]
    assert document["notes"][0].startswith(
        "read through sock_diag, without CPUs and queues: BPF: it takes root, or CAP_"
    )
    forced = host.fleutan("flows", "--source", "bpf", before=user)
    assert (forced.returncode, forced.stdout) == (1, "")
    assert forced.stderr.startswith("fleutan: BPF: it takes root, or CAP_BPF and CAP_PERFMON; ")
    assert forced.stderr.count("\n") == 1


@pytest.mark.usefixtures("needs_users")
def test_without_privilege_other_namespaces_are_told_of(short_world: World) -> None:
    host, other = short_world.host(), short_world.host()
    listening(host)
    said = host.fleutan("flows", "-a", "--json", "-N", "all", before=NOBODY)
    document = documents(said)
    assert [flow["sport"] for flow in document["flows"]] == [7000]
    assert [note for note in document["notes"] if "namespace" in note and "run as root" in note]
    alone = host.fleutan("flows", "-N", other.name, before=NOBODY)
    assert (alone.returncode, alone.stdout) == (1, "")
    assert alone.stderr.startswith(f"fleutan: entering network namespace {other.name}: operation not permitted; ")


def test_without_netlink_the_reason_is_one_line(empty: Host) -> None:
    refused = NotSupported("listing tcp sockets", "netlink sock_diag: Operation not permitted", "run as root")

    def dump(_: int) -> Any:
        raise refused

    with Reader(empty.name, "netlink", kernel=Kernel(dump=dump)) as reader, pytest.raises(FleutanError) as caught:
        reader.take()
    assert caught.value is refused
