# SPDX-License-Identifier: Apache-2.0
"""What optical modules measure of themselves, read from their memory as ``ethtool -m`` gives it.

SFF-8472 (SFP) and SFF-8636 (QSFP), which SFF-8436 is the first form of.  A module that measures
nothing, that is copper, or whose memory is of another kind (CMIS) gives nothing.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

#: include/uapi/linux/ethtool.h
ETH_MODULE_SFF_8472, ETH_MODULE_SFF_8636, ETH_MODULE_SFF_8436 = 2, 3, 4

#: Identifiers of SFF-8024: SFP; QSFP, QSFP+, QSFP28.
_SFP, _QSFP = 0x03, (0x0C, 0x0D, 0x11)
_LANES = 4


class Lane(NamedTuple):
    """A laser and its receiver: bias in microamperes, power in microwatts, wavelength in nanometres.

    The least and the most are the thresholds of the module's alarms.  The fields are in sFlow's order.
    """

    number: int
    tx_bias: int | None = None
    tx_power: int | None = None
    tx_power_min: int | None = None
    tx_power_max: int | None = None
    tx_wavelength: int | None = None
    rx_power: int | None = None
    rx_power_min: int | None = None
    rx_power_max: int | None = None


class Optics(NamedTuple):
    """A module: millivolts, thousandths of a degree Celsius, and its lanes."""

    voltage: int | None
    temperature: int | None
    lanes: tuple[Lane, ...]


def read(kind: int, memory: bytes) -> Optics | None:
    """What the memory of this kind (ETH_MODULE_*) tells; None for nothing."""
    if kind == ETH_MODULE_SFF_8472 and len(memory) >= 512:
        return _sff8472(memory)
    if kind in (ETH_MODULE_SFF_8636, ETH_MODULE_SFF_8436) and len(memory) >= 256:
        return _sff8636(memory)
    return None


def _word(memory: bytes, at: int) -> int:
    return int.from_bytes(memory[at : at + 2], "big")


def _signed(memory: bytes, at: int) -> int:
    return int.from_bytes(memory[at : at + 2], "big", signed=True)


# -- SFF-8472: the first 256 octets are at address A0h, the others, of the measurements, at A2h


_A2 = 256


def _sff8472(memory: bytes) -> Optics | None:
    monitoring = memory[92]
    if memory[0] != _SFP or not monitoring & 0x40:
        return None
    calibrated = _External(memory) if monitoring & 0x10 else _Internal()
    tx_max, tx_min, rx_max, rx_min = (_word(memory, _A2 + at) for at in (24, 26, 32, 34))
    bias, tx, rx = (_word(memory, _A2 + at) for at in (100, 102, 104))
    copper = memory[8] & 0x0C
    lane = Lane(
        1,
        tx_bias=_whole(2 * calibrated.linear(bias, 76)),
        tx_power=_whole(calibrated.linear(tx, 80) / 10),
        tx_power_min=_whole(calibrated.linear(tx_min, 80) / 10),
        tx_power_max=_whole(calibrated.linear(tx_max, 80) / 10),
        tx_wavelength=None if copper else _word(memory, 60) or None,
        rx_power=_whole(calibrated.received(rx) / 10),
        rx_power_min=_whole(calibrated.received(rx_min) / 10),
        rx_power_max=_whole(calibrated.received(rx_max) / 10),
    )
    voltage = _whole(calibrated.linear(_word(memory, _A2 + 98), 88) / 10)
    temperature = round(calibrated.linear(_signed(memory, _A2 + 96), 84) * 1000 / 256)
    return Optics(voltage, temperature, (lane,))


class _Internal:
    """Measurements that are in their units as they are: 2 uA, 0.1 uW, 100 uV, 1/256 degree."""

    def linear(self, value: int, _: int) -> float:
        return value

    def received(self, value: int) -> float:
        return value


class _External(_Internal):
    """Measurements to which constants of the module are applied (SFF-8472, 9.3), in the same units."""

    def __init__(self, memory: bytes) -> None:
        self._memory = memory
        self._polynomial = struct.unpack_from(">5f", memory, _A2 + 56)  # Rx_PWR(4) … Rx_PWR(0)

    def linear(self, value: int, at: int) -> float:
        """A slope in 1/256, and behind it an offset."""
        return value * _word(self._memory, _A2 + at) / 256 + _signed(self._memory, _A2 + at + 2)

    def received(self, value: int) -> float:
        result = 0.0
        for factor in self._polynomial:
            result = result * value + factor
        return result


# -- SFF-8636: the lower page, upper page 00h, and where there is memory for them pages 01h to 03h

_PAGE_3 = 512


def _sff8636(memory: bytes) -> Optics | None:
    technology = memory[147] >> 4
    if memory[0] not in _QSFP or technology >= 0xA:  # copper
        return None
    told = len(memory) >= _PAGE_3 + 128 and not memory[2] & 0x04  # flat memory has no further pages
    limits = (_PAGE_3 + at - 128 for at in (192, 194, 176, 178))
    tx_max, tx_min, rx_max, rx_min = (_tenth(memory, at) if told else None for at in limits)
    lanes = tuple(
        Lane(
            lane + 1,
            tx_bias=2 * _word(memory, 42 + 2 * lane),
            tx_power=_tenth(memory, 50 + 2 * lane) if memory[220] & 0x04 else None,
            tx_power_min=tx_min,
            tx_power_max=tx_max,
            tx_wavelength=round(_word(memory, 186) / 20) or None,
            rx_power=_tenth(memory, 34 + 2 * lane),
            rx_power_min=rx_min,
            rx_power_max=rx_max,
        )
        for lane in range(_LANES)
    )
    return Optics(_tenth(memory, 26), round(_signed(memory, 22) * 1000 / 256), lanes)


def _tenth(memory: bytes, at: int) -> int:
    """Tenths of microwatts as microwatts, or of millivolts as millivolts."""
    return round(_word(memory, at) / 10)


def _whole(value: float) -> int | None:
    """What a module may say; constants that make no sense give nothing."""
    return round(value) if 0 <= value < 1 << 32 else None
