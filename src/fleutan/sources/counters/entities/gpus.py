# SPDX-License-Identifier: Apache-2.0
"""Graphics processors of this host, as the structure that is told with the host's others (sFlow NVML, 5703:1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from fleutan.errors import NotSupported
from fleutan.linux.nvml import Gpu, Nvml

#: Seconds until a driver that does not answer any more is opened anew.
AGAIN_S = 60.0
#: A reading of how busy they are stands for no longer than this.
LONGEST_S = 5.0
_SUMS = ("processes", "mem_total", "mem_free", "ecc_errors", "energy")
_LARGEST = ("temperature", "fan_speed")


class Gpus:
    """Counts while the context lasts, where there is a driver; ``trouble`` says why not, '' if there is one.

    ``tick`` is to be called about once a second: how busy a device is is told for a moment only.
    """

    def __init__(self, make: Callable[[], Nvml] = Nvml, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble = ""
        self._make, self._clock = make, clock
        self._held = ExitStack()
        self._nvml: Nvml | None = None
        self._was_there = False
        self._again = 0.0
        self._last = clock()
        self._gpu_time = self._mem_time = 0.0

    def __enter__(self) -> Gpus:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._nvml = None
        self._held.close()

    def tick(self) -> None:
        """Adds up how busy the devices were since the last call."""
        now = self._clock()
        elapsed, self._last = min(now - self._last, LONGEST_S), now
        known = [rate for rate in self._nvml.rates() if rate is not None] if self._nvml else []
        self._gpu_time += elapsed * sum(rate.gpu for rate in known) * 10  # per cent of seconds, as milliseconds
        self._mem_time += elapsed * sum(rate.memory for rate in known) * 10
        if not known and now >= self._again and self._was_there:
            self._open()

    def structures(self) -> Mapping[str, Mapping[str, Any]]:
        """``nvidia_gpu`` by its name; nothing where there is no device."""
        found = self._nvml.read() if self._nvml else []
        if not found:
            return {}
        return {
            "nvidia_gpu": {
                "device_count": len(found),
                "gpu_time": int(self._gpu_time),
                "mem_time": int(self._mem_time),
                **{name: _over(found, name, sum) for name in _SUMS},
                **{name: _over(found, name, max) for name in _LARGEST},
            }
        }

    def _open(self) -> None:
        self._again = self._clock() + AGAIN_S
        self._held.close()
        try:
            self._nvml = self._held.enter_context(self._make())
            self._was_there, self.trouble = True, ""
        except NotSupported as error:
            self._nvml, self.trouble = None, str(error)


def _over(found: Iterable[Gpu], name: str, put_together: Callable[[list[int]], int]) -> int | None:
    """Of the devices that tell it; None where none does."""
    known = [value for one in found if (value := getattr(one, name)) is not None]
    return put_together(known) if known else None
