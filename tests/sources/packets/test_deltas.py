# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from tests.sources.packets.kit import made

from fleutan.linux.packets.records import SOCKET, TCP
from fleutan.sources.packets.columns import Packets, of_records
from fleutan.sources.packets.deltas import Deltas

MS = 1_000_000
NAMES = ("since_ms", "segs_out_since", "retrans_since", "rtt_change_us")


def seen(cookie: int, at_ms: int, segs_out: int = 0, retrans: int = 0, rtt: int = 100) -> dict[str, Any]:
    counted = {"tcpi_segs_out": segs_out, "tcpi_total_retrans": retrans, "tcpi_rtt": rtt}
    return {"known": SOCKET | TCP, "way": 2, "cookie": cookie, "at_ns": at_ms * MS, **counted}


def packets(*rows: dict[str, Any]) -> Packets:
    return of_records(*made(*rows), {})[0]


def told(found: Packets) -> list[tuple[int | None, ...]]:
    columns = []
    for name in NAMES:
        values = found.columns.values[name].tolist()
        columns.append([value if known else None for value, known in zip(values, found.known(name), strict=True)])
    return list(zip(*columns, strict=True))


def test_the_first_sample_of_a_connection_tells_no_change_and_each_after_it_does() -> None:
    deltas = Deltas()
    nothing = (None,) * 4
    first = deltas.of(packets(seen(7, 10, 100, 1, 50), seen(8, 11, 5), seen(7, 14, 130, 4, 40)))
    assert told(first) == [nothing, nothing, (4, 30, 3, -10)]
    second = deltas.of(packets(seen(8, 1011, 7, 0, 300), seen(7, 20, 131, 4, 40)))
    assert told(second) == [(1000, 2, 0, 200), (6, 1, 0, 0)]


def test_samples_that_came_in_another_order_are_put_in_that_of_time() -> None:
    found = Deltas().of(packets(seen(7, 20, 110), seen(7, 10, 100)))
    assert told(found) == [(10, 10, 0, 0), (None,) * 4]


def test_counters_go_round_and_never_back() -> None:
    found = Deltas().of(packets(seen(7, 1, 0xFFFF_FFFE), seen(7, 2, 3), seen(7, 3, 2)))
    assert [row[1] for row in told(found)] == [None, 5, 0]


def test_without_a_round_trip_time_there_is_no_change_of_it() -> None:
    found = Deltas().of(packets(seen(7, 1, rtt=0), seen(7, 2), seen(7, 3, rtt=0), seen(7, 4, rtt=80), seen(7, 5)))
    assert [row[3] for row in told(found)] == [None, None, None, None, 20]


def test_what_is_no_connection_has_none() -> None:
    deltas = Deltas()
    one = packets({"known": SOCKET, "cookie": 7}, {})
    assert deltas.of(one) is one
    mixed = deltas.of(packets({}, seen(7, 1), {"known": SOCKET | TCP, "cookie": 0}))
    assert told(mixed) == [(None,) * 4] * 3
    assert told(deltas.of(packets({}, seen(7, 3)))) == [(None,) * 4, (2, 0, 0, 0)]


def test_only_so_many_are_kept_those_that_came_last() -> None:
    deltas = Deltas(most=2)
    deltas.of(packets(seen(1, 1), seen(2, 1)))
    deltas.of(packets(seen(1, 2)))
    deltas.of(packets(seen(3, 2)))
    found = deltas.of(packets(seen(1, 3), seen(2, 3)))
    assert [row[0] for row in told(found)] == [1, None]
