# SPDX-License-Identifier: Apache-2.0
"""Answers: every view as text (the golden ones are read by people), as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fleutan.faces.cli.answers import TERMINAL_ROWS
from fleutan.faces.cli.figures import Names
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table
from fleutan.views.flows import INTERVAL_FIELDS, MACHINE_FIELDS

Draw = Callable[..., str]
Make = Callable[..., Table]

VIEWS = {
    "flows": (),
    "flows-interval": ("-i", "1"),
    "latency": ("--lat",),
    "volume": ("--vol",),
    "volume-interval": ("--vol", "-i", "1"),
    "limits": ("--limits",),
    "groups": ("-g", "proc"),
    "groups-latency": ("--lat", "-g", "peer"),
    "groups-volume": ("--vol", "-g", "proc,port", "--top", "3"),
    "groups-limits": ("--limits", "-g", "proc"),
    "groups-interval": ("-i", "1", "-g", "proc"),
    "fields": ("--fields", "local,remote,rtt,cwnd,comm,state,pids"),
}
SCREENS = {"80": Screen(80, moves=True), "100": Screen(100, moves=True), "40": Screen(40, moves=True), "pipe": Screen()}
COLOURED = ("flows-interval", "latency", "volume", "limits")


@pytest.mark.parametrize("width", SCREENS)
@pytest.mark.parametrize("view", VIEWS)
def test_golden(
    view: str, width: str, flows: Table, changed: Table, draw: Draw, golden: Callable[[str, str], None]
) -> None:
    table = changed if "-interval" in view else flows
    text = draw(table, "--utc", *VIEWS[view], screen=SCREENS[width])
    assert SCREENS[width].width is None or all(len(line) <= int(width) for line in text.splitlines())
    golden(f"{view}-{width}", text)


@pytest.mark.parametrize("view", COLOURED)
def test_golden_with_colour(
    view: str, flows: Table, changed: Table, draw: Draw, golden: Callable[[str, str], None]
) -> None:
    table = changed if "-interval" in view else flows
    golden(f"{view}-colour", draw(table, "--utc", *VIEWS[view], screen=Screen(80, moves=True, colour=True)))


@pytest.mark.parametrize("view", ["latency", "volume"])
def test_golden_without_blocks(view: str, flows: Table, draw: Draw, golden: Callable[[str, str], None]) -> None:
    golden(f"{view}-ascii", draw(flows, "--utc", *VIEWS[view], screen=Screen(80, blocks=False)))


# -- text


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_host_is_no_trouble(view: str, empty: Table, draw: Draw) -> None:
    words = [word for word in VIEWS[view] if word not in ("-i", "1")]
    text = draw(empty, *words, screen=Screen(80))
    assert "0 flows" in text
    document = json.loads(draw(with_all(empty, ("retrans_share",)), *words, "--json"))
    assert document["groups" if "-g" in words else "flows"] == []


def test_what_says_nothing_new_is_no_heading(flows: Table, draw: Draw) -> None:
    text = draw(flows, "-H", screen=Screen(80))
    assert len(text.splitlines()) == len(flows)
    assert "OWNER" not in text
    assert "OWNER" not in draw(flows, "-H", "--lat", screen=Screen(80))
    assert "web1" not in draw(flows, screen=Screen())


def test_without_a_terminal_rounds_say_when_they_were(changed: Table, draw: Draw) -> None:
    assert "2027-01-15 08:00:00 UTC" in draw(changed, "-i", "1", "--count", "2", "--utc")


def test_notes_stand_on_a_live_display_only(changed: Table, draw: Draw) -> None:
    table = replace(changed, reading=replace(changed.reading, notes=("no\x1b[31m BPF",)))
    assert "note" not in draw(table, "-i", "1", screen=Screen(80, moves=True))
    assert draw(table, "--watch", screen=Screen(80, moves=True)).endswith("note: no\\x1b[31m BPF\n")


def test_a_long_table_is_folded_on_a_terminal(flows: Table, draw: Draw) -> None:
    many = flows.take(np.zeros(TERMINAL_ROWS + 50, np.int64))
    folded = draw(many, screen=Screen(80))
    assert len(folded.splitlines()) == TERMINAL_ROWS + 3
    assert f"the first {TERMINAL_ROWS} of 250 flows: --all shows every one" in folded
    assert len(draw(many, "--all", screen=Screen(80)).splitlines()) == 253
    assert len(draw(many, "--top", "0", screen=Screen(80)).splitlines()) == 253
    assert len(draw(many, "--top", "3", screen=Screen(80)).splitlines()) == 6
    assert len(draw(many).splitlines()) == 251


def test_a_live_display_has_as_many_rows_as_the_screen(changed: Table, draw: Draw) -> None:
    many = changed.take(np.zeros(300, np.int64))
    assert len(draw(many, "--watch", screen=Screen(80, 24, moves=True)).splitlines()) == 24
    assert len(draw(many, "--watch", "--top", "5", screen=Screen(80, 24, moves=True)).splitlines()) == 8
    assert len(draw(many, "--watch", screen=Screen(80, 24)).splitlines()) == TERMINAL_ROWS + 3


def test_latency_shows_both_ends_of_a_crowd(make: Make, draw: Draw) -> None:
    rows = [{"rtt": 100 + at, "min_rtt": 100, **ENDS, "sport": at, "cookie": at, "proc": "x(1)"} for at in range(100)]
    text = draw(make(rows), "--lat")
    assert "... 60 more flows from 120us to 179us: --all shows every one" in text
    assert "#19 " in text
    assert "#20 " not in text
    assert "... 97 more flows from 100us to 196us" in draw(make(rows), "--lat", "--top", "3")
    assert "more" not in draw(make(rows), "--lat", "--all")
    sorted_ = draw(make(rows), "--lat", "--sort", "sport:desc", "--top", "2").splitlines()
    assert [line.split()[3] for line in sorted_[-4:-2]] == ["10.0.0.1#99", "10.0.0.1#98"]
    assert sorted_[-2].startswith("... 98 more flows from 100us to 197us")


def test_volume_folds_too(flows: Table, draw: Draw) -> None:
    text = draw(flows, "--vol", "--top", "2")
    assert text.count("... 7 more flows: --all shows every one") == 2


def test_a_sort_that_is_asked_for_decides(flows: Table, draw: Draw) -> None:
    lines = draw(flows, "--sort", "rtt", "--fields", "rtt", "-H").split()
    assert lines == ["127ms", "126ms", "78.4ms", "28.8ms", "15.4ms", "900us", "85us", "-", "-"]
    assert draw(flows, "--sort", "rtt:asc", "--fields", "rtt", "-H", "--top", "1") == "85us\n"


def test_names_of_addresses_and_ports(flows: Table, draw: Draw) -> None:
    names = Names({"10.9.0.2": "ns.example"}.get, lambda port, proto: f"{proto}-{port}" if port == 53 else None)
    assert "ns.example#udp-53" in draw(flows, "-r", names=names)
    assert "ns.example" in draw(flows, "-g", "peer,port", names=names)


# -- for programs


def test_json_has_every_field_of_a_flow(flows: Table, draw: Draw, make: Make) -> None:
    table = with_all(flows)
    document = json.loads(draw(table, "--json"))
    assert list(document) == ["schema", "host", "netns", "at", "source", "flows"]
    assert document["schema"] == "fleutan/flows/1"
    assert document["at"] == "2027-01-15T08:00:00Z"
    assert set(document["flows"][0]) >= CONTRACT
    assert len(document["flows"]) == len(flows)


@pytest.mark.parametrize(("words", "more"), [(("--lat",), "distribution"), (("--limits",), "verdicts")])
def test_json_of_a_view(words: tuple[str, ...], more: str, flows: Table, draw: Draw) -> None:
    document = json.loads(draw(with_all(flows), *words, "--json"))
    assert list(document) == ["schema", "host", "netns", "at", "source", more, "flows"]


def test_json_says_what_it_lacks_and_over_which_time(changed: Table, draw: Draw) -> None:
    table = with_all(replace(changed, reading=replace(changed.reading, notes=("a", "b"))), INTERVAL_FIELDS)
    document = json.loads(draw(table, "-i", "1", "--json"))
    assert document["interval_ms"] == 1000
    assert document["notes"] == ["a", "b"]
    assert {"change", "tx_rate_bps"} <= set(document["flows"][0])


def test_lines_of_json_and_csv(flows: Table, draw: Draw) -> None:
    words = ("--fields", "remote,rtt,proc", "--top", "2")
    lines = [json.loads(line) for line in draw(flows, *words, "--jsonl").splitlines()]
    assert [list(line) for line in lines] == [["dst", "dport", "rtt_us", "proc"]] * 2
    records = list(csv.reader(io.StringIO(draw(flows, *words, "--csv"))))
    assert records[0] == ["dst", "dport", "rtt_us", "proc"]
    assert len(records) == 3
    assert len(draw(flows, *words, "--csv", "-H").splitlines()) == 2


def test_groups_for_programs(flows: Table, draw: Draw) -> None:
    document = json.loads(draw(flows, "-g", "peer,proc", "--json", "--top", "2"))
    assert list(document) == ["schema", "host", "netns", "at", "source", "by", "others", "groups"]
    assert document["schema"] == "fleutan/groups/1"
    assert document["by"] == ["dst", "proc"]
    assert document["others"]["groups"] == 7
    assert len(document["groups"]) == 2
    assert len(draw(flows, "-g", "proc", "--jsonl").splitlines()) == 8
    assert draw(flows, "-g", "proc", "--csv").startswith("proc,flows,bytes_sent")
    assert not draw(flows, "-g", "proc", "--csv", "-H").startswith("proc,")


ENDS: dict[str, Any] = {"src": "10.0.0.1", "dst": "10.0.0.2", "dport": 443, "proto": "tcp"}
#: What programs may count on.
CONTRACT = {
    *("proto", "family", "state", "src", "sport", "dst", "dport", "netns", "cookie", "inode", "uid", "user"),
    *("pids", "pid", "comm", "exe", "unit", "container", "dev", "cong", "rtt_us", "rtt_var_us", "min_rtt_us"),
    *("cwnd", "mss", "pmtu", "bytes_sent", "bytes_acked", "bytes_received", "bytes_retrans", "segs_out", "segs_in"),
    *("retrans", "lost", "unacked", "delivery_rate_bps", "pacing_rate_bps", "busy_us", "rwnd_limited_us"),
    *("sndbuf_limited_us", "app_limited"),
}


def with_all(table: Table, more: tuple[str, ...] = ()) -> Table:
    """The table with every field that programs get; unknown where it had none."""
    from fleutan.sources.words import unknown

    names = [name for name in (*MACHINE_FIELDS, *more) if name not in table]
    return table.with_columns({name: unknown(name, len(table)) for name in names})
