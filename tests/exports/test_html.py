# SPDX-License-Identifier: Apache-2.0
"""HTML, of which no value is a part that it should not be."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import UsageError
from fleutan.exports.html import CLOSING, TABLE_CLOSING, linked, opening, row, table_opening


class Seen(HTMLParser):
    """Tags, attributes and text of a page, as a browser would have them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_with_a_table() -> None:
    page = opening("Top <b>", heading=True) + table_opening(["#", "A&B", "n"], 1, "now") + row(["1", "x", "2"], 1)
    page += TABLE_CLOSING + CLOSING
    assert "<h1>Top &lt;b&gt;</h1>" in page
    assert '<caption>now</caption><tr><th>#</th><th>A&amp;B</th><th class="n">n</th></tr>' in page
    assert '<tr><td>1</td><td>x</td><td class="n">2</td></tr>' in page
    assert Seen(page).tags.count("b") == 0
    assert "<h1>" not in opening("Top", heading=False)
    assert "caption" not in table_opening(["#"])


def test_an_address_is_a_link_where_there_is_somewhere_to_lead() -> None:
    assert linked("10.0.0.1", "", ()) == "10.0.0.1"
    assert linked("10.0.0.1", "/tuple", ()) == '<a href="/tuple?ip=10.0.0.1">10.0.0.1</a>'
    assert linked("::1", "HTTPS://h/t?a=1", ("b=2",)) == '<a href="HTTPS://h/t?a=1&amp;b=2&amp;ip=::1">::1</a>'
    assert 'href="?x=1:2&amp;ip=' in linked("10.0.0.1", "?x=1:2", ())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "1javascript:x",
        "http://[",
        "http:\\\\host",
        "ftp://host/",
    ],
)
def test_where_no_page_is_nothing_leads(url: str) -> None:
    with pytest.raises(UsageError, match="url= takes an address of http"):
        linked("10.0.0.1", url, ())


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3), st.text(max_size=20))
def test_nothing_gets_out_of_a_link(url: str, arguments: list[str], address: str) -> None:
    try:
        seen = Seen(linked(address, f"/{url}", [argument.encode(errors="replace").decode() for argument in arguments]))
    except UsageError:
        return
    assert seen.tags == ["a"]
    assert [name for name, _ in seen.attributes] == ["href"]
    assert seen.text == address


def test_arguments_come_through() -> None:
    filter_ = "filter=tcp and src 10/8"
    seen = Seen(linked("10.0.0.1", "/tuple", (filter_, "time=-1h:0")))
    query = urlsplit(seen.attributes[0][1] or "").query
    assert parse_qsl(query) == [("filter", "tcp and src 10/8"), ("time", "-1h:0"), ("ip", "10.0.0.1")]
