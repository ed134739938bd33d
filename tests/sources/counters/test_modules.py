# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import array

from tests.linux.test_optics import sfp
from tests.sources.counters.asked import Clock, Told

from fleutan.sources.counters.devices import Interface
from fleutan.sources.counters.modules import ROUND, SECONDS, Modules

ETH = Interface(2, "eth0")


def test_a_module_is_asked_seldom() -> None:
    told = Told()
    told.memory = bytes(sfp())
    modules = Modules(told.clock)
    modules.begin()
    first = modules.read(told.ask, ETH)
    assert first
    told.clock.now += SECONDS - 1
    modules.begin()
    assert modules.read(told.ask, ETH) is first
    told.memory = b""
    told.clock.now += 2
    modules.begin()
    assert modules.read(told.ask, ETH) is None
    assert [name for name, command in told.asked if command == 0x42] == ["eth0", "eth0"]


def test_a_round_takes_only_so_long_and_others_wait() -> None:
    told = Told()
    told.memory = bytes(sfp())
    clock = Clock()

    def slow(name: str, request: array.array[int]) -> None:
        clock.now += ROUND
        told.ask(name, request)

    modules = Modules(clock)
    for expected in ([True, False, False], [True, True, False], [True, True, True]):
        modules.begin()
        found = [modules.read(slow, Interface(index, f"eth{index}")) for index in (1, 2, 3)]
        assert [one is not None for one in found] == expected


def test_one_whose_turn_it_is_not_keeps_what_is_known() -> None:
    told = Told()
    told.memory = bytes(sfp())
    modules = Modules(told.clock)
    modules.begin()
    first = modules.read(told.ask, ETH)
    told.clock.now += SECONDS
    assert modules.read(told.ask, ETH) is first
    assert len(told.asked) == 2


def test_another_interface_of_the_index_has_another_module() -> None:
    told = Told()
    told.memory = bytes(sfp())
    modules = Modules(told.clock)
    modules.begin()
    assert modules.read(told.ask, ETH)
    told.memory = b""
    assert modules.read(told.ask, Interface(2, "eth9")) is None
    told.memory = bytes(sfp())
    modules.keep([])
    assert modules.read(told.ask, Interface(2, "eth9"))
