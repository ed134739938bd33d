# SPDX-License-Identifier: Apache-2.0
"""Flows line by line; how they look stands in tests/golden/como-tuple-*."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exports.como.answers import TUPLE, addresses, ints, printf, text

from fleutan.column import text_column
from fleutan.exports.como import tuples, written
from fleutan.exports.como.dates import stamp
from fleutan.exports.como.options import Options
from fleutan.table import Table

FLOWS = st.tuples(
    st.integers(0, 2**32 * 10**9),
    st.integers(0, 999 * 10**9),
    st.sampled_from(["tcp", "udp"]),
    st.ip_addresses(v=4).map(str),
    st.integers(0, 65535),
    st.integers(0, 2**40),
)


def test_the_example_of_metroflux() -> None:
    lines = text("tuple", "pretty", [TUPLE]).splitlines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "Start Duration Proto Source IP:Port Destination IP:Port Bytes Packets",
        "Sep 17 2009 18:19:58.806605 1.151999 tcp 192.168.159.243 5667 172.24.120.20 39652 320 4",
        "Sep 17 2009 18:19:58.806605 1.279999 tcp 172.24.120.20 39652 192.168.159.243 5667 866 5",
    ]


@given(st.lists(FLOWS, max_size=20))
@settings(max_examples=50)
def test_lines_are_those_of_printf(flows: list[tuple[int, int, str, str, int, int]]) -> None:
    starts, lengths, protos, hosts, ports, counts = zip(*flows, strict=True) if flows else [()] * 6
    table = Table(
        "tuple",
        {
            "start": ints(*starts),
            "end": ints(*(start + length for start, length in zip(starts, lengths, strict=True))),
            "proto": text_column(protos),
            **{name: addresses(*hosts) for name in ("src", "dst")},
            **{name: ints(*ports) for name in ("sport", "dport")},
            **{name: ints(*counts) for name in ("bytes", "packets")},
        },
    )
    pretty, plain = [], []
    for start, length, proto, host, port, count in flows:
        duration = printf("%3d.%06d", length // 10**9, length % 10**9 // 1000)
        rest = printf("%15s %5u %15s %5u %8u %8u", host, port, host, port, count, count)
        micro = start % 10**9 // 1000
        pretty.append(printf("%s.%06d %s %5s %s", stamp(start // 10**9), micro, duration, proto, rest))
        number = {"tcp": 6, "udp": 17}[proto]
        plain.append(printf("%10u.%06d %s %3d %s", start // 10**9, micro, duration, number, rest))
    assert text("tuple", "pretty", [table]).splitlines()[1:] == pretty
    assert text("tuple", "plain", [table]).splitlines() == plain


def test_what_is_unknown_is_a_hyphen_and_columns_stay() -> None:
    lines = text("tuple", "plain", [TUPLE]).splitlines()
    assert [len(line.split()) for line in lines] == [9] * len(lines)
    assert lines[3].split() == ["-", "-", "-", "-", "-", "10.0.0.9", "53", "-", "-"]
    assert lines[4].split()[1:3] == ["-", "-"], "a flow that ended before it began has no duration"


def test_html_is_escaped_and_ports_are_told_from_addresses() -> None:
    page = text("tuple", "html", [TUPLE])
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "[2001:db8::1]:0</td>" in page


def test_many_rows_are_written_in_pieces() -> None:
    rows = tuples._ROWS + 1
    table = TUPLE.take(np.arange(rows) % 2)
    pieces = written("tuple", "plain", [table], Options())
    first = next(pieces)
    assert len(first) < 1 << 20
    lines = (first + b"".join(pieces)).splitlines()
    assert len(lines) == rows
    assert lines[-1] == lines[0] != lines[1]
