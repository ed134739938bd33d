# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest
from tests.protocols.netflow.capturing import AT_NS, EXPORTER, datagrams
from tests.protocols.netflow.making import SECONDS, UPTIME_MS, record_5, set_of, v5, v9, v10

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.headers import SIZES, Bodies, Heads, read_headers
from fleutan.protocols.netflow.wire.rejects import Rejects


def headers(*strings: bytes) -> tuple[Heads, Bodies, dict[str, int]]:
    noted = Rejects()
    heads, bodies = read_headers(datagrams(*strings), noted)
    return heads, bodies, dict(noted.counts)


def row(heads: Heads, place: int = 0) -> dict[str, object]:
    return {name: getattr(heads, name)[place].tolist() for name in Heads._fields}


ALWAYS = {"source": list(EXPORTER), "sport": 2055, "received_ns": AT_NS}


def test_version_1() -> None:
    octets = struct.pack("!HHIII", 1, 1, UPTIME_MS, SECONDS, 5) + bytes(52)
    heads, bodies, reasons = headers(octets)
    assert reasons == {}
    assert row(heads) == ALWAYS | {
        "datagram": 0, "version": 1, "counted": 1, "uptime_ms": UPTIME_MS, "exported_ns": SECONDS * 10**9 + 5,
        "sequence": 0, "domain": 0, "interval": 0,
    }  # fmt: skip
    assert [column.tolist() for column in bodies] == [[16], [68], [68], [68]]


def test_version_5_with_engine_and_sampling() -> None:
    heads, bodies, _ = headers(v5(record_5(), record_5(), sampling=0x4000 | 100))
    assert row(heads) == ALWAYS | {
        "datagram": 0, "version": 5, "counted": 2, "uptime_ms": UPTIME_MS, "exported_ns": SECONDS * 10**9 + 5,
        "sequence": 9, "domain": 0x0102, "interval": 100,
    }  # fmt: skip
    assert (bodies.start[0], bodies.end[0]) == (24, 24 + 96)


def test_version_7_and_9_and_10() -> None:
    seven = struct.pack("!HHIIIII", 7, 1, UPTIME_MS, SECONDS, 5, 11, 0) + bytes(52)
    heads, bodies, reasons = headers(seven, v9(source=3, sequence=4), v10(domain=5, sequence=6))
    assert reasons == {}
    assert heads.version.tolist() == [7, 9, 10]
    assert heads.sequence.tolist() == [11, 4, 6]
    assert heads.domain.tolist() == [0, 3, 5]
    assert heads.uptime_ms.tolist() == [UPTIME_MS, UPTIME_MS, 0]
    assert heads.exported_ns.tolist() == [SECONDS * 10**9 + 5, SECONDS * 10**9, SECONDS * 10**9]
    assert (bodies.start - [0, 76, 96]).tolist() == [24, 20, 16]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", rejects.HEADER),
        (b"\x00", rejects.HEADER),
        (b"\x00\x08" + bytes(60), rejects.VERSION),
        (b"\x00\x00", rejects.VERSION),
        (v5(record_5())[:23], rejects.HEADER),
        (v5(record_5(), count=2), rejects.COUNT),
        (v5(record_5(), count=0), rejects.NOTHING),
        (v10()[:2] + b"\x00\x11" + v10()[4:], rejects.LENGTH),
        (v10()[:2] + b"\x00\x0f" + v10()[4:], rejects.LENGTH),
    ],
)
def test_what_is_no_datagram_is_rejected_by_name(octets: bytes, reason: str) -> None:
    heads, bodies, reasons = headers(v9(), octets, v9())
    assert reasons == {reason: 1}
    assert heads.datagram.tolist() == [0, 2]
    assert len(bodies.start) == 2


def test_octets_behind_what_the_header_counts_are_noted_and_left() -> None:
    _, bodies, reasons = headers(v5(record_5()) + b"more")
    assert reasons == {rejects.TRAILING: 1}
    assert (bodies.end[0], bodies.received[0]) == (72, 76)


@pytest.mark.parametrize("whole", [v5(record_5(), record_5()), v10(set_of(256, bytes(100)))])
def test_what_was_captured_in_part_ends_where_the_octets_end(whole: bytes) -> None:
    cut = datagrams(whole[:60])._replace(sizes=np.array([len(whole)]))
    noted = Rejects()
    _, bodies = read_headers(cut, noted)
    assert dict(noted.counts) == {rejects.CUT: 1}
    assert (bodies.end[0], bodies.sent[0]) == (60, len(whole))


def test_sizes_are_those_of_the_headers_written() -> None:
    assert (len(v5()), len(v9()), len(v10())) == (SIZES[5], SIZES[9], SIZES[10])
