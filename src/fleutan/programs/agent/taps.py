# SPDX-License-Identifier: Apache-2.0
"""Of which devices packets are sampled, and why.  Pure; to be asked again when devices come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from fleutan.config.agents import Tap, expression
from fleutan.config.sections import Packets
from fleutan.programs.agent.rates import Interface

#: Kinds of devices that pass on what others have sampled already, or will: LAGs and what lies on a device.
ABOVE = frozenset({"bond", "team", "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"})


class Tapped(NamedTuple):
    """A device, what asks for its packets (None if nothing does), and why, as the end of a sentence."""

    interface: Interface
    tap: Tap | None
    why: str


def choose(packets: Packets, interfaces: Iterable[Interface]) -> list[Tapped]:
    """What becomes of each device, in their order."""
    all_of_them = [*interfaces]
    if packets.devices:
        return [_said(packets.devices, one) for one in all_of_them]
    return [*_unsaid(all_of_them)]


def _unsaid(interfaces: list[Interface]) -> Iterator[Tapped]:
    """Those with hardware of their own; where there is none, as in a container, all but loopback."""
    has_hardware = any(_is_hardware(one) for one in interfaces)
    for one in interfaces:
        if one.loopback:
            yield Tapped(one, None, "it is loopback")
        elif _is_hardware(one) or not has_hardware:
            yield Tapped(one, Tap(), "it has hardware of its own" if has_hardware else "no device here has hardware")
        else:
            yield Tapped(one, None, f"it has no hardware of its own ({one.kind}), and packets.devices does not name it")


def _is_hardware(interface: Interface) -> bool:
    return not interface.kind and not interface.loopback


def _said(taps: tuple[Tap, ...], interface: Interface) -> Tapped:
    """What the first that fits says; where all of them only leave devices out, others are taken."""
    for tap in taps:
        if fits(tap, interface):
            what = written(tap)
            return Tapped(interface, None if tap.excluded else tap, f"packets.devices has {what}")
    if all(tap.excluded for tap in taps) and not _is_passed_over(interface):
        return Tapped(interface, Tap(), "packets.devices does not leave it out")
    return Tapped(interface, None, "packets.devices does not name it")


def fits(tap: Tap, interface: Interface) -> bool:
    """Whether every condition that is said is met.

    Where none is of the name, what would be sampled twice is passed over: LAGs, VLANs, loopback.
    """
    if not (tap.device or tap.pattern) and _is_passed_over(interface):
        return False
    return (
        (not tap.device or fnmatchcase(interface.name, tap.device))
        and (not tap.pattern or expression(tap.pattern).search(interface.name) is not None)
        and (tap.speed is None or tap.speed[0] <= (interface.speed or 0) <= tap.speed[1])
    )


def _is_passed_over(interface: Interface) -> bool:
    return interface.loopback or interface.kind in ABOVE


def written(tap: Tap) -> str:
    """What a tap asks for, in words."""
    said = [
        *([tap.device] if tap.device else []),
        *([f"/{tap.pattern}/"] if tap.pattern else []),
        *([f"a speed from {tap.speed[0]:,} to {tap.speed[1]:,} bit/s"] if tap.speed else []),
    ]
    return "!" * tap.excluded + (", ".join(said) or "every device")
