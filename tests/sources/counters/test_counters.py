# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Collection, Iterable

from fleutan.observed import Counters, Source
from fleutan.sources.counters import CounterSource
from fleutan.sources.counters.devices import Devices
from fleutan.sources.counters.host import HostCounters
from fleutan.sources.counters.interfaces import InterfaceCounters


class Fixed:
    """The least that is a source of counters."""

    def sources(self) -> Iterable[Source]:
        return [Source(0, 1)]

    def read(self, wanted: Collection[Source]) -> Iterable[Counters]:
        return [Counters(source, {}) for source in wanted]

    def notes(self) -> list[str]:
        return []


def test_what_is_asked_for_is_what_there_is() -> None:
    source: CounterSource = Fixed()
    assert [found.source for found in source.read([*source.sources()])] == [(0, 1)]
    assert source.notes() == []


def test_the_host_and_its_interfaces_are_such_sources() -> None:
    devices = Devices()
    both: list[CounterSource] = [HostCounters(devices), InterfaceCounters(devices)]
    for one in both:
        wanted = [*one.sources()]
        assert {found.source for found in one.read(wanted)} <= {*wanted}
        assert [*one.read([])] == []
