# SPDX-License-Identifier: Apache-2.0
"""Answers about queues and CPUs, from tables made by hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fleutan.errors import FleutanError
from fleutan.faces.cli.places import counted, section
from fleutan.table import Table

Make = Callable[..., Table]
Draw = Callable[..., str]

_FLOW = {"netns": "host", "dev": "eth0", "proto": "tcp", "src": "10.9.0.1", "dst": "10.9.0.77", "dport": 5202}
#: Volumes as ``by_queue`` orders them.
VOLUMES: list[dict[str, Any]] = [
    {**_FLOW, "direction": "tx", "queue": 0, "sport": 1, "bytes": 10, "packets": 1, "segments": 1, "proc": "a(1)"},
    {**_FLOW, "direction": "tx", "queue": 0, "sport": 2, "bytes": 90, "packets": 2, "segments": 9, "proc": "b(2)"},
    {**_FLOW, "direction": "rx", "queue": 1, "sport": 1, "bytes": 50, "packets": 5, "segments": 5, "proc": "a(1)"},
]
PROCESSES = [{"proc": "a(1)", "pids": (1,), "cpu": 0, "rx_packets": 5}, {"proc": "b(2)", "pids": (2,), "cpu": 1}]
CPUS = [{"cpu": 0, "rx_packets": 5, "rx_bdp": 1.5}, {"cpu": 1, "rx_packets": 9, "rx_bdp": 0.0}]


@pytest.fixture
def asked(make: Make, changed: Table) -> Table:
    """Two readings of a small host, with what lies beside the flows."""

    def table(kind: str, rows: list[dict[str, Any]]) -> Table:
        return replace(make(rows), kind=kind)

    related = {
        "traffic": table("traffic", [{**row, "cpu": row["queue"]} for row in VOLUMES]),
        "queues": table("queues", [{"dev": "eth0", "direction": "tx", "queue": 0, "bytes": 100}]),
        "volumes": table("traffic", VOLUMES),
        "processes": table("runs", PROCESSES),
        "cpus": table("cpus", CPUS),
    }
    return replace(changed, related=related)


def test_a_document_has_a_section_for_each_table(asked: Table, draw: Draw) -> None:
    said = json.loads(draw(asked, "-q", "--json"))
    assert said["schema"] == "fleutan/queues/1"
    assert said["interval_ms"] == 1000
    assert [row["bytes"] for row in said["volumes"]] == [10, 90, 50]
    assert said["queues"][0]["bytes"] == 100
    assert said["queues"][0]["qdisc_drops"] is None
    assert (said["qdiscs"], said["advice"]) == ([], [])
    assert len(said["flows"]) == len(asked)


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        (("--cpu",), {"processes", "crossings", "cpus", "queues", "advice", "flows"}),
        (("--cpu", "load"), {"cpus", "queues", "advice", "flows"}),
    ],
)
def test_sections_of_cpus(words: tuple[str, ...], sections: set[str], asked: Table, draw: Draw) -> None:
    said = json.loads(draw(asked, *words, "--json"))
    assert {name for name, value in said.items() if isinstance(value, list)} == sections
    assert [row["rx_packets"] for row in said["cpus"]] == [5, 9]


def test_rows_are_of_the_views_own_table(asked: Table, draw: Draw) -> None:
    lines = [json.loads(line) for line in draw(asked, "--cpu", "--jsonl").splitlines()]
    assert [(row["proc"], row["cpu"], row["rx_packets"], row["run_time_us"]) for row in lines] == [
        ("a(1)", 0, 5, None),
        ("b(2)", 1, None, None),
    ]
    records = list(csv.DictReader(io.StringIO(draw(asked, "-q", "--csv", "--top", "2"))))
    assert [(row["queue"], row["sport"], row["bytes"], row["unit"]) for row in records] == [
        ("0", "1", "10", ""),
        ("0", "2", "90", ""),
    ]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("-q", "--fields", "queue,remote,bytes"), "QUEUE  REMOTE          BYTES\n    0  10.9.0.77#5202    10B"),
        (("-q", "--fields", "bytes,proc", "--sort", "bytes", "--top", "1"), "BYTES  OWNER\n  90B  b(2)\n"),
        (("--cpu", "load", "--fields", "cpu,rx_packets", "--sort", "rx_packets"), "CPU  RX PKT\n  1       9\n"),
        (("--cpu", "--fields", "proc,cpu", "-H"), "a(1)     0\nb(2)     1\n"),
    ],
)
def test_fields_that_are_asked_for(words: tuple[str, ...], wanted: str, asked: Table, draw: Draw) -> None:
    assert draw(asked, *words).startswith(wanted)


@pytest.mark.parametrize("words", [("-q",), ("--cpu",), ("--cpu", "load")])
def test_a_page_begins_with_how_many_flows_there_are(words: tuple[str, ...], asked: Table, draw: Draw) -> None:
    assert draw(replace(asked, related={}), *words).startswith(f"{len(asked)} flows  ")


def test_groups_are_of_packets(asked: Table, draw: Draw) -> None:
    said = json.loads(draw(asked, "-q", "-g", "proc", "--json"))
    assert said["by"] == ["proc", "dev", "direction", "queue"]
    assert [(row["proc"], row["queue"], row["bytes"]) for row in said["groups"]] == [
        ("b(2)", 0, 90),
        ("a(1)", 1, 50),
        ("a(1)", 0, 10),
    ]
    assert draw(asked, "--cpu", "-g", "peer", "--sort", "packets").splitlines() == [
        "PEER       CPU  DIRECTION  BYTES  PACKETS  SEGMENTS",
        "10.9.0.77  1    rx           50B        5         5",
        "10.9.0.77  0    tx          100B        3        10",
    ]


def test_groups_need_counted_packets(asked: Table, draw: Draw) -> None:
    notes = ("1 socket has no known owner", "packets are not counted: no BTF")
    lacking = replace(asked, related={}, reading=replace(asked.reading, notes=notes))
    with pytest.raises(FleutanError, match=r"^packets are not counted: no BTF$"):
        draw(lacking, "-q", "-g", "proc")
    assert len(counted(asked)) == 3


def test_groups_are_of_the_reading_that_was_asked_for(asked: Table, draw: Draw) -> None:
    every = replace(asked.related["traffic"], reading=replace(asked.reading, netns="all"))
    said = json.loads(draw(replace(asked, related={"traffic": every}), "--cpu", "-g", "proc", "--json"))
    assert said["netns"] == asked.reading.netns != "all"


def test_a_table_that_is_not_there_has_no_rows(asked: Table) -> None:
    found = section(replace(asked, related={}), "volumes", ("dev", "bytes", "dev"))
    assert (len(found), list(found.columns)) == (0, ["dev", "bytes"])
