# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fleutan.analysis.queues import since
from fleutan.errors import Gone
from fleutan.linux import namespaces
from fleutan.linux.interfaces import Side
from fleutan.linux.namespaces import Namespace
from fleutan.sources.interfaces import Kernel, table

HOST, WEB = Namespace(7, "host", "/proc/1/ns/net"), Namespace(8, "web", "/run/netns/web")


@contextmanager
def entered(space: Namespace) -> Iterator[None]:
    if space is WEB:
        raise Gone("network namespace web is gone")
    yield


def kernel(*sides: Side) -> Kernel:
    return Kernel(lambda: list(sides), entered)


def test_a_row_a_device_and_direction_and_a_note_for_what_cannot_be_read() -> None:
    found = table([HOST, WEB], kernel(Side("eth0", "rx", 1, 2, 3, 4), Side("eth0", "tx", 5, 6, 7, 8)))
    assert [tuple(row.values()) for row in found.rows()] == [
        ("host", 7, "eth0", "rx", 1, 2, 3, 4),
        ("host", 7, "eth0", "tx", 5, 6, 7, 8),
    ]
    assert found.reading.notes == ("network namespace web is gone",)


def test_what_lies_between_two_readings_is_a_difference_of_the_same_device() -> None:
    before = table([HOST], kernel(Side("eth0", "rx", 100, 2, 0, 0), Side("lo", "rx", 9, 9, 0, 0)))
    after = table(
        [HOST], kernel(Side("lo", "rx", 10, 9, 0, 0), Side("eth0", "rx", 150, 3, 1, 0), Side("new", "rx", 5, 1, 0, 0))
    )
    rows = list(since(before, after, 1).rows())
    assert [(row["dev"], row["bytes"], row["packets"], row["errors"]) for row in rows] == [
        ("lo", 1, 0, 0),
        ("eth0", 50, 1, 1),
        ("new", None, None, None),
    ]


def test_this_namespace_has_its_loopback() -> None:
    assert "lo" in table([namespaces.current()]).column("dev").objects()
