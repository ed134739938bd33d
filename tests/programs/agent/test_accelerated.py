# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.programs.agent.test_agent import Interfaces

from fleutan.observed import Source
from fleutan.programs.agent.accelerated import Accelerated


class Gpus:
    """Tells this of the graphics processors."""

    def __init__(self, **structures: Mapping[str, Any]) -> None:
        self._structures, self.ticks = structures, 0

    def tick(self) -> None:
        self.ticks += 1

    def structures(self) -> Mapping[str, Mapping[str, Any]]:
        return self._structures


def test_graphics_processors_are_told_with_the_host() -> None:
    gpus = Gpus(nvidia_gpu={"device_count": 2})
    both = Accelerated(Interfaces(Source(2, 1)), gpus)
    assert (*both.sources(),) == (Source(2, 1),)
    (found,) = both.read([Source(2, 1)])
    assert dict(found.structures) == {"nvidia_gpu": {"device_count": 2}, "port_name": {"name": "eth1"}}
    assert (gpus.ticks, both.notes()) == (1, [])


def test_without_any_the_host_is_as_it_is() -> None:
    (found,) = Accelerated(Interfaces(Source(2, 1)), Gpus()).read([Source(2, 1)])
    assert list(found.structures) == ["port_name"]
