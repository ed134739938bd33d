# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket

import pytest
from tests.bpf import MISSING

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import capabilities
from fleutan.linux.cgroupstats.hierarchies import hierarchies
from fleutan.linux.unittraffic import Moved, UnitTraffic
from fleutan.sources.counters.entities.traffic import LIFETIME_S, Counting


class Programs(UnitTraffic):
    """Counts one packet more each time."""

    def __init__(self, mount: str | None) -> None:
        super().__init__(mount)
        self.readings = 0
        self.fails = False

    def __enter__(self) -> Programs:
        if self._mount is None:
            raise NotSupported("traffic", "there is none")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> dict[int, Moved]:
        if self.fails:
            raise FleutanError("the map is gone")
        self.readings += 1
        return {7: Moved(0, 0, 100 * self.readings, self.readings)}


def test_one_reading_serves_for_a_moment() -> None:
    now = [0.0]
    with Counting("/", Programs, lambda: now[0]) as counting:
        first = counting.read()
        assert first == {7: Moved(0, 0, 100, 1)}
        assert counting.read() is first
        now[0] += LIFETIME_S
        assert counting.read() == {7: Moved(0, 0, 200, 2)}
    assert counting.read() is None, "afterwards nobody counts"


def test_who_cannot_count_says_why_and_tells_nothing() -> None:
    with Counting(None, Programs) as counting:
        assert counting.trouble == "traffic: there is none"
        assert counting.read() is None


def test_what_cannot_be_read_is_unknown() -> None:
    now = [0.0]
    made: list[Programs] = []

    def make(mount: str | None) -> Programs:
        made.append(Programs(mount))
        return made[0]

    with Counting("/", make, lambda: now[0]) as counting:
        made[0].fails = True
        assert counting.read() is None
        assert counting.trouble == "the map is gone"
        made[0].fails = False
        assert counting.read() == {7: Moved(0, 0, 100, 1)}
        assert counting.trouble == ""


@pytest.mark.skipif(bool(MISSING or capabilities.missing(("CAP_NET_ADMIN",))), reason=MISSING or "needs CAP_NET_ADMIN")
def test_the_kernel_counts() -> None:
    mount = hierarchies().v2
    with Counting(mount) as counting, socket.socket(type=socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.sendto(b"x", one.getsockname())
        found = counting.read()
        assert bool(found) == bool(mount)
        assert counting.trouble == "" if mount else counting.trouble
