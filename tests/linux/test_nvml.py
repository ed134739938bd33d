# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

from fleutan.errors import NotSupported
from fleutan.linux.nvml import LIBRARY, Gpu, Nvml, Rates, _loaded

LOST = 15  # NVML_ERROR_GPU_IS_LOST


def _put(pointer: Any, value: int, done: int = 0) -> int:
    """Writes to where a function's last argument points."""
    pointer._obj.value = value
    return done


def _rates(device: ctypes.c_void_p, rates: Any) -> int:
    if device.value != 100:
        return LOST
    rates._obj.gpu, rates._obj.memory = 37, 110
    return 0


def _memory(_: object, memory: Any) -> int:
    memory._obj.total, memory._obj.free, memory._obj.used = 80 << 30, 3 << 30, 77 << 30
    return 0


def _processes(_: object, count: Any, room: None) -> int:
    assert count._obj.value == 0
    assert room is None
    return _put(count, 4, 7)


#: Of two devices, whose handles are 100 and 101.
FUNCTIONS: dict[str, Callable[..., int]] = {
    "nvmlInit_v2": lambda: 0,
    "nvmlShutdown": lambda: 0,
    "nvmlDeviceGetCount_v2": lambda count: _put(count, 2),
    "nvmlDeviceGetHandleByIndex_v2": lambda index, handle: _put(handle, 100 + index.value),
    "nvmlDeviceGetUtilizationRates": _rates,
    "nvmlDeviceGetMemoryInfo": _memory,
    "nvmlDeviceGetComputeRunningProcesses_v3": _processes,
    "nvmlDeviceGetComputeRunningProcesses_v2": _processes,
    "nvmlDeviceGetComputeRunningProcesses": _processes,
    "nvmlDeviceGetTotalEccErrors": lambda _, kind, counter, errors: _put(errors, 10 * kind.value + counter.value),
    "nvmlDeviceGetTotalEnergyConsumption": lambda _, energy: _put(energy, 1 << 40),
    "nvmlDeviceGetTemperature": lambda _, sensor, degrees: _put(degrees, 61 + sensor.value),
    "nvmlDeviceGetFanSpeed": lambda _, speed: _put(speed, 30),
}


class Library:
    """The functions of NVML; those in ``missing`` fail with ``fails``, or are not there where that is 0."""

    def __init__(self, *missing: str, fails: int = 3) -> None:
        self.missing, self.fails = missing, fails
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name not in FUNCTIONS or (name in self.missing and not self.fails):
            raise AttributeError(name)
        self.calls.append(name)
        return (lambda *_: self.fails) if name in self.missing else FUNCTIONS[name]


WHOLE = Gpu(80 << 30, 3 << 30, 4, 11, 1 << 40, 61, 30)
NAMES = {
    "nvmlDeviceGetMemoryInfo": ("mem_total", "mem_free"),
    "nvmlDeviceGetTotalEccErrors": ("ecc_errors",),
    "nvmlDeviceGetTotalEnergyConsumption": ("energy",),
    "nvmlDeviceGetTemperature": ("temperature",),
    "nvmlDeviceGetFanSpeed": ("fan_speed",),
}


def test_devices() -> None:
    library = Library()
    with Nvml(library) as nvml:
        assert nvml.read() == [WHOLE, WHOLE]
        assert nvml.rates() == [Rates(37, 100), None]
    assert library.calls[0] == "nvmlInit_v2"
    assert library.calls[-1] == "nvmlShutdown"
    assert nvml.read() == []


@pytest.mark.parametrize("fails", [0, 3])
@pytest.mark.parametrize("name", NAMES)
def test_what_a_device_does_not_tell_is_unknown(name: str, fails: int) -> None:
    with Nvml(Library(name, fails=fails)) as nvml:
        assert nvml.read()[0] == WHOLE._replace(**dict.fromkeys(NAMES[name]))


def test_older_libraries_have_older_functions() -> None:
    names = [f"nvmlDeviceGetComputeRunningProcesses{end}" for end in ("_v3", "_v2", "")]
    with Nvml(Library(*names[:2], fails=0)) as nvml:
        assert nvml.read() == [WHOLE, WHOLE]
    with Nvml(Library(*names, fails=0)) as nvml:
        assert nvml.read()[0].processes is None


def test_a_device_that_cannot_be_had_is_left_out() -> None:
    with Nvml(Library("nvmlDeviceGetHandleByIndex_v2")) as nvml:
        assert nvml.read() == []
    with Nvml(Library("nvmlDeviceGetCount_v2")) as nvml:
        assert nvml.rates() == []


def test_without_a_driver_it_says_so() -> None:
    with pytest.raises(NotSupported, match=r"does not begin .*9"), Nvml(Library("nvmlInit_v2", fails=9)):
        pass


def test_without_the_library_it_says_so() -> None:
    with pytest.raises(NotSupported, match=r"there is no libnvidia-ml\.so\.0x"):
        _loaded("libnvidia-ml.so.0x")


def test_the_real_one() -> None:
    try:
        with Nvml() as nvml:
            assert all(gpu.mem_total for gpu in nvml.read())
    except NotSupported as error:
        pytest.skip(f"needs {LIBRARY} and a device: {error}")
