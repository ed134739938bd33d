# SPDX-License-Identifier: Apache-2.0
"""Counting on bad days: what goes while it is counted, what may not be counted, and more than there is room for."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.bpf import agrees, needs_bpf
from tests.namespaces.conftest import PLAIN, Actor, Host, Running, World, until
from tests.namespaces.test_breaking import NOBODY, delete, needs_users  # noqa: F401  # the last is a fixture

from fleutan.faces.cli import main
from fleutan.linux.capabilities import LIBBPF

Row = dict[str, Any]
#: What counts, and how many links it has at the least when all of its programs are loaded.
COUNTING = {"flows --vol": 3, "flows --cpu": 3, "drops": 1, "lifecycle": 1}
DATAGRAMS = "import socket; u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('192.0.2.1', 7200))"
#: How many a test sends of 100 bytes, with the headers.
SENT = 50

pytestmark = needs_bpf


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    with World() as world:
        yield world.pair()


def numbers(running: Running) -> set[tuple[str, int]]:
    """Kind and number of every program, map and link that it holds."""
    found: set[tuple[str, int]] = set()
    for path in Path(f"/proc/{running.process.pid}/fdinfo").glob("*"):
        found |= {(kind, int(number)) for kind, number in re.findall(r"(?m)^(\w+)_id:\s+(\d+)$", _text(path))}
    return {(kind, number) for kind, number in found if kind in ("prog", "map", "link")}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def twice(host: Host, *lines: str) -> list[Running]:
    """Two intervals as JSON of each command, at the beginning of the second: what was before is of the first."""
    made = [Running(host, *line.split(), "--count", "2", "--json") for line in lines]
    for one in made:
        one.document()
    return made


def holding(running: Running, links: int) -> set[tuple[str, int]]:
    """What it holds as soon as it has so many links; nothing before."""
    found = numbers(running)
    return found if sum(kind == "link" for kind, _ in found) >= links else set()


def is_there(kind: str, number: int) -> bool:
    """Whether the kernel has the program, map or link of this number."""
    descriptor: int = getattr(ctypes.CDLL(LIBBPF), f"bpf_{kind}_get_fd_by_id")(ctypes.c_uint32(number))
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


def send(sender: Actor, to: str, port: int = 7201) -> None:
    sender.do(f"for _ in range({SENT}): u.sendto(b'x' * 58, ('{to}', {port}))")


def total(rows: Sequence[Row], name: str) -> int:
    return sum(row[name] or 0 for row in rows)


# -- too much


def test_more_flows_at_once_than_there_are_rows(hosts: tuple[Host, Host]) -> None:
    sockets, ports = 2, 40_000
    sender = hosts[0].actor()
    sender.do("import socket; us = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]")
    sender.do("[u.bind(('192.0.2.1', 7210 + number)) for number, u in enumerate(us)]")
    sender.do(f"def fill(u):\n for port in range(10000, {10_000 + ports}): u.sendto(b'x' * 58, ('192.0.2.2', port))")

    def look() -> None:
        (asked,) = twice(hosts[0], "flows --vol -i 1.5 -g proto")
        sender.do("[fill(u) for u in us]")
        groups = {row["proto"]: row for row in asked.document()["groups"]}
        status, _, trouble = asked.ended()
        sent = [groups[name] for name in ("udp", "other")]
        assert total(sent, "tx_packets") == sockets * ports
        assert total(sent, "tx_bytes") == 100 * sockets * ports
        assert 0 < groups["other"]["tx_packets"] < sockets * ports
        assert status == 0
        assert "packets of flows that found no row are counted by device only" in trouble
        assert trouble.count("\n") == 1

    agrees(look)


# -- what goes, and what comes


def test_a_device_that_comes_and_goes_is_counted_by_its_number(hosts: tuple[Host, Host]) -> None:
    one, two = hosts
    sender = one.actor()
    sender.do("import socket; u = socket.socket(type=socket.SOCK_DGRAM)")

    def look() -> None:
        (asked,) = twice(one, "flows -q -i 2 dport 7201")
        one.configure(
            f"link add brief type veth peer name brief netns {two.name}",
            "address add 198.51.100.1/24 dev brief",
            "link set brief up",
            "neighbour replace 198.51.100.2 lladdr 02:00:00:00:00:01 dev brief nud permanent",
        )
        two.configure("link set brief up")
        index = one.run("cat", "/sys/class/net/brief/ifindex").strip()
        send(sender, "198.51.100.2")
        one.configure("link delete brief")
        found = asked.document()
        assert [(row["dev"], row["bytes"]) for row in found["volumes"]] == [(f"if{index}", 100 * SENT)]
        assert asked.ended() == (0, "", "")

    agrees(look)


def test_a_process_that_ends_meanwhile_is_known_by_its_name(hosts: tuple[Host, Host]) -> None:
    def look() -> None:
        sender = hosts[0].actor()
        sender.do(DATAGRAMS)
        (asked,) = twice(hosts[0], "flows --vol -i 1 sport 7200")
        send(sender, "192.0.2.2")
        sender.end()
        (found,) = asked.document()["flows"]
        assert (found["pid"], found["comm"]) == (sender.pid, Path(sys.executable).name[:15])
        assert (found["tx_packets"], found["tx_bytes"]) == (SENT, 100 * SENT)
        assert asked.ended() == (0, "", "")

    agrees(look)


def test_a_namespace_that_is_deleted_keeps_its_name_among_all(short_world: World, hosts: tuple[Host, Host]) -> None:
    def look() -> None:
        doomed, _ = short_world.pair()
        sender = doomed.actor()
        sender.do(DATAGRAMS)
        lines = (f"flows --vol -N {doomed.name}", f"drops -N {doomed.name}", "flows --vol -N all dport 7201")
        *alone, among = twice(hosts[0], *(f"{line} -i 1.5" for line in lines))
        send(sender, "192.0.2.2")
        sender.end()
        delete(doomed)
        for one in alone:
            status, out, trouble = one.ended()
            assert (status, out, trouble.count("\n")) == (1, "", 1)
            assert trouble.startswith(f"fleutan: network namespace {doomed.name} is gone")
        sent = [row for row in among.document()["flows"] if row["netns"] == doomed.name]
        assert total(sent, "tx_packets") == SENT
        assert among.ended()[0] == 0

    agrees(look)


# -- two at once, one family only


def test_who_counts_at_the_same_time_counts_the_same(hosts: tuple[Host, Host]) -> None:
    sender = hosts[0].actor()
    sender.do(DATAGRAMS)

    def look() -> None:
        both = twice(hosts[0], *["flows --vol -i 2 sport 7200"] * 2)
        send(sender, "192.0.2.2")
        figures = [[(row["tx_packets"], row["tx_bytes"]) for row in one.document()["flows"]] for one in both]
        assert figures == [[(SENT, 100 * SENT)]] * 2
        assert [one.ended() for one in both] == [(0, "", "")] * 2

    agrees(look)


def test_a_host_of_ipv6_alone_is_counted(short_world: World) -> None:
    host = short_world.host()
    host.configure("address del 127.0.0.1/8 dev lo")
    actor = host.actor()
    actor.do("import socket; u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.bind(('::1', 7200))")
    actor.do("server = listen('::1', 7000)")

    def look() -> None:
        lines = ("flows --vol dport 7201", "drops sport 7201", "lifecycle dport 7000")
        counts = twice(host, *(f"{line} -i 1.5" for line in lines))
        actor.do(f"for _ in range({SENT}): u.sendto(b'x' * 58, ('::1', 7201))")
        actor.do("client = connect('::1', 7000); far = server.accept()[0]; client.close(); far.close()")
        flows, drops, lives = (one.document()[line.split()[0]] for one, line in zip(counts, lines, strict=True))
        assert (flows[0]["family"], flows[0]["tx_packets"], flows[0]["tx_bytes"]) == ("ipv6", SENT, 120 * SENT)
        assert total([row for row in drops if row["reason"] == "NO_SOCKET"], "packets") == SENT
        assert [(row["src"], row["outcome"], row["pid"]) for row in lives] == [("::1", "closed", actor.pid)]
        assert [one.ended() for one in counts] == [(0, "", "")] * 3

    agrees(look)


# -- ended early


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_when_it_is_ended_nothing_stays_in_the_kernel(hosts: tuple[Host, Host], number: int, status: int) -> None:
    counting = [Running(hosts[0], *line.split(), "-i", "60") for line in COUNTING]
    held: set[tuple[str, int]] = set()
    for one, links in zip(counting, COUNTING.values(), strict=True):
        held |= until(partial(holding, one, links), "it counts")
    assert {kind for kind, _ in held} == {"prog", "map", "link"}
    assert all(is_there(*one) for one in held)
    for one in counting:
        one.process.send_signal(number)
    assert [one.ended() for one in counting] == [(status, "", "")] * len(counting)
    until(lambda: not any(is_there(*one) for one in held), "the kernel lets go of all of it")


@pytest.mark.parametrize("words", [("flows", "--vol"), ("flows", "--cpu"), ("drops",)])
def test_a_reader_that_goes_and_a_disk_that_is_full(hosts: tuple[Host, Host], words: tuple[str, ...]) -> None:
    watched = Running(hosts[0], *words, "-i", "0.05", "--watch")
    assert watched.process.stdout
    watched.process.stdout.readline()
    watched.process.stdout.close()
    assert watched.process.wait(30) == 141
    assert watched.process.stderr
    assert watched.process.stderr.read() == ""
    command = hosts[0].command(*words, "-i", "0.05")
    with open("/dev/full", "w") as full:
        said = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, env=PLAIN)
    assert (said.returncode, said.stderr) == (1, "fleutan: No space left on device\n")


# -- what may not be counted


#: Hides what the kernel says of its types.
WITHOUT_BTF = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")


@pytest.mark.usefixtures("needs_users")
@pytest.mark.parametrize(
    ("before", "why"),
    [
        (NOBODY, "it takes root, or CAP_BPF and CAP_PERFMON; "),
        (WITHOUT_BTF, "this kernel has no /sys/kernel/btf/vmlinux"),
    ],
    ids=["nobody", "without BTF"],
)
def test_what_cannot_be_counted_is_said_in_a_line(hosts: tuple[Host, Host], before: tuple[str, ...], why: str) -> None:
    for line in ("flows --vol", "flows -q", "flows --cpu"):
        said = hosts[0].fleutan(*line.split(), "-i", "0.05", before=before)
        assert said.returncode == 0, said.stderr
        assert f"fleutan: note: packets are not counted: BPF: {why}" in said.stderr
    for line in ("drops", "lifecycle", "flows -q -g proc"):
        said = hosts[0].fleutan(*line.split(), "-i", "0.05", before=before)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (1, "", 1)
        assert said.stderr.partition("BPF: ")[2].startswith(why)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("flows --cpu -q", "--cpu and --qdisc are different questions: ask one at a time"),
        ("flows --cpu=all", "invalid value for '--cpu': 'all' is not one of 'flows', 'load'; see 'fleutan flows -h'"),
        ("flows --cpu -g -i 1", "no field is called '-i'; 'fleutan fields' lists all"),
        ("flows -q -i nan", "-i nan: say seconds, 86400 at most"),
        ("flows -q --sort bytes:up", "--sort bytes:up: after ':' comes asc or desc"),
        ("flows -q -g dev --sort bytes:asc", "--sort bytes:asc: groups come with the greatest first"),
        ("flows -q direction = tx", "direction is not known of flows; 'fleutan fields' lists what is"),
        ("flows --fields reason", "reason is not known of flows; 'fleutan fields' lists what is"),
        ("flows --fields tx_bytes", "tx_bytes is known over an interval only: say how long with -i SECS"),
        ("drops -i nan", "-i nan: say seconds, 86400 at most"),
        ("drops tx_bytes > 0", "tx_bytes is not known of drops; 'fleutan drops --fields all' has what is"),
        ("lifecycle --sort cpu", "cpu is not known of lifecycle; 'fleutan lifecycle --fields all' has what is"),
        ("lifecycle -N fln-none", "no network namespace called 'fln-none'; known: "),
    ],
)
def test_a_wrong_question_is_a_line_before_anything_is_counted(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    found = capsys.readouterr()
    assert (ended.value.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert found.err.startswith(f"fleutan: {said}")
