# SPDX-License-Identifier: Apache-2.0
"""What is wanted of devices as they are now: which of them are sampled, which way, and one packet in how many."""

from __future__ import annotations

from fleutan.config import Agent
from fleutan.programs.agent.opening import REFRESH
from fleutan.programs.agent.rates import Interface, rate
from fleutan.programs.agent.taps import choose
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.devices import Interface as Device
from fleutan.sources.packets.columns import Tap


class Wanted:
    """What these settings want of the devices of a table, which is looked at anew each time."""

    def __init__(self, settings: Agent, devices: Devices) -> None:
        self._settings, self._devices = settings, devices

    def interfaces(self) -> list[Interface]:
        """What there is of devices, as far as rates depend on it."""
        return [_facts(one) for one in self._devices.table(1.0).values()]

    def rates(self) -> dict[int, int]:
        """Of which devices packets are sampled, by their number, and one in how many."""
        found = {}
        for tapped in choose(self._settings.packets, self.interfaces()):
            one = tapped.interface
            if tapped.tap is not None and (one_in := rate(self._settings.sampling, one, tapped.tap).one_in):
                found[one.ifindex] = one_in
        return found

    def taps(self) -> dict[Tap, int]:
        """The same of each way that packets go."""
        direction = self._settings.packets.direction
        ways = [egress for egress, name in ((False, "ingress"), (True, "egress")) if direction in ("both", name)]
        return {Tap(ifindex, egress): one_in for ifindex, one_in in self.rates().items() for egress in ways}

    def one_in(self, ifindex: int) -> int:
        """What is asked for of a device whose packets the kernel samples at a rate of its own."""
        one = self._devices.table(REFRESH).get(ifindex)
        return 1 if one is None else rate(self._settings.sampling, _facts(one)).one_in or 1


def _facts(one: Device) -> Interface:
    kind = one.kind or ("" if one.hardware or one.loopback else "virtual")
    return Interface(one.name, one.ifindex, one.up and one.running, one.speed, kind, one.loopback)
