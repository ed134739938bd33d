# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping

from tests.programs.agent.opening.settings import agent

from fleutan.config.agents import Sampling
from fleutan.config.agents import Tap as Asked
from fleutan.programs.agent.opening.wanted import Wanted
from fleutan.programs.agent.rates import Interface
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.devices import Interface as Device
from fleutan.sources.packets.columns import Tap


class Three(Devices):
    """Hardware, a tunnel, and a device that is down."""

    def table(self, age: float = 0.0) -> Mapping[int, Device]:
        assert age > 0, "the kernel is not asked each time"
        return {
            2: Device(2, "eth0", speed=10**10, hardware=True),
            3: Device(3, "tun0", kind=None),
            4: Device(4, "eth1", running=False, hardware=True),
        }


def wanted(**said: object) -> Wanted:
    return Wanted(agent({key.replace("__", "."): value for key, value in said.items()}), Three())


def test_devices_are_what_rates_depend_on() -> None:
    assert wanted().interfaces() == [
        Interface("eth0", 2, up=True, speed=10**10),
        Interface("tun0", 3, up=True, kind="virtual"),
        Interface("eth1", 4, up=False),
    ]


def test_those_that_are_up_and_asked_for_are_sampled_each_way() -> None:
    sampling = Sampling(50)
    assert wanted(sampling=sampling).rates() == {2: 10_000}
    both = wanted(sampling=sampling, packets__devices=(Asked("eth*"), Asked("tun0")))
    assert both.rates() == {2: 10_000, 3: 50}
    assert both.taps() == {Tap(index, way): n for index, n in ((2, 10_000), (3, 50)) for way in (False, True)}
    for direction, egress in (("ingress", False), ("egress", True)):
        assert wanted(sampling=sampling, packets__direction=direction).taps() == {Tap(2, egress): 10_000}
    assert wanted(sampling=Sampling(0, bps_ratio=0)).rates() == {}, "a rate of none"


def test_what_the_kernel_samples_at_its_own_rate_is_asked_for_or_all_of_it() -> None:
    made = wanted(sampling=Sampling(50))
    assert [made.one_in(ifindex) for ifindex in (2, 3, 4, 99)] == [10_000, 50, 1, 1]
