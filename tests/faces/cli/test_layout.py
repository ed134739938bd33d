# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.faces.cli.layout import Strip, cell_width, cut, fitted, lines, pad, wrapped

LONG = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff#50000"


def strips(luxury: bool = False) -> list[Strip]:
    return [
        Strip("OWNER", ["nginx(1)", "a-very-long-command-name(4711)"], floor=12, tail="("),
        Strip("LOCAL", ["10.0.0.1#443", LONG], floor=12, tail="#", yields=True, spare=1),
        Strip("REMOTE", ["10.0.0.2#50000", LONG], floor=12, tail="#"),
        Strip("RTT", ["1ms", "20ms"], right=True, spare=2, luxury=luxury),
    ]


def titles(width: int | None, luxury: bool = False) -> list[str]:
    return [strip.title for strip, _ in fitted(strips(luxury), width)]


def test_without_a_limit_nothing_is_cut() -> None:
    assert list(lines(strips()[::3], None)) == [
        "OWNER                            RTT",
        "nginx(1)                         1ms",
        "a-very-long-command-name(4711)  20ms",
    ]
    assert titles(None) == ["OWNER", "LOCAL", "REMOTE", "RTT"]


def test_what_yields_is_cut_first_and_the_widest_next() -> None:
    widths = {width: [wide for _, wide in fitted(strips(), width)] for width in (128, 96, 70, 46)}
    assert widths == {128: [30, 44, 44, 4], 96: [30, 12, 44, 4], 70: [24, 12, 24, 4], 46: [12, 12, 12, 4]}


def test_a_cell_that_is_cut_keeps_its_end() -> None:
    found = list(lines(strips(), 60, heading=False))
    assert found[1] == "a-very…d-name(4711)  200…ff#50000  2001:d…e:ffff#50000  20ms"
    assert found[1].count("#50000") == 2
    assert all(len(line) <= 60 for line in found)


def test_what_does_not_fit_goes_by_rank() -> None:
    assert titles(46) == ["OWNER", "LOCAL", "REMOTE", "RTT"]
    assert titles(45) == ["OWNER", "LOCAL", "REMOTE"]
    assert titles(39) == ["OWNER", "REMOTE"]
    assert titles(25) == ["OWNER"]


def test_a_luxury_goes_before_anything_is_uncomfortable() -> None:
    assert titles(64, luxury=True) == ["OWNER", "LOCAL", "REMOTE", "RTT"]
    assert titles(63, luxury=True) == ["OWNER", "LOCAL", "REMOTE"]


def test_at_last_even_what_is_never_cut_is_cut() -> None:
    assert list(lines([Strip("STATE", ["established"])], 5)) == ["STATE", "esta…"]
    assert list(lines([Strip("STATE", ["established"])], 1, ellipsis="~")) == ["~", "~"]
    assert list(lines([Strip("A", [])], 1)) == ["A"]


@given(st.integers(1, 140), st.booleans())
def test_lines_keep_to_the_width(width: int, luxury: bool) -> None:
    columns = [*strips(luxury=luxury), Strip("名前", ["日本語", "x\u0301y"], floor=4)]
    assert all(cell_width(line) <= max(width, 2) for line in lines(columns, width))


@pytest.mark.parametrize(
    ("text", "width", "tail", "found"),
    [
        ("short", 10, "", "short"),
        ("abcdefghij", 5, "", "abcd…"),
        ("192.168.100.100#65000", 15, "#", "192.….100#65000"),
        ("192.168.100.100#65000", 8, "#", "192.168…"),
        ("a-long-name(4711)", 12, "(", "a-l…me(4711)"),
        ("abcdefghij", 6, "#", "abcde…"),
        ("日本語日本語", 7, "", "日本語…"),
        ("日本語日本語(7)", 8, "(", "日本…(7)"),
        ("日", 1, "", "…"),
    ],
)
def test_cut(text: str, width: int, tail: str, found: str) -> None:
    assert cut(text, width, tail) == found
    assert cell_width(found) <= width


def test_cut_shows_that_it_cut() -> None:
    assert cut("abcdef", 3, "", "~") == "ab~"


def test_wide_signs_take_two_columns_and_accents_none() -> None:
    assert cell_width("日本") == 4
    assert cell_width("e\u0301") == 1
    assert pad("日本", 6) == "日本  "
    assert pad("日本", 6, right=True) == "  日本"


def test_wrapped() -> None:
    parts = ["eleven", "twelve", "thirteen"]
    assert list(wrapped(parts, None)) == ["eleven  twelve  thirteen"]
    assert list(wrapped(parts, 14)) == ["eleven  twelve", "thirteen"]
    assert list(wrapped(parts, 7, " ")) == ["eleven", "twelve", "thirte…"]
    assert list(wrapped([], 7)) == []
