# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.bands import Cell, Entry, Row, bands
from fleutan.faces.cli.terminal import Screen


def drawn(rows: list[Row], width: int | None, colour: bool = False) -> list[str]:
    return list(bands(rows, Look(Screen(width, colour=colour, blocks=False))))


def rows_of(*columns: Sequence[Cell]) -> list[Row]:
    return [Row(str(number), cells) for number, cells in enumerate(zip(*columns, strict=True))]


def test_columns_that_fit_stand_side_by_side() -> None:
    rows = rows_of(["head a", [Entry("a", "1ms")]], ["head b", [Entry("bb", "10ms", ("!N",))]])
    assert drawn(rows, 40) == ["0  head a  head b", "1  a 1ms   bb 10ms !N"]


def test_columns_that_do_not_fit_stand_below() -> None:
    columns: list[list[Cell]] = [[f"the heading {number}", [Entry("a" * 20, "1ms")]] for number in range(3)]
    rows = rows_of(*columns)
    lines = drawn(rows, 60)
    assert lines == [
        "0  the heading 0             the heading 1",
        "1  aaaaaaaaaaaaaaaaaaaa 1ms  aaaaaaaaaaaaaaaaaaaa 1ms",
        "-" * 60,
        "0  the heading 2",
        "1  aaaaaaaaaaaaaaaaaaaa 1ms",
    ]


def test_a_row_that_says_nothing_in_a_band_is_not_in_it() -> None:
    rows = rows_of(["x" * 30, [Entry("a")], ()], ["y" * 30, (), [Entry("b")]])
    assert drawn(rows, 40)[1] == "1  a"
    assert drawn(rows, 40)[-1] == "2  b"
    assert len(drawn(rows, 40)) == 5
    assert len(drawn(rows, 80)) == 3


def test_names_are_cut_before_what_is_told_goes_on_below_and_addresses_never() -> None:
    named = Entry("a.long.name.of.a.router.example", "5ms", ("[AS64496 DE]",), floor=12)
    assert drawn([Row("1", [[named]])], 40) == ["1  a.long.name.of.a.ro~ 5ms [AS64496 DE]"[:40]]
    assert drawn([Row("1", [[named]])], 28) == ["1  a.long.name.of.a.rou~ 5ms", "     [AS64496 DE]"]
    address = named._replace(who="2001:db8:1234:5678:9abc:def0:1234:5678", floor=None)
    assert drawn([Row("1", [[address]])], 50) == [
        "1  2001:db8:1234:5678:9abc:def0:1234:5678 5ms",
        "     [AS64496 DE]",
    ]


def test_more_is_told_where_there_is_room() -> None:
    rows = [Row("1", [[Entry("a", "5ms", ("!X",), ("MPLS 17", "tos"))]])]
    assert drawn(rows, 40) == ["1  a 5ms !X MPLS 17 tos"]
    assert drawn(rows, 20) == ["1  a 5ms !X MPLS 17"]
    assert drawn(rows, 15) == ["1  a 5ms !X tos"]


def test_behind_a_number_lines_go_on_further_to_the_right() -> None:
    rows = [Row(">", [[Entry("a" * 8, "5ms", ("[AS64496]",), number=" 7 "), Entry("b", number="   ")]])]
    assert drawn(rows, 20) == [">   7 aaaaaaaa 5ms", "        [AS64496]", "      b"]


def test_words_run_on() -> None:
    assert drawn([Row("", ["nobody answers beyond"])], 12) == ["  nobody", "  answers", "  beyond"]


def test_without_a_terminal_nothing_is_cut() -> None:
    long = Entry("n" * 120, "5ms", ("!X",), ("MPLS 17",))
    lines = drawn(rows_of([[long]], [[Entry("b")]]), None)
    assert lines == [f"0  {'n' * 120} 5ms !X MPLS 17", "-" * 100, "0  b"]


def test_a_cell_is_painted_in_its_own_colour_or_in_that_of_its_row() -> None:
    [line] = drawn([Row(">", [[Entry("a", colour="red")], [Entry("b")]], "yellow")], 40, colour=True)
    assert line == "\x1b[33m>\x1b[0m  \x1b[31ma\x1b[0m  \x1b[33mb\x1b[0m"


NAMES = st.text("ab日.\u0301", max_size=50)
ENTRIES = st.builds(
    Entry,
    who=NAMES,
    time=st.sampled_from(["", "5ms", "999us"]),
    told=st.lists(st.sampled_from(["33% lost", "[AS64496 DE]", "!" * 30]), max_size=3).map(tuple),
    more=st.lists(st.sampled_from(["MPLS 17", "tos"]), max_size=2).map(tuple),
    number=st.sampled_from(["", " 7 "]),
    floor=st.sampled_from([None, 5, 20]),
)


@given(
    st.integers(1, 5).flatmap(
        lambda count: st.lists(
            st.lists(NAMES | st.lists(ENTRIES, max_size=3), min_size=count, max_size=count), min_size=1, max_size=4
        )
    ),
    st.integers(16, 130),
)
def test_no_line_is_longer_than_the_screen(cells: list[list[Cell]], width: int) -> None:
    for line in drawn([Row(">", row) for row in cells], width):
        assert cell_width(line) <= width


@pytest.mark.parametrize("width", [40, 80, 200, None])
def test_every_column_stands_in_one_band(width: int | None) -> None:
    rows = [Row("", [f"p{number}|" + "x" * (number % 7) * 5 for number in range(50)])]
    assert [word.partition("|")[0] for line in drawn(rows, width) for word in line.split() if "|" in word] == [
        f"p{number}" for number in range(50)
    ]
