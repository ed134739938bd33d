# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import array
import struct
import subprocess

import pytest

from fleutan.linux.ethtool import Link, Module, asking, counter_names, counters, link, module

GSTRINGS, GSTATS, GSSET_INFO, GMODULEINFO, GMODULEEEPROM, GLINKSETTINGS = 0x1B, 0x1D, 0x37, 0x42, 0x43, 0x4C


class Driver:
    """Answers as the kernel does, written down on its own; what it does not have it refuses."""

    def __init__(self, words: int = 4, speed: int = 10_000, duplex: int = 1, memory: bytes = b"") -> None:
        self.words, self.speed, self.duplex, self.memory = words, speed, duplex, memory
        self.names: list[str] = []
        self.values: list[int] = []
        self.refused: set[int] = set()
        self.asked: list[int] = []

    def __call__(self, name: str, request: array.array[int]) -> None:
        command = struct.unpack_from("=I", request)[0]
        self.asked.append(command)
        if name != "eth0" or command in self.refused:
            raise OSError
        at, part = self._answers(request.tobytes())[command]
        request[at : at + len(part)] = array.array("B", part)

    def _answers(self, request: bytes) -> dict[int, tuple[int, bytes]]:
        """Where an answer is written into its request, and what."""
        texts = b"".join(name.encode().ljust(32, b"\0") for name in self.names)
        known = struct.unpack_from("=b", request, 15)[0] == self.words if len(request) > 15 else False
        speed = struct.pack("=IB", self.speed, self.duplex) if known else bytes(11) + struct.pack("=b", -self.words)
        asked_for = struct.unpack_from("=I", request, 12)[0] if len(request) > 15 else 0
        return {
            GLINKSETTINGS: (4, speed),
            GSSET_INFO: (16, struct.pack("=I", len(self.names))),
            GSTRINGS: (8, struct.pack("=I", len(self.names)) + texts),
            GSTATS: (4, struct.pack(f"=I{len(self.values)}Q", len(self.values), *self.values)),
            GMODULEINFO: (4, struct.pack("=II", 2, len(self.memory))),
            GMODULEEEPROM: (16, self.memory[:asked_for]),
        }


@pytest.mark.parametrize("words", [3, 4, 5])
def test_speed_and_duplex_whatever_modes_the_kernel_knows(words: int) -> None:
    assert link(Driver(words), "eth0") == Link(10_000_000_000, True)


def test_what_is_not_known_of_a_link() -> None:
    assert link(Driver(speed=0xFFFF_FFFF, duplex=0xFF), "eth0") == Link(None, None)
    assert link(Driver(speed=10, duplex=0), "eth0") == Link(10_000_000, False)
    assert link(Driver(), "gone") == Link()


def test_a_kernel_that_changes_its_mind_is_not_asked_for_ever() -> None:
    driver = Driver()

    def ask(name: str, request: array.array[int]) -> None:
        driver.words += 1
        driver(name, request)

    assert link(ask, "eth0") == Link()
    assert len(driver.asked) == 2


def test_counters_and_their_names() -> None:
    driver = Driver()
    driver.names, driver.values = ["rx_broadcast", "x" * 32], [7, 1 << 63]
    assert counter_names(driver, "eth0") == driver.names
    assert counters(driver, "eth0", 2) == (7, 1 << 63)


def test_a_driver_without_counters() -> None:
    driver = Driver()
    assert counter_names(driver, "eth0") == []
    assert counter_names(driver, "gone") == []
    driver.names = ["a"]
    driver.refused = {GSTRINGS}
    assert counter_names(driver, "eth0") == []


def test_counters_that_are_others_by_now() -> None:
    driver = Driver()
    driver.values = [1, 2, 3]
    assert counters(driver, "eth0", 2) is None
    driver.refused = {GSTATS}
    assert counters(driver, "eth0", 3) is None


def test_the_memory_of_a_module() -> None:
    memory = bytes(range(256)) * 2
    assert module(Driver(memory=memory), "eth0") == Module(2, memory)


@pytest.mark.parametrize("refused", [GMODULEINFO, GMODULEEEPROM])
def test_without_a_module_there_is_none(refused: int) -> None:
    driver = Driver(memory=bytes(512))
    driver.refused = {refused}
    assert module(driver, "eth0") is None


def test_memory_of_no_size_or_of_any_is_not_asked_for() -> None:
    assert module(Driver(), "eth0") is None
    assert module(Driver(memory=bytes(1 << 20)), "eth0") is None


def test_a_real_driver_says_how_fast_it_is_and_what_it_counts(namespace: None) -> None:
    subprocess.run(["sh", "-c", "ip link add veth0 up type veth peer name veth1 && ip link set veth1 up"], check=True)
    with asking() as ask:
        assert link(ask, "veth0") == Link(10_000_000_000, True)
        names = counter_names(ask, "veth0")
        assert names[0] == "peer_ifindex"
        counted = counters(ask, "veth0", len(names))
        assert counted
        with open("/proc/thread-self/net/dev") as lines:
            assert any(line.strip().startswith("veth1:") for line in lines)
        assert counted[0] > 0
        assert module(ask, "veth0") is None
        assert link(ask, "a-name-that-is-too-long") == Link()
