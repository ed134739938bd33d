# SPDX-License-Identifier: Apache-2.0
"""Traffic and flows over time; how they look stands in tests/golden/como-*."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tests.exports.como.answers import AT, FLOWCOUNT, SECOND, TRAFFIC, ints, printf, text
from tests.exports.gnuplot import Drawn, drawn, needs_gnuplot

from fleutan.exports.como.options import Options
from fleutan.table import Table

MINUTE = Options(60 * SECOND, ZoneInfo("Europe/Paris"))


def test_the_example_of_metroflux() -> None:
    lines = text("traffic", "pretty", [TRAFFIC], MINUTE).splitlines()
    assert lines[0] == "Date                     Timestamp          Bytes    Pkts"
    assert [" ".join(line.split()) for line in lines[1:3]] == [
        "Thu Sep 17 20:25:00 2009 1253211900.154005 48759 64",
        "Thu Sep 17 20:26:00 2009 1253211960.169369 39730 57",
    ]
    assert lines[1] == printf("%.24s %12d.%06d %8d %8d", "Thu Sep 17 20:25:00 2009", 1253211900, 154005, 48759, 64)


def test_plain_lines_are_those_of_printf() -> None:
    first = text("traffic", "plain", [TRAFFIC], MINUTE).splitlines()[0]
    assert first == printf("%12d %16d %12d %12d", 1253211900, int(AT * 2**32 // 10**9), 48759, 64)


def test_rates_are_of_a_second_whatever_the_interval() -> None:
    table = Table("traffic", {"time": ints(AT), "bytes": ints(75_000_000), "packets": ints(1200)})
    assert text("traffic", "mbps", [table]) == "600.00 Mbps\n"
    assert text("traffic", "mbps", [table], MINUTE) == "10.00 Mbps\n"
    assert "\n1253211900 10.000000 20\n" in text("traffic", "gnuplot", [table], MINUTE)


def test_what_is_unknown_is_no_point() -> None:
    assert text("traffic", "pretty", [TRAFFIC], MINUTE).splitlines()[3].endswith("        -        -")
    assert text("traffic", "mbps", [TRAFFIC], MINUTE).count("\n") == 3
    assert [line.split()[0] for line in text("traffic", "gnuplot", [TRAFFIC]).splitlines() if line[0] == "1"] == [
        "1253211900",
        "1253211960",
        "1253212080",
    ]
    assert [line for line in text("flowcount", "gnuplot", [FLOWCOUNT]).splitlines() if line[0] == "1"] == [
        "1253211900 5",
        "1253211902 7",
    ]


def test_no_line_of_a_script_begins_with_an_e() -> None:
    """The doubling by awk that CoMo's inline plots needed changes nothing."""
    for module, table in (("traffic", TRAFFIC), ("flowcount", FLOWCOUNT)):
        assert not any(line.startswith("e") for line in text(module, "gnuplot", [table]).splitlines())


@needs_gnuplot
def test_gnuplot_draws_both_curves_of_traffic() -> None:
    assert drawn(text("traffic", "gnuplot", [TRAFFIC])) == Drawn(("Traffic", "Mbps", "Packets/sec"), 2)
    assert drawn(text("flowcount", "gnuplot", [FLOWCOUNT])) == Drawn(("Flows", "Active flows"), 1)


@needs_gnuplot
def test_gnuplot_draws_an_empty_picture_of_nothing() -> None:
    assert drawn(text("traffic", "gnuplot", [])).curves == 0
