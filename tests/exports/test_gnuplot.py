# SPDX-License-Identifier: Apache-2.0
"""Scripts, drawn by gnuplot."""

from __future__ import annotations

from tests.exports.gnuplot import Drawn, drawn, needs_gnuplot

from fleutan.exports.gnuplot import Picture, foot, head

ONE = Picture("one", "One", ("Left",), ("using 1:2 with lines",))
TWO = Picture(
    "two", "Two", ("Left", "Right"), ("using 1:2 with lines", "using 1:3 axes x1y2 with lines"), ("set grid",)
)


def script(picture: Picture, *points: str) -> str:
    return "\n".join([*head(picture), *points, *foot(picture, bool(points))]) + "\n"


def test_the_second_axis_is_there_for_a_second_label() -> None:
    assert "y2" not in script(ONE, "1 2")
    assert 'set y2label "Right"\n' in script(TWO, "1 2 3")
    assert "set grid\n$two << END\n1 2 3\nEND\nplot $two using 1:2" in script(TWO, "1 2 3")


def test_no_line_begins_with_an_e() -> None:
    for text in (script(ONE), script(TWO, "1 2 3")):
        assert not any(line.startswith("e") for line in text.splitlines())


@needs_gnuplot
def test_gnuplot_draws_all_curves_of_the_one_block() -> None:
    assert drawn(script(ONE, "1253211900 1", "1253211960 2")) == Drawn(("One", "Left"), 1)
    assert drawn(script(TWO, "1253211900 1 3", "1253211960 2 5")) == Drawn(("Two", "Left", "Right"), 2)


@needs_gnuplot
def test_gnuplot_draws_a_picture_of_nothing() -> None:
    assert drawn(script(TWO)) == Drawn(("Two", "Left", "Right"), 0)
