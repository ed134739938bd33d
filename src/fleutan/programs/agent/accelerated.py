# SPDX-License-Identifier: Apache-2.0
"""The host's counters with those of its graphics processors, which are told in the same sample."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from fleutan.observed import Counters, Source
from fleutan.sources.counters import CounterSource


class Devices(Protocol):
    """What ``sources.counters.entities.gpus.Gpus`` gives."""

    def tick(self) -> None:
        """Looks how busy they are; to be called about once a second."""

    def structures(self) -> Mapping[str, Mapping[str, Any]]:
        """Their structure, nothing where there are none."""


class Accelerated:
    """A source of counters that tells of graphics processors too."""

    def __init__(self, host: CounterSource, gpus: Devices) -> None:
        self._host, self._gpus = host, gpus
        self.notes: Callable[[], list[str]] = host.notes

    def sources(self) -> Iterable[Source]:
        """Those of the host."""
        self._gpus.tick()
        return self._host.sources()

    def read(self, wanted: Collection[Source]) -> Iterator[Counters]:
        """The host's counters, with those of its graphics processors."""
        for one in self._host.read(wanted):
            yield replace(one, structures={**self._gpus.structures(), **one.structures})
