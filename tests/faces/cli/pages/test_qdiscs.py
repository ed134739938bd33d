# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleutan.faces.cli.pages import UNFOLDED, Look
from fleutan.faces.cli.pages.qdiscs import figured, left_out, section
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]
Row = dict[str, Any]


def row(
    kind: str, handle: str, parent: str, carried: int | None = 0, options: str | None = None, layer: str = "qdisc"
) -> Row:
    return {
        "layer": layer,
        "qdisc": kind,
        "handle": handle,
        "parent": parent,
        "qdisc_options": options,
        "qdisc_bytes": carried,
        "qdisc_packets": carried,
        "qdisc_drops": carried and 0,
    }


def drawn(
    make: Make, rows: list[Row], beside: list[int | None], most: int | None = None, width: int = 100
) -> list[str]:
    tx = make([{"queue": queue, "qdisc_bytes": carried} for queue, carried in enumerate(beside)])
    return list(section(make(rows), tx, Look(Screen(width)), most))


def kinds(lines: list[str]) -> list[str]:
    return [line.partition(":")[0].rstrip("0123456789abcdef").rstrip() for line in lines[1:]]


@pytest.mark.parametrize(
    ("rows", "beside", "wanted"),
    [
        ([row("noqueue", "0:", "root", None)], [None, None], []),
        ([row("pfifo", "1:", "root", 9)], [9], []),
        ([row("tbf", "1:", "root", 9, "rate 50Mbit")], [9], ["disciplines: tbf (rate 50Mbit)"]),
        (
            [row("fq_codel", "0:", f"0:{number + 1}", 9, "limit 9p") for number in range(4)]
            + [row("mq", "0:", "root", 36)],
            [9] * 4,
            ["disciplines: mq, 4 fq_codel (limit 9p)"],
        ),
        (
            [row("p\x1bfifo", "1:", "root", 9), row("clsact", "ffff:", "clsact")],
            [9],
            ["disciplines: p\\x1bfifo, clsact"],
        ),
    ],
)
def test_what_stands_beside_the_queues_is_not_told_again(
    rows: list[Row], beside: list[int | None], wanted: list[str], make: Make
) -> None:
    assert drawn(make, rows, beside) == wanted


@pytest.mark.parametrize(
    ("rows", "beside"),
    [
        ([row("pfifo", "1:", "root", 9)], [None, None]),
        ([row("mq", "1:", "root", 9), row("tbf", "2:", "1:1", 9), row("sfq", "3:", "1:2", 9)], [9, 9]),
        ([row("mq", "1:", "root", 9), row("tbf", "2:", "1:1", 9), row("sfq", "3:", "2:1", 9)], [9]),
        ([row("htb", "1:", "root", 9), row("htb", "1:1", "root", 9, layer="class")], [9]),
    ],
)
def test_what_does_not_is_a_table(rows: list[Row], beside: list[int | None], make: Make) -> None:
    lines = drawn(make, rows, beside)
    assert lines[0].startswith("QDISC ")
    assert len(lines) == len(rows) + 1


def test_classes_and_disciplines_hang_below_each_other(make: Make) -> None:
    lines = drawn(
        make,
        [
            row("pfifo", "a:", "1:20", 1),
            row("htb", "1:20", "1:1", 1, layer="class"),
            row("clsact", "ffff:", "clsact", 0),
            row("htb", "1:3", "1:1", 1, layer="class"),
            row("sfq", "0:", "8:10", 1),
            row("htb", "1:1", "root", 1, layer="class"),
            row("htb", "1:", "8:2", 1),
            row("mq", "8:", "root", 1),
        ],
        [1],
    )
    handles = [line.split()[1] for line in lines[1:]]
    assert handles == ["8:", "1:", "1:1", "1:3", "1:20", "a:", "0:", "ffff:"]
    depths = [(len(line) - len(line.lstrip())) // 2 for line in lines[1:]]
    assert depths == [0, 1, 2, 3, 3, 4, 1, 0]
    assert [line.split()[0] for line in lines[1:]] == ["mq", "htb", "class", "class", "class", "pfifo", "sfq", "clsact"]


def test_each_is_told_once_even_where_they_hang_from_each_other(make: Make) -> None:
    rows = [row("htb", "1:2", "1:3", 1, layer="class"), row("htb", "1:3", "1:2", 1, layer="class")]
    assert [line.split()[1] for line in drawn(make, rows, [1])[1:]] == ["1:2", "1:3"]


def test_of_many_the_busiest_are_shown_in_their_order(make: Make) -> None:
    classes = [row("htb", f"1:{number:x}", "root", number, layer="class") for number in range(1, 61)]
    rows = [row("htb", "1:", "root", 1830), *classes]
    lines = drawn(make, rows, [1830], most=UNFOLDED)
    assert [line.split()[1] for line in lines[1:3]] == ["1:", "1:16"]
    assert lines[-1] == "... 21 more rows: --all shows every one"
    assert len(lines) == UNFOLDED + 2
    assert len(drawn(make, rows, [1830])) == 62


def test_columns_that_tell_nothing_go_first(make: Make) -> None:
    rows = make([{"queue": 0, "handle": "0:", "requeues": 9, "qdisc_drops": 0, "xps_cpus": "", "rps_cpus": None}])
    names = ("queue", "handle", "requeues", "qdisc_drops", "bql_limit", "xps_cpus", "rps_cpus")
    found = {
        strip.title: strip for strip in figured(rows, names, Look(Screen()), ("requeues", "xps_cpus", "qdisc_drops"))
    }
    assert list(found) == ["QUEUE", "REQUEUES", "DROPS", "XPS CPUS"]
    assert found["XPS CPUS"].cells == ["not set"]
    assert found["XPS CPUS"].spare > found["DROPS"].spare > found["REQUEUES"].spare > found["QUEUE"].spare == 0
    assert figured(rows.take(rows["queue"] > 0), names, Look(Screen()), ())[0].title == "QUEUE"


def test_what_is_left_out_is_counted() -> None:
    assert left_out(1, "queue", Look(Screen())) == "... 1 more queue: --all shows every one"
    assert left_out(1234, "row", Look(Screen(20))) == "... 1,234 more rows…"
