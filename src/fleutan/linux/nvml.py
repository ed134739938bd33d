# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's graphics processors, asked by NVML (libnvidia-ml.so.1, which comes with the driver) through ctypes.

Functions and structures are those of nvml.h.  What a device, or an older library, does not tell is None.
"""

from __future__ import annotations

import ctypes
from ctypes import c_uint, c_ulonglong, c_void_p
from typing import Any, NamedTuple

from fleutan.errors import NotSupported

LIBRARY = "libnvidia-ml.so.1"
#: nvmlReturn_t
_SUCCESS, _INSUFFICIENT_SIZE = 0, 7
#: nvmlMemoryErrorType_t, nvmlEccCounterType_t, nvmlTemperatureSensors_t
_UNCORRECTED, _AGGREGATE, _DIE = 1, 1, 0
#: More devices are not asked.
_MOST = 256
#: Newest first: how many there are is told alike by all.
_PROCESSES = tuple(f"nvmlDeviceGetComputeRunningProcesses{end}" for end in ("_v3", "_v2", ""))


class _Memory(ctypes.Structure):
    """nvmlMemory_t"""

    _fields_ = (("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong))


class _Rates(ctypes.Structure):
    """nvmlUtilization_t"""

    _fields_ = (("gpu", c_uint), ("memory", c_uint))


class Rates(NamedTuple):
    """Per cent of the last moment in which a kernel ran, and in which memory was read or written."""

    gpu: int
    memory: int


class Gpu(NamedTuple):
    """A device: octets of memory, processes that compute, errors of memory that could not be corrected in its life,
    millijoules since the driver was loaded, degrees Celsius, and its fan in per cent of the fastest."""

    mem_total: int | None = None
    mem_free: int | None = None
    processes: int | None = None
    ecc_errors: int | None = None
    energy: int | None = None
    temperature: int | None = None
    fan_speed: int | None = None


class Nvml:
    """The library, open while the context lasts; entering raises NotSupported where there is none, or no driver.

    ``library`` is what has its functions; None for that of this machine.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library
        self._devices: list[c_void_p] = []

    def __enter__(self) -> Nvml:
        if self._library is None:
            self._library = _loaded()
        if (why := self._call("nvmlInit_v2")) != _SUCCESS:
            raise NotSupported("NVML", f"it does not begin (nvmlReturn_t {why})")
        count = c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        handles = (self._handle(index) for index in range(min(count.value, _MOST)))
        self._devices = [handle for handle in handles if handle is not None]
        return self

    def __exit__(self, *_: object) -> None:
        self._devices = []
        self._call("nvmlShutdown")

    def rates(self) -> list[Rates | None]:
        """How busy each device is just now."""
        return [self._rates(device) for device in self._devices]

    def read(self) -> list[Gpu]:
        """What each device tells."""
        return [self._gpu(device) for device in self._devices]

    def _handle(self, index: int) -> c_void_p | None:
        handle = c_void_p()
        done = self._call("nvmlDeviceGetHandleByIndex_v2", c_uint(index), ctypes.byref(handle))
        return handle if done == _SUCCESS else None

    def _rates(self, device: c_void_p) -> Rates | None:
        found = _Rates()
        done = self._call("nvmlDeviceGetUtilizationRates", device, ctypes.byref(found))
        return Rates(min(found.gpu, 100), min(found.memory, 100)) if done == _SUCCESS else None

    def _gpu(self, device: c_void_p) -> Gpu:
        memory = _Memory()
        has_memory = self._call("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory)) == _SUCCESS
        ecc = (c_uint(_UNCORRECTED), c_uint(_AGGREGATE))
        return Gpu(
            memory.total if has_memory else None,
            memory.free if has_memory else None,
            self._processes(device),
            self._number(c_ulonglong(), "nvmlDeviceGetTotalEccErrors", device, *ecc),
            self._number(c_ulonglong(), "nvmlDeviceGetTotalEnergyConsumption", device),
            self._number(c_uint(), "nvmlDeviceGetTemperature", device, c_uint(_DIE)),
            self._number(c_uint(), "nvmlDeviceGetFanSpeed", device),
        )

    def _number(self, room: c_uint | c_ulonglong, name: str, *arguments: object) -> int | None:
        """What a function writes to where its last argument points."""
        return room.value if self._call(name, *arguments, ctypes.byref(room)) == _SUCCESS else None

    def _processes(self, device: c_void_p) -> int | None:
        """Asked with no room for them, the library says how many there are."""
        for name in _PROCESSES:
            count = c_uint(0)
            done = self._call(name, device, ctypes.byref(count), None)
            if done in (_SUCCESS, _INSUFFICIENT_SIZE):
                return count.value
        return None

    def _call(self, name: str, *arguments: object) -> int | None:
        """A function's nvmlReturn_t; None where the library has no such function."""
        function = getattr(self._library, name, None)
        return None if function is None else int(function(*arguments))


def _loaded(name: str = LIBRARY) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise NotSupported("NVML", f"there is no {name}", "it comes with NVIDIA's driver") from None
