# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleutan.errors import NotSupported
from fleutan.linux import capabilities
from fleutan.linux.namespaces import Namespace, entered, find
from fleutan.linux.outward import Sides
from fleutan.sources.counters.entities.network import LIFETIME_S, MOST, Networks, _Known

HEAD = "Inter-|   Receive |  Transmit\n face |bytes ...|bytes ...\n"


def line(name: str, rx: int, tx: int) -> str:
    return f" {name}: {rx} {rx} 0 0 0 0 0 0 {tx} {tx} 0 0 0 0 0 0\n"


def put(root: Path, pid: str, space: str, *lines: str) -> int:
    """A process in a namespace, which is a file here; its inode."""
    for folder in (root / "spaces", root / pid / "ns", root / pid / "net"):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "spaces" / space).touch()
    link = root / pid / "ns/net"
    link.unlink(missing_ok=True)
    link.symlink_to(root / "spaces" / space)
    (root / pid / "net/dev").write_text(HEAD + "".join(lines))
    return os.stat(link).st_ino


class Looks:
    """Says which devices lead out, and remembers for which namespaces it was asked."""

    def __init__(self, *names: str, fails: bool = False) -> None:
        self.names, self.fails = frozenset(names), fails
        self.spaces: list[int] = []

    def __call__(self, space: Namespace) -> frozenset[str]:
        self.spaces.append(space.inode)
        if self.fails:
            raise NotSupported("entering network namespace", "operation not permitted")
        return self.names


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    put(tmp_path, "1", "host", line("lo", 1, 1))
    put(tmp_path, "self", "ours")
    put(tmp_path, "7", "inner", line("lo", 5, 5), line("eth0", 10, 20), line("docker0", 3, 4))
    return tmp_path


def test_devices_that_lead_out(proc: Path) -> None:
    looks = Looks("eth0")
    networks = Networks(str(proc), lambda: 0.0, looks)
    inode = networks.inode(7)
    assert inode
    assert networks.read(7, inode) == {(inode, "eth0"): Sides(10, 10, 0, 0, 20, 20, 0, 0)}
    assert looks.spaces == [inode]


def test_the_hosts_is_no_containers_own(proc: Path) -> None:
    networks = Networks(str(proc))
    assert networks.is_hosts(put(proc, "8", "host"))
    assert networks.is_hosts(put(proc, "9", "ours"))
    assert not networks.is_hosts(networks.inode(7) or 0)
    assert networks.inode(99) is None


def test_it_is_looked_at_again_where_devices_changed_and_once_in_a_while(proc: Path) -> None:
    looks, now = Looks("eth0"), [0.0]
    networks = Networks(str(proc), lambda: now[0], looks)
    inode = networks.inode(7) or 0
    for _ in range(3):
        networks.read(7, inode)
    assert len(looks.spaces) == 1
    put(proc, "7", "inner", line("lo", 5, 5), line("eth0", 11, 21))
    networks.read(7, inode)
    assert len(looks.spaces) == 2
    now[0] += LIFETIME_S
    networks.read(7, inode)
    assert len(looks.spaces) == 3


def test_a_number_that_is_anothers_by_now_tells_nothing(proc: Path) -> None:
    networks = Networks(str(proc), look=Looks("eth0"))
    before = networks.inode(7) or 0
    put(proc, "7", "another", line("eth0", 1000, 1000))
    assert networks.read(7, before) is None
    assert networks.read(99, before) is None


def test_without_the_privilege_only_one_device_is_certain(proc: Path) -> None:
    networks = Networks(str(proc), look=Looks(fails=True))
    inode = networks.inode(7) or 0
    assert networks.read(7, inode) is None
    assert "not permitted" in networks.trouble
    inode = put(proc, "7", "single", line("lo", 5, 5), line("eth0", 10, 20))
    assert networks.read(7, inode) == {(inode, "eth0"): Sides(10, 10, 0, 0, 20, 20, 0, 0)}


def test_what_is_remembered_is_bounded(proc: Path) -> None:
    networks = Networks(str(proc), look=Looks("eth0"))
    for number in range(MOST):
        networks._known[-number] = _Known(frozenset(), None, 0.0)
    networks.read(7, networks.inode(7) or 0)
    assert len(networks._known) == 1


@pytest.fixture
def space() -> Iterator[str]:
    if capabilities.missing(("CAP_SYS_ADMIN", "CAP_NET_ADMIN")):
        pytest.skip("needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for network namespaces of its own")
    name = f"fln{os.getpid()}"
    commands = [
        f"ip netns add {name}",
        f"ip netns add {name}o",
        f"ip -n {name}o link add eth0 type veth peer eth0 netns {name}",
        f"ip -n {name} address add 192.0.2.1/24 dev eth0",
        f"ip -n {name}o address add 192.0.2.2/24 dev eth0",
        f"ip -n {name} link set eth0 up",
        f"ip -n {name}o link set eth0 up",
        f"ip -n {name} link add dummy9 type bridge",
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True)
        yield name
    finally:
        for one in (name, f"{name}o"):
            subprocess.run(["ip", "netns", "delete", one], check=False)


def test_a_real_namespace(space: str) -> None:
    with subprocess.Popen(["ip", "netns", "exec", space, "cat"], stdin=subprocess.PIPE) as process:
        networks = Networks()
        inode = os.stat(f"/run/netns/{space}").st_ino
        while networks.inode(process.pid) != inode:
            assert process.poll() is None
        assert not networks.is_hosts(inode)
        _send(space, "192.0.2.2")
        _send(f"{space}o", "192.0.2.1")
        found = networks.read(process.pid, inode)
        assert found
        ((key, sides),) = found.items()
        assert key == (inode, "eth0")
        device = ["ip", "-n", space, "-s", "-j", "link", "show", "eth0"]
        told = json.loads(subprocess.run(device, check=True, capture_output=True).stdout)[0]["stats64"]
        assert 10 * 142 <= sides.rx_bytes <= told["rx"]["bytes"]
        assert 10 * 142 <= sides.tx_bytes <= told["tx"]["bytes"]
        assert told["tx"]["packets"] - 10 < sides.tx_packets <= told["tx"]["packets"]
        assert process.stdin
        process.stdin.close()
        process.wait()
        assert networks.read(process.pid, inode) is None


def _send(space: str, to: str) -> None:
    with entered(find(space)), socket.socket(type=socket.SOCK_DGRAM) as one:
        for _ in range(10):
            one.sendto(bytes(100), (to, 9))
