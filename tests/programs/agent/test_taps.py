# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.config.agents import Tap
from fleutan.config.sections import Packets
from fleutan.programs.agent.rates import Interface
from fleutan.programs.agent.taps import choose, fits, written

LO = Interface("lo", 1, loopback=True)
ETH0, ETH1 = Interface("eth0", 2, speed=10**10), Interface("eth1", 3, speed=10**9)
VLAN, BOND, VETH = (Interface(f"{kind}0", 9, kind=kind, speed=10**10) for kind in ("vlan", "bond", "veth"))
ALL = [LO, ETH0, ETH1, VLAN, BOND, VETH]


def chosen(*taps: Tap, among: list[Interface] = ALL) -> dict[str, Tap]:
    return {one.interface.name: one.tap for one in choose(Packets(devices=taps), among) if one.tap is not None}


def why(name: str, *taps: Tap, among: list[Interface] = ALL) -> str:
    return next(one.why for one in choose(Packets(devices=taps), among) if one.interface.name == name)


def test_without_a_word_it_is_those_with_hardware() -> None:
    assert chosen() == {"eth0": Tap(), "eth1": Tap()}
    assert (why("eth0"), why("lo")) == ("it has hardware of its own", "it is loopback")
    assert why("veth0") == "it has no hardware of its own (veth), and packets.devices does not name it"


def test_where_none_has_hardware_it_is_all_but_loopback() -> None:
    among = [LO, VETH]
    assert chosen(among=among) == {"veth0": Tap()}
    assert (why("veth0", among=among), why("lo", among=among)) == ("no device here has hardware", "it is loopback")


def test_the_first_that_fits_counts() -> None:
    own = Tap("eth0", sampling=7)
    assert chosen(own, Tap("eth*")) == {"eth0": own, "eth1": Tap("eth*")}
    assert chosen(Tap("eth0", excluded=True), Tap("eth*")) == {"eth1": Tap("eth*")}
    assert why("eth0", Tap("eth0", excluded=True), Tap("eth*")) == "packets.devices has !eth0"
    assert (why("eth1", own), why("eth0", own)) == ("packets.devices does not name it", "packets.devices has eth0")


def test_where_some_are_left_out_and_none_is_named_the_others_are_taken() -> None:
    assert set(chosen(Tap("eth0", excluded=True))) == {"eth1", "veth0"}
    assert why("eth1", Tap("eth0", excluded=True)) == "packets.devices does not leave it out"


@pytest.mark.parametrize(
    ("tap", "names"),
    [
        (Tap("v*"), {"vlan0", "veth0"}),
        (Tap(pattern="th[01]$"), {"eth0", "eth1", "veth0"}),
        (Tap(speed=(10**10, 10**10)), {"eth0", "veth0"}),
        (Tap(speed=(0, 10**9)), {"eth1"}),
        (Tap("vlan0", speed=(10**10, 10**11)), {"vlan0"}),
        (Tap(), {"eth0", "eth1", "veth0"}),
        (Tap("lo"), {"lo"}),
    ],
)
def test_every_condition_is_met_and_what_would_be_seen_twice_has_to_be_named(tap: Tap, names: set[str]) -> None:
    assert {one.name for one in ALL if fits(tap, one)} == names


def test_an_unknown_speed_is_in_a_range_from_nothing_only() -> None:
    unknown = Interface("eth0", 2)
    assert [fits(Tap(speed=speed), unknown) for speed in ((0, 1), (1, 10**12))] == [True, False]


def test_what_is_asked_for_in_words() -> None:
    assert written(Tap("eth*", "^e", (1000, 2000))) == "eth*, /^e/, a speed from 1,000 to 2,000 bit/s"
    assert written(Tap()) == "every device"
