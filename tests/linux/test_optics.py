# SPDX-License-Identifier: Apache-2.0
"""Memories of modules, written down by the tables of SFF-8472 and SFF-8636."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.linux.optics import Lane, read

SFP, QSFP, QSFP_FIRST = 2, 3, 4
CMIS = 0x18


def sfp(monitoring: int = 0x60, **more: int) -> bytearray:
    memory = bytearray(512)
    memory[0], memory[92] = 0x03, monitoring
    struct.pack_into(">H", memory, 60, 850)
    struct.pack_into(">4H", memory, 256 + 24, 10_000, 1_000, 12_000, 500)  # tx high, low alarm
    struct.pack_into(">4H", memory, 256 + 32, 11_000, 200, 12_000, 500)  # rx high, low alarm
    struct.pack_into(">hHHHH", memory, 256 + 96, -640, 33_001, 3_000, 5_678, 4_321)
    return memory


def qsfp(length: int = 640) -> bytearray:
    memory = bytearray(max(length, 640))
    memory[0], memory[220] = 0x11, 0x0C
    struct.pack_into(">h", memory, 22, 0x1980)  # 25.5 degrees
    struct.pack_into(">H", memory, 26, 33_105)
    struct.pack_into(">4H", memory, 34, 10_000, 20_000, 30_004, 5)
    struct.pack_into(">4H", memory, 42, 3_000, 3_001, 3_002, 3_003)
    struct.pack_into(">4H", memory, 50, 7_000, 8_000, 9_000, 10_000)
    struct.pack_into(">H", memory, 186, 26_200)
    struct.pack_into(">2H", memory, 512 + 176 - 128, 22_387, 1_349)
    struct.pack_into(">2H", memory, 512 + 192 - 128, 28_184, 1_071)
    return memory[:length]


def test_an_sfp() -> None:
    found = read(SFP, bytes(sfp()))
    assert found
    assert (found.voltage, found.temperature) == (3300, -2500)
    assert found.lanes == (Lane(1, 6000, 568, 100, 1000, 850, 432, 20, 1100),)


def test_an_sfp_whose_constants_are_outside() -> None:
    memory = sfp(0x50)
    # Rx_PWR(4) to (0); slope and offset of bias, power, temperature, voltage
    struct.pack_into(">5f", memory, 256 + 56, 0.0, 0.0, 0.0, 2.0, 100.0)
    slopes = (0x0080, -500, 0x0200, 22, 0x0100, 128, 0x0180, -1)
    struct.pack_into(">HhHhHhHh", memory, 256 + 76, *slopes)
    found = read(SFP, bytes(memory))
    assert found
    lane = found.lanes[0]
    assert lane.tx_bias == 2 * (3_000 / 2 - 500)
    assert (lane.tx_power, lane.tx_power_max) == (round((2 * 5_678 + 22) / 10), round((2 * 10_000 + 22) / 10))
    assert (lane.rx_power, lane.rx_power_min) == (round((2 * 4_321 + 100) / 10), 50)
    assert found.temperature == -2000
    assert found.voltage == round((1.5 * 33_001 - 1) / 10)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), -1.0, 1e30])
def test_constants_that_make_no_sense_give_nothing(factor: float) -> None:
    memory = sfp(0x50)
    struct.pack_into(">5f", memory, 256 + 56, factor, factor, factor, factor, factor)
    struct.pack_into(">HhHhHhHh", memory, 256 + 76, *([0x0100, 0] * 4))
    found = read(SFP, bytes(memory))
    assert found
    assert (found.lanes[0].rx_power, found.lanes[0].tx_power) == (None, 568)


def test_copper_has_no_wavelength() -> None:
    memory = sfp()
    memory[8] = 0x04
    found = read(SFP, bytes(memory))
    assert found
    assert found.lanes[0].tx_wavelength is None


def test_a_qsfp() -> None:
    found = read(QSFP, bytes(qsfp()))
    assert found
    assert (found.voltage, found.temperature) == (3310, 25_500)
    assert found.lanes[0] == Lane(1, 6000, 700, 107, 2818, 1310, 1000, 135, 2239)
    assert [lane.rx_power for lane in found.lanes] == [1000, 2000, 3000, 0]
    assert [lane.number for lane in found.lanes] == [1, 2, 3, 4]


def test_a_qsfp_without_limits_and_without_sending_power() -> None:
    memory = qsfp(256)
    memory[220] = 0x08
    found = read(QSFP_FIRST, bytes(memory))
    assert found
    assert found.lanes[1] == Lane(2, 6002, None, None, None, 1310, 2000, None, None)
    flat = qsfp()
    flat[2] = 0x04
    assert read(QSFP, bytes(flat)).lanes[0].tx_power_max is None  # type: ignore[union-attr]


def test_what_measures_nothing_or_is_another_thing_gives_nothing() -> None:
    assert read(SFP, bytes(sfp(0))) is None
    copper = qsfp()
    copper[147] = 0xA0
    other = qsfp()
    other[0] = CMIS
    for memory in (copper, other):
        assert read(QSFP, bytes(memory)) is None
    no_sfp = sfp()
    no_sfp[0] = 0x0B
    assert read(SFP, bytes(no_sfp)) is None
    assert read(1, bytes(sfp())) is None


@pytest.mark.parametrize(("kind", "whole"), [(SFP, sfp()), (QSFP, qsfp())])
def test_memory_may_end_anywhere(kind: int, whole: bytearray) -> None:
    for length in range(len(whole)):
        read(kind, bytes(whole[:length]))


@given(kind=st.sampled_from([SFP, QSFP]), noise=st.binary(min_size=640, max_size=640))
def test_memory_may_hold_anything(kind: int, noise: bytes) -> None:
    first = b"\x03" if kind == SFP else b"\x11"
    read(kind, first + noise[1:92] + b"\x50" + noise[93:])
