# SPDX-License-Identifier: Apache-2.0
"""The first so many; how they look stands in tests/golden/como-top*."""

from __future__ import annotations

import re

import pytest
from tests.exports.como.answers import AT, SECOND, TOPADDR, TOPPORTS, addresses, ints, printf, some, text

from fleutan.errors import UsageError
from fleutan.exports.como.options import Options
from fleutan.table import Table


def cells(page: str) -> list[list[str]]:
    """The cells of each row of all tables."""
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(<td.*?)</tr>", page)]


def test_lines_are_those_of_printf() -> None:
    address = ("192.168.159.243", 10**7, 10**4)
    plain = printf("%12u %d %15s %10u %8u", AT // SECOND, 1, *address)
    assert text("topaddr", "plain", [TOPADDR]).splitlines()[0] == plain
    pretty = printf("%.24s %d %15s %10u %8u", "Thu Sep 17 18:25:00 2009", 1, *address)
    assert text("topaddr", "pretty", [TOPADDR]).splitlines()[1] == pretty
    names = Options(names={(80, "tcp"): "Web"})
    pretty = printf("%.24s %5u/%s %s %10u %8u", "Thu Sep 17 18:25:00 2009", 80, "tcp", "Web", 10**7, 10**4)
    assert text("topports", "pretty", [TOPPORTS], names).splitlines()[1] == pretty
    plain = printf("%u %u %s %s %u %u", AT // SECOND, 53, "udp", "Unknown", 500, 5)
    assert text("topports", "plain", [TOPPORTS], names).splitlines()[1] == plain


@pytest.mark.parametrize(("side", "heading"), [("src", "Source IP"), ("dst", "Destination IP"), ("both", "IP Address")])
def test_the_heading_says_whose_addresses_they_are(side: str, heading: str) -> None:
    options = Options(side=side)  # type: ignore[arg-type]
    assert heading in text("topaddr", "pretty", [], options).splitlines()[0]
    assert f"<th>{heading}</th>" in text("topaddr", "html", [TOPADDR], options)


def test_rates_in_html_are_of_a_second() -> None:
    assert [row[2:] for row in cells(text("topaddr", "html", [TOPADDR]))] == [
        ["16.00M", "2.00K"],
        ["10.00K", "1.00"],
        ["4.80", "-"],
    ]
    assert cells(text("topaddr", "sidebox", [TOPADDR], Options(SECOND)))[1][2:] == ["50.00K", "5.00"]
    assert [row[3] for row in cells(text("topports", "html", [TOPPORTS]))] == ["80.00", "0.00", "-"]
    exactly = Table("topaddr", {"time": ints(AT), "rank": ints(1), "address": addresses("::1"), "bytes": ints(625)})
    assert cells(text("topaddr", "html", [exactly]))[0][2:] == ["1000.00", "-"]


def test_a_table_an_interval_whichever_tables_its_rows_come_in() -> None:
    one, other = some(TOPADDR, 0), some(TOPADDR, 1, 2)
    page = text("topaddr", "html", [one, other])
    assert page == text("topaddr", "html", [TOPADDR])
    assert re.findall("<caption>(.*?)</caption>", page) == ["Thu Sep 17 18:25:00 2009", "Thu Sep 17 18:25:05 2009"]


def test_a_sidebox_has_no_title() -> None:
    for module, table in (("topaddr", TOPADDR), ("topports", TOPPORTS)):
        assert "<h1>" in text(module, "html", [table])
        assert "<h1>" not in text(module, "sidebox", [table])


def test_names_are_one_word_in_text_and_escaped_in_html() -> None:
    names = Options(names={(80, "tcp"): "a <b>\x1b"})
    assert text("topports", "plain", [TOPPORTS], names).split()[3] == "a_<b>?"
    assert cells(text("topports", "html", [TOPPORTS], names))[0][2] == "a &lt;b&gt;\x1b"


def test_links_lead_to_the_address() -> None:
    options = Options(url="http://host:44444/tuple", url_args=("time=-1h:0", "source=tuple"))
    link = cells(text("topaddr", "html", [TOPADDR], options))[1][1]
    assert link == ('<a href="http://host:44444/tuple?time=-1h:0&amp;source=tuple&amp;ip=2001:db8::1">2001:db8::1</a>')
    assert cells(text("topaddr", "html", [TOPADDR], options))[2][1] == "-"


def test_a_url_that_runs_something_is_refused_before_anything_is_written() -> None:
    with pytest.raises(UsageError, match="url= takes"):
        text("topaddr", "html", [], Options(url="javascript:alert(1)"))
