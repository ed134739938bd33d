# SPDX-License-Identifier: Apache-2.0
"""What happens around an agent: devices and collectors come and go, others have its ports, nobody answers for names."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tests.namespaces.agents import Agent, listening
from tests.namespaces.conftest import Host, World, until

from fleutan.linux import namespaces
from fleutan.linux.libbpf import load_library
from fleutan.linux.packets import attaching

WORDS = ("--polling", "1", "--sampling", "2", "--device", "*")
pytestmark = pytest.mark.usefixtures("needs_bpf")
#: A name server that never answers, and a resolver that believes in it for minutes.
_SILENT = "nameserver 192.0.2.2\noptions timeout:30 attempts:5\n"


@pytest.fixture
def pair(short_world: World) -> tuple[Host, Host]:
    return short_world.pair()


def made(number: int) -> list[str]:
    """A device that carries packets, by its number."""
    return [f"link add d{number} type veth peer name p{number}", f"link set d{number} up", f"link set p{number} up"]


def test_devices_that_come_and_go_leave_nothing(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, _ = pair
    with Agent(here, tmp_path, "-c", "192.0.2.2", *WORDS) as agent:
        here.configure(*made(0))
        agent.when(lambda status: status["data_sources"] == 4, "the host and its devices")
        agent.looks(4)
        before = agent.settled()
        for look in range(5):
            for old, new in pairwise(range(6 * look, 6 * look + 7)):
                here.configure(f"link delete d{old}", *made(new))
            agent.looks()
        agent.when(lambda status: status["data_sources"] == 4, "those that are there")
        agent.looks(3)
        agent.assert_not_grown(before)
        assert agent.status()["failures"] == agent.status()["refused"] == {}
        assert agent.ended() == 0


def test_a_device_that_is_renamed_or_moves_away(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = pair
    with Agent(here, tmp_path, "-c", "192.0.2.2", *WORDS[:-1], "d*") as agent, namespaces.entered(_of(here)):
        here.configure(*made(0))
        index = namespaces_index("d0")
        until(lambda: programs_at(index) == 1, "it is sampled")
        here.configure("link set d0 down", "link set d0 name other", "link set other up")
        until(lambda: programs_at(index) == 0, "it is called otherwise")
        here.configure("link set other down", "link set other name d7", "link set d7 up")
        until(lambda: programs_at(index) == 1, "it is called so again")
        here.configure(f"link set d7 netns {there.name}", f"link add d8 index {index} type veth peer name e8")
        here.configure("link set d8 up", "link set e8 up")
        until(lambda: programs_at(index) == 1, "another has its number")
        with namespaces.entered(_of(there)):
            until(lambda: programs_at(namespaces_index("d7")) == 0, "it is elsewhere")
        agent.sends()
        assert agent.status()["failures"] == {}


def test_collectors_whose_device_and_namespace_vanish_and_return(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = pair
    away = f"{there.name}-away"
    places = f'{{host = "198.51.100.2", device = "out0"}}, {{host = "127.0.0.1", netns = "{away}"}}, "192.0.2.2"'
    file = tmp_path / "agent.toml"
    file.write_text(f"[agent]\npolling = 1\ncollectors = [{places}]\n")

    def both(troubled: bool) -> None:
        agent.when(lambda status: all(bool(one["trouble"]) == troubled for one in status["collectors"][:2]), "both")

    def device() -> None:
        peer = f"peer name out0 netns {there.name}"
        here.configure(f"link add out0 type veth {peer}", "address add 198.51.100.1/24 dev out0", "link set out0 up")

    device()
    with ExitStack() as held:
        held.enter_context(namespace(away))
        agent = held.enter_context(Agent(here, tmp_path / "run", "--config", str(file)))
        both(troubled=False)
        here.configure("link delete out0")
        subprocess.run(["ip", "netns", "delete", away], check=True)
        both(troubled=True)
        subprocess.run(["ip", "netns", "add", away], check=True)
        subprocess.run(["ip", "-netns", away, "link", "set", "lo", "up"], check=True)
        device()
        with listening(away, "127.0.0.1") as end:
            assert end.recv(1 << 16), "it goes into the namespace that is called so now"
        both(troubled=False)
        here.configure("link set veth0 down")
        agent.when(lambda status: status["collectors"][2]["trouble"], "the network is down")
        here.configure("link set veth0 up")
        agent.sends(2)
        assert agent.status()["failures"] == {}
        assert agent.ended() == 0


def test_names_that_nobody_answers_for_hold_up_nothing(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, _ = pair
    with silent_name_server(here):
        names = ("-c", "one.example", "-c", "two.example")
        with Agent(here, tmp_path, "-c", "192.0.2.2", *names, "--polling", "1", "--packets", "none") as agent:
            agent.when(lambda status: status["collectors"][0]["sent"], "the others are told")
            before = agent.settled()
            for _ in range(3):
                agent.tell(signal.SIGHUP)
                agent.when(lambda status: not status["collectors"][0]["sent"], "it began anew")
                agent.sends()
            agent.assert_not_grown(before)
            assert agent.status()["collectors"][1]["trouble"] == "its name is not known (yet)"
            assert agent.ended() == 0, "it does not wait for the answers"


def test_two_side_by_side_and_one_is_killed(pair: tuple[Host, Host], tmp_path: Path) -> None:
    here, _ = pair
    file = tmp_path / "agent.toml"
    file.write_text("[agent]\njson_port = 36343\n[agent.outputs]\nmetrics = 9343\n")
    words = ("--config", str(file), "-c", "192.0.2.2", *WORDS)
    with namespaces.entered(_of(here)), Agent(here, tmp_path / "first", *words) as first:
        index = namespaces_index("veth0")
        until(lambda: programs_at(index) == 1, "the first samples")
        assert first.when(lambda status: status["datagrams"], "it tells")["notes"] is not None
        with Agent(here, tmp_path / "second", *words) as second:
            until(lambda: programs_at(index) == 2, "both sample")
            lacks = " ".join(second.when(lambda status: status["datagrams"], "it tells")["notes"])
            assert "UDP port 36343 of 127.0.0.1: address already in use" in lacks
            assert "metrics cannot be served at 127.0.0.1:9343" in lacks
            first.tell(signal.SIGKILL)
            until(lambda: programs_at(index) == 1, "nothing of who was killed is left")
            second.tell(signal.SIGHUP)
            second.when(lambda status: "already in use" not in " ".join(status["notes"]), "it has the ports now")
            assert second.ended() == 0
        assert programs_at(index) == 0


def namespaces_index(name: str) -> int:
    return {device: index for index, device in namespaces.interface_names().items()}[name]


def _of(host: Host) -> namespaces.Namespace:
    return namespaces.find(host.name)


def programs_at(index: int) -> int:
    """How many programs see what a device of the calling thread's namespace receives, by tcx or as a filter."""
    libbpf = load_library()
    options = attaching._Query(ctypes.sizeof(attaching._Query))
    answer = libbpf.bpf_prog_query_opts(index, attaching._TCX[False], ctypes.byref(options))
    return (options.prog_cnt if answer == 0 else 0) + len(attaching.filters(index, egress=False))


@contextmanager
def namespace(name: str) -> Iterator[None]:
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-netns", name, "link", "set", "lo", "up"], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@contextmanager
def silent_name_server(host: Host) -> Iterator[None]:
    """What is run inside a host sees these files in /etc (ip-netns(8))."""
    folder = Path("/etc/netns") / host.name
    folder.mkdir(parents=True)
    try:
        (folder / "resolv.conf").write_text(_SILENT)
        (folder / "nsswitch.conf").write_text("hosts: dns\n")
        yield
    finally:
        shutil.rmtree(folder)
