# SPDX-License-Identifier: Apache-2.0
"""One packet in how many of an interface is sampled, and why: decided as hsflowd does, said in words.

The rule is often misunderstood: ``sampling`` alone counts only for interfaces whose speed is unknown.
Pure; facts of interfaces come in.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from fleutan.config.agents import Application, Sampling, Tap
from fleutan.config.sections import Agent

#: Bits a second for each one of the rate, and the least rate that comes of it (HSP_SPEED_SAMPLING_RATIO, _MIN).
RATIO, LEAST = 1_000_000, 100
_UNITS = ((10**15, "Pbit/s"), (10**12, "Tbit/s"), (10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s"))
#: How hsflowd calls a speed: whole units from four digits on.
_NAMED = (10**12, 10**9, 10**6, 10**3)


class Interface(NamedTuple):
    """What is known of a device that matters here.

    ``speed`` is in bits a second, ``up`` whether it can carry packets; None where that is unknown.
    ``kind`` is what made it (IFLA_INFO_KIND, as ``veth``), empty where it has hardware of its own.
    """

    name: str
    ifindex: int
    up: bool | None = True
    speed: int | None = None
    kind: str = ""
    loopback: bool = False


class Rate(NamedTuple):
    """One in how many, 0 for none, and why, as the end of a sentence; ``by_itself`` is whether nobody said it."""

    one_in: int
    why: str
    by_itself: bool = False

    def __str__(self) -> str:
        return f"{f'1 in {self.one_in:,}' if self.one_in else 'none'}: {self.why}"


def rate(sampling: Sampling, interface: Interface, tap: Tap | None = None) -> Rate:
    """The rate of an interface; ``tap`` is what asks for its packets."""
    if interface.up is False:
        return Rate(0, f"{interface.name} is down")
    if tap is not None and tap.sampling is not None:
        return Rate(tap.sampling, "said where its packets are asked for")
    for pattern, said in sampling.devices.items():
        if fnmatchcase(interface.name, pattern):
            return Rate(said, f"sampling.devices has {pattern}")
    if not interface.speed:
        return Rate(sampling.default, "sampling, since its speed is unknown")
    return _by_speed(sampling, interface.speed)


def _by_speed(sampling: Sampling, speed: int) -> Rate:
    if speed in sampling.speeds:
        return Rate(sampling.speeds[speed], f"sampling.{named(speed)}")
    if (called := _called(speed)) in sampling.speeds:
        return Rate(sampling.speeds[called], f"sampling.{named(called)}, which {speed_text(speed)} counts as")
    if sampling.bps_ratio == 0:
        return Rate(sampling.default, "sampling, since sampling.bps_ratio = 0 has its speed not count")
    if sampling.bps_ratio is not None:
        return Rate(
            max(1, speed // sampling.bps_ratio), f"{speed_text(speed)} / {sampling.bps_ratio:,} (sampling.bps_ratio)"
        )
    least = f" is below the least, {LEAST}" if speed // RATIO < LEAST else ""
    return Rate(
        max(LEAST, speed // RATIO),
        f"{speed_text(speed)} / {RATIO:,}{least}; sampling counts only where the speed is unknown",
        by_itself=True,
    )


def _called(speed: int) -> int:
    """The speed in whole units, as hsflowd looks it up: 2.5 Gbit/s is its ``2G``."""
    unit = next((unit for unit in _NAMED if speed >= unit), 1)
    return speed - speed % unit


def named(speed: int) -> str:
    """A speed as it is written in a configuration: ``10G``, ``2.5G``."""
    for unit, letter in zip((10**15, *_NAMED), "PTGMK", strict=True):
        if speed >= unit and not speed * 1000 % unit:
            whole, part = divmod(speed * 1000 // unit, 1000)
            return f"{whole}.{part:03}".rstrip("0").rstrip(".") + letter
    return str(speed)


def speed_text(speed: int) -> str:
    """A speed as people write it: ``10 Gbit/s``."""
    for unit, name in _UNITS:
        if speed >= unit:
            return f"{round(speed / unit, 3):g} {name}"
    return f"{speed} bit/s"


def of_application(agent: Agent, name: str) -> Application:
    """Sampling and polling of an application that sends its own figures, neither of them None.

    ``applications`` has names with ``app.`` before; each key is that of the longest name that says it
    and is the application's, or a part of it that ends at a dot.
    """
    parts = f"app.{name}".split(".")
    above = [agent.applications.get(".".join(parts[:count])) for count in range(len(parts), 0, -1)]
    found = [one for one in above if one is not None]
    sampling = next((one.sampling for one in found if one.sampling is not None), agent.sampling.default)
    polling = next((one.polling for one in found if one.polling is not None), agent.polling)
    return Application(sampling, polling)
