# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, MINUTE, SECOND

from fleutan.errors import FleutanError
from fleutan.past import flows
from fleutan.past.engine import Lake
from fleutan.query.times import Window

WANTED = ("comm", "tx_bytes", "rtt", "tx_rate", "limit", "proto", "cwnd", "hint")


def row(number: int, begins: int, **more: object) -> lakes.Row:
    ends = {"src": "192.0.2.1", "dst": "192.0.2.2", "sport": 1000 + number, "dport": 80}
    counts = {"tx_bytes": 100, "rx_bytes": 50, "tx_packets": 2, "rx_packets": 1, "bytes_sent": 2500}
    who = {"comm": f"c{number}", "pid": number, "netns_inode": 9, "cookie": number, "family": "ipv4"}
    return {"time": begins, "interval": 10_000_000, "proto": "tcp", **ends, **counts, **who, **more}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    rows = [
        row(1, AT, rtt=100, limit="app"),
        row(2, AT, rtt=None),
        row(1, AT + 10 * SECOND, rtt=300, limit="loss"),
        row(3, AT + 20 * SECOND, comm=None, pid=None),
    ]
    return lakes.sealed(tmp_path / "lake", flows=rows)


def test_the_flows_of_the_interval_that_a_moment_is_in(lake: Path) -> None:
    with Lake(lake) as opened:
        found = flows.at(opened, AT + 3 * SECOND, (), WANTED)
    assert sorted(zip(found["sport"], found["tx_bytes"], found["tx_rate"], strict=True)) == [
        (1001, 100, 2000),
        (1002, 100, 2000),
    ]
    assert sorted(found["proc"]) == ["c1(1)", "c2(2)"]
    assert (found.kind, found.reading.host, found.reading.interval_ns) == ("flows", "here", 10 * SECOND)
    assert not found.columns["cwnd"].mask().any()
    assert not found.columns["hint"].mask().any()


@pytest.mark.parametrize("moment", [AT - 1, AT + 30 * SECOND])
def test_a_moment_of_which_nothing_is_kept_is_an_error(lake: Path, moment: int) -> None:
    with Lake(lake) as opened, pytest.raises(FleutanError, match="no flow was recorded then"):
        flows.at(opened, moment, (), WANTED)


def test_each_flow_of_a_time_is_told_once_with_all_that_it_did(lake: Path) -> None:
    with Lake(lake) as opened:
        found = flows.during(opened, Window(AT, AT + MINUTE), (), WANTED)
    told = {row["sport"]: row for row in found.rows()}
    assert sorted(told) == [1001, 1002, 1003]
    assert (told[1001]["tx_bytes"], told[1001]["rtt_us"], told[1001]["limit"]) == (200, 200, "loss")
    assert told[1001]["tx_rate_bps"] == round(2 * 2500 * 8 / 60)
    assert (told[1003]["proc"], told[1002]["rtt_us"]) == (None, None)


def test_filters_ask_what_is_kept_and_what_is_made_of_it(lake: Path) -> None:
    with Lake(lake) as opened:
        window = Window(AT, AT + MINUTE)
        assert list(flows.during(opened, window, ("comm = c2", ""), ())["sport"]) == [1002]
        assert list(flows.during(opened, window, ("tx_rate > 500",), ("tx_rate",))["sport"]) == [1001]


def test_a_time_without_flows_has_none(lake: Path) -> None:
    with Lake(lake) as opened:
        assert len(flows.during(opened, Window(AT + MINUTE, AT + 2 * MINUTE), (), WANTED)) == 0
