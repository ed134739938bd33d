# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tests.linux.test_links import attribute, link

from fleutan.errors import FleutanError
from fleutan.linux.interfaces import Side, counters, sides

NEWLINK, DELLINK = 16, 17
IFNAME, STATS64 = 3, 23


def stats(**counts: int) -> bytes:
    """struct rtnl_link_stats64, written down on its own."""
    names = ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped"]
    others = ["multicast", "collisions", "rx_length", "rx_over", "rx_crc", "rx_frame", "rx_fifo", "rx_missed"]
    values = [counts.get(name, 0) for name in (*names, *others)]
    return attribute(STATS64, struct.pack("=24Q", *values, *bytes(8)))


def named(name: str) -> bytes:
    return attribute(IFNAME, name.encode() + b"\0")


def test_each_direction_has_its_counters_and_what_was_missed_was_dropped() -> None:
    received = {"rx_packets": 1, "rx_bytes": 2, "rx_errors": 3, "rx_dropped": 4, "rx_missed": 10}
    sent = {"tx_packets": 5, "tx_bytes": 6, "tx_errors": 7, "tx_dropped": 8}
    assert sides([(NEWLINK, link(2, named("eth0"), stats(**received, **sent)))]) == [
        Side("eth0", "rx", bytes=2, packets=1, errors=3, dropped=14),
        Side("eth0", "tx", bytes=6, packets=5, errors=7, dropped=8),
    ]


def test_what_is_no_device_or_counts_nothing_is_passed_over() -> None:
    assert sides([(DELLINK, link(2, named("eth0"), stats())), (NEWLINK, b"short")]) == []
    assert sides([(NEWLINK, link(2, named("eth0"))), (NEWLINK, link(3, attribute(STATS64, bytes(80))))]) == []


def test_a_broken_attribute_is_refused() -> None:
    with pytest.raises(FleutanError, match="devices: an attribute"):
        sides([(NEWLINK, link(2, struct.pack("=HH", 99, IFNAME)))])


def test_the_devices_are_those_that_proc_lists() -> None:
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    received = {name.strip(): int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    found = {side.dev: side.bytes for side in counters() if side.direction == "rx"}
    assert found.keys() == received.keys()
    assert all(found[name] >= least for name, least in received.items())
