# SPDX-License-Identifier: Apache-2.0
"""What traffic consists of; how it looks stands in tests/golden/como-protocol-* and como-ethtypes-*."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exports.como.answers import AT, ETHTYPES, PROTOCOL, SECOND, ints, printf, some, text
from tests.exports.gnuplot import Drawn, drawn, needs_gnuplot

from fleutan.column import text_column
from fleutan.exports.como.options import MOST_ETHERTYPES, Options
from fleutan.table import Table


def test_all_protocols_are_counted_under_their_numbers() -> None:
    first = text("protocol", "plain", [PROTOCOL]).splitlines()[0]
    counts = {6: (100, 3), 17: (50, 2), 47: (40, 5)}
    triples = [printf("%3d %8u %8u", number, *counts.get(number, (0, 0))) for number in range(256)]
    assert first == printf("%12u.%06u ", AT // SECOND, 154005) + " ".join(triples)


def test_mptcp_is_tcp() -> None:
    assert text("protocol", "plain", [PROTOCOL]).splitlines()[1].split()[1 + 3 * 6 :][:3] == ["6", "7", "1"]


def test_shares_are_of_all_that_there_is() -> None:
    first, _, last = text("protocol", "pretty", [PROTOCOL], Options(include=(47, 6))).splitlines()
    assert first == (
        "Thu Sep 17 18:25:00 2009 tcp 50.00 30.00 udp 25.00 20.00 icmp  0.00  0.00 esp  0.00  0.00"
        " gre 20.00 50.00 Other  5.00  0.00"
    )
    assert set(last.split()[5:]) == {"tcp", "udp", "icmp", "esp", "gre", "Other", "0.00"}, "nothing is 0 % of nothing"


def test_an_interval_goes_on_in_the_next_table() -> None:
    for module, table in (("protocol", PROTOCOL), ("ethtypes", ETHTYPES)):
        parted = [some(table, 0, 1), some(table), some(table, 2), some(table, *range(3, len(table)))]
        for form in ("plain", "pretty", "gnuplot", "html"):
            assert text(module, form, parted) == text(module, form, [table])


def test_types_are_those_asked_for_and_the_rest() -> None:
    first = text("ethtypes", "plain", [ETHTYPES], Options(ethertypes=(0x88CC, 0x0800))).splitlines()[0]
    assert first == "  1253211900.154005 0x88cc       40        4 0x0800      100        3 0x0000       60        3"
    heading = text("ethtypes", "pretty", [], Options(ethertypes=(0x88CC, 0x1234))).splitlines()[0]
    assert heading.split("  ")[-1].strip() == (
        "LLDP Bytes [%] Pkts [%] 0x1234 Bytes [%] Pkts [%] Other Bytes [%] Pkts [%]"
    )
    many = Options(ethertypes=tuple(range(1, 100)))
    assert text("ethtypes", "plain", [ETHTYPES], many).splitlines()[0].count("0x") == MOST_ETHERTYPES


@given(
    st.lists(
        st.tuples(st.sampled_from(["tcp", "udp", "esp", "gre", None]), st.integers(0, 2**50), st.integers(0, 2**40)),
        min_size=1,
        max_size=9,
    )
)
def test_shares_add_up_and_stacks_only_rise(rows: list[tuple[str | None, int, int]]) -> None:
    protos, counts, packets = zip(*rows, strict=True)
    columns = {"time": ints(*[AT] * len(rows)), "proto": text_column(protos)}
    table = Table("protocol", {**columns, "bytes": ints(*counts), "packets": ints(*packets)})
    words = text("protocol", "pretty", [table]).split()[5:]
    for place, total in ((1, sum(counts)), (2, sum(packets))):
        assert sum(map(float, words[place::3])) == pytest.approx(100 if total else 0, abs=0.05)
    points = [line for line in text("protocol", "gnuplot", [table]).splitlines() if line.startswith("1253211900")]
    assert len(points) == bool(sum(counts))
    for point in points:
        heights = [float(word) for word in point.split()[1:]]
        assert heights == sorted(heights)
        assert heights[-1] == 100


@needs_gnuplot
def test_gnuplot_draws_each_part() -> None:
    assert drawn(text("protocol", "gnuplot", [PROTOCOL])) == Drawn(("Protocols", "Bytes [%]"), 5)
    assert drawn(text("ethtypes", "gnuplot", [ETHTYPES])) == Drawn(("Ethertypes", "Bytes [%]"), 4)
    assert drawn(text("protocol", "gnuplot", [])).curves == 0
