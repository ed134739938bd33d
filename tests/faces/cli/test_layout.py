# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.faces.cli.layout import Strip, cell_width, cut, fitted, lines, pad


def strips() -> list[Strip]:
    return [
        Strip("OWNER", ["nginx(1)", "a-very-long-command-name(4711)"], floor=8),
        Strip("REMOTE", ["10.0.0.1#443", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff#50000"], floor=12, cut_middle=True),
        Strip("RTT", ["1ms", "20ms"], right=True),
    ]


def test_without_a_limit_nothing_is_cut() -> None:
    assert list(lines(strips(), None)) == [
        "OWNER                           REMOTE                                         RTT",
        "nginx(1)                        10.0.0.1#443                                   1ms",
        "a-very-long-command-name(4711)  2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff#50000  20ms",
    ]


def test_the_widest_is_cut_first_and_keeps_its_port() -> None:
    found = list(lines(strips(), 60, heading=False))
    assert found[1].endswith("20ms")
    assert "#50000" in found[1]
    assert "…" in found[1]
    assert max(map(len, found)) <= 60


def test_what_does_not_fit_goes_from_the_end() -> None:
    assert [strip.title for strip, _ in fitted(strips(), 26)] == ["OWNER", "REMOTE", "RTT"]
    assert [strip.title for strip, _ in fitted(strips(), 24)] == ["OWNER", "REMOTE"]
    assert [strip.title for strip, _ in fitted(strips(), 1)] == ["OWNER"]


@given(st.integers(24, 120))
def test_lines_keep_to_the_width(width: int) -> None:
    assert all(cell_width(line) <= width for line in lines(strips(), width))


@pytest.mark.parametrize(
    ("text", "width", "middle", "found"),
    [
        ("short", 10, False, "short"),
        ("abcdefghij", 5, False, "abcd…"),
        ("192.168.100.100#65000", 12, True, "192.1…#65000"),
        ("abcdefghij", 6, True, "abcde…"),
        ("日本語日本語", 7, False, "日本語…"),
    ],
)
def test_cut(text: str, width: int, middle: bool, found: str) -> None:
    assert cut(text, width, middle) == found
    assert cell_width(found) <= width


def test_wide_signs_take_two_columns() -> None:
    assert cell_width("日本") == 4
    assert pad("日本", 6) == "日本  "
    assert pad("日本", 6, right=True) == "  日本"
