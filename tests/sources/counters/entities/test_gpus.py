# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.errors import NotSupported
from fleutan.exports.sflow.counters import element
from fleutan.linux.nvml import Gpu, Nvml, Rates
from fleutan.sources.counters.entities.gpus import AGAIN_S, LONGEST_S, Gpus


class Driver(Nvml):
    """Devices as they are told."""

    def __init__(self, gpus: list[Gpu], rates: list[Rates | None]) -> None:
        super().__init__(object())
        self.gpus, self.now_busy, self.is_there, self.opened = gpus, rates, True, 0

    def __enter__(self) -> Driver:
        if not self.is_there:
            raise NotSupported("NVML", "there is no driver")
        self.opened += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.opened -= 1

    def read(self) -> list[Gpu]:
        return self.gpus

    def rates(self) -> list[Rates | None]:
        return self.now_busy


TWO = [Gpu(100, 60, 1, None, 5000, 50, None), Gpu(200, 10, 2, None, 700, 70, 40)]


def test_two_devices_are_one_structure() -> None:
    now = [100.0]
    driver = Driver(TWO, [Rates(50, 10), Rates(100, 0)])
    with Gpus(lambda: driver, lambda: now[0]) as gpus:
        for _ in range(4):
            now[0] += 0.5
            gpus.tick()
        driver.now_busy = [Rates(0, 0), None]
        now[0] += 1
        gpus.tick()
        (found,) = gpus.structures().values()
    assert found == {
        "device_count": 2,
        "gpu_time": 3000,
        "mem_time": 200,
        "processes": 3,
        "mem_total": 300,
        "mem_free": 70,
        "ecc_errors": None,
        "energy": 5700,
        "temperature": 70,
        "fan_speed": 40,
    }
    assert element("nvidia_gpu", found).values[-4] == 0xFFFF_FFFF, "in the order of the layout"
    assert driver.opened == 0


def test_times_of_a_second_are_added_exactly() -> None:
    now = [0.0]
    with Gpus(lambda: Driver(TWO, [Rates(33, 1), Rates(0, 0)]), lambda: now[0]) as gpus:
        for _ in range(1000):
            now[0] += 1.0
            gpus.tick()
        found = gpus.structures()["nvidia_gpu"]
    assert found["gpu_time"] == pytest.approx(330_000, abs=1)
    assert found["mem_time"] == pytest.approx(10_000, abs=1)


def test_a_moment_does_not_stand_for_a_long_time() -> None:
    now = [0.0]
    with Gpus(lambda: Driver(TWO, [Rates(100, 100)]), lambda: now[0]) as gpus:
        now[0] += 3600
        gpus.tick()
        assert gpus.structures()["nvidia_gpu"]["gpu_time"] == LONGEST_S * 1000


def test_without_a_driver_there_is_nothing_and_a_reason() -> None:
    driver = Driver(TWO, [])
    driver.is_there = False
    with Gpus(lambda: driver) as gpus:
        gpus.tick()
        assert gpus.structures() == {}
        assert gpus.trouble == "NVML: there is no driver"
    with Gpus(lambda: Driver([], [])) as gpus:
        assert gpus.structures() == {}


def test_a_driver_that_does_not_answer_any_more_is_opened_again() -> None:
    now = [0.0]
    driver = Driver(TWO, [None, None])
    with Gpus(lambda: driver, lambda: now[0]) as gpus:
        gpus.tick()
        now[0] += AGAIN_S
        driver.is_there = False
        gpus.tick()
        assert gpus.structures() == {}
        assert gpus.trouble
        driver.is_there = True
        now[0] += AGAIN_S
        gpus.tick()
        assert gpus.structures()
        assert not gpus.trouble
        assert driver.opened == 1
    assert driver.opened == 0
