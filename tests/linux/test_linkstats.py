# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import struct

import pytest
from tests.linux.test_links import attribute

from fleutan.errors import FleutanError
from fleutan.linux.interfaces import counters
from fleutan.linux.linkstats import Lacp, Stats, of, stats

NEWSTATS = 92
LINK_64, SLAVE, BOND, AD = 1, 3, 2, 1


def counted(index: int, *attributes: bytes) -> tuple[int, bytes]:
    numbers = attribute(LINK_64, struct.pack("=25Q", *range(100, 125)))
    return NEWSTATS, struct.pack("=B3xII", 0, index, 1) + numbers + b"".join(attributes)


def lacp(*told: tuple[int, int]) -> bytes:
    inner = b"".join(attribute(place, struct.pack("=Q", value)) for place, value in told)
    return attribute(SLAVE, attribute(BOND, attribute(AD, inner)))


PLAIN = Stats(100, 101, 102, 103, 104, 105, 106, 107, 108, 115)


def test_counters_by_index() -> None:
    assert stats([counted(2), counted(5)]) == {2: PLAIN, 5: PLAIN}


def test_what_counts_nothing_is_passed_over() -> None:
    short = attribute(LINK_64, bytes(80))
    assert stats([(16, counted(2)[1]), (NEWSTATS, b"short"), (NEWSTATS, bytes(12) + short)]) == {}


def test_a_port_of_a_bond_counts_packets_of_lacp() -> None:
    told = stats([counted(2, lacp(*((place, 10 + place) for place in range(9))))])
    assert told[2].lacp == Lacp(10, 11, 12, 13, 14, 15, 16, 17)
    assert stats([counted(2, lacp((1, 7)))])[2].lacp == Lacp(lacpdu_tx=7)


def test_a_port_of_a_bridge_does_not() -> None:
    assert stats([counted(2, attribute(SLAVE, attribute(1, b"")))])[2].lacp is None


def test_a_broken_attribute_is_refused() -> None:
    with pytest.raises(FleutanError, match="counters of devices: an attribute"):
        stats([(NEWSTATS, bytes(12) + struct.pack("=HH", 99, 1))])


@pytest.mark.parametrize("present", [1, 1000])
def test_each_by_itself_and_all_at_once_give_what_the_device_counts(present: int) -> None:
    index = socket.if_nametoindex("lo")
    before = {(side.dev, side.direction): side for side in counters()}
    found = of([index, 1 << 30], present, ports=[index])
    after = {(side.dev, side.direction): side for side in counters()}
    assert found.keys() == {index}
    assert before["lo", "rx"].bytes <= found[index].rx_bytes <= after["lo", "rx"].bytes
    assert before["lo", "tx"].packets <= found[index].tx_packets <= after["lo", "tx"].packets


def test_of_none_there_is_nothing() -> None:
    assert of([], 10) == {}
