# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.figures import DELTAS
from fleutan.analysis.limits import GIVES, NEEDS, check, summary, verdicts
from fleutan.analysis.rules import RULES
from fleutan.column import Column, text_column
from fleutan.errors import UsageError
from fleutan.fields import BY_NAME
from fleutan.table import Reading, Table

Value = int | str | None
Row = dict[str, Value]

# fmt: off
IDLE: Row = {
    "proto": "tcp", "state": "established", "unacked": 0, "notsent": 0,
    "last_data_sent": 90_000, "last_data_recv": 61_000, "bytes_sent": 10, "bytes_received": 10,
}
HELD: Row = IDLE | {
    "last_data_sent": 0, "unacked": 10, "notsent": 500_000, "mss": 1448, "cwnd": 50,
    "busy": 12_340_000, "rwnd_limited": 7_800_000, "sndbuf_limited": 0, "snd_wnd": 65_536,
}
# fmt: on
RECEIVING: Row = IDLE | {"bytes_received": 3_000_000, "last_data_recv": 5}


def flows(rows: list[Row], kind: str = "flows", interval_ns: int = 0) -> Table:
    columns = {}
    for name in NEEDS:
        values = [row.get(name) for row in rows]
        if BY_NAME[name].type == "text":
            columns[name] = text_column([None if value is None else str(value) for value in values])
        else:
            known = np.array([value is not None for value in values], np.bool_)
            columns[name] = Column(np.array([int(value or 0) for value in values], np.int64), known)
    return Table(kind, columns, Reading(interval_ns=interval_ns))


def told(table: Table) -> list[tuple[object, ...]]:
    found = verdicts(table)
    return list(zip(*(found[name].objects() for name in GIVES), strict=True))


def test_verdicts_have_evidence_and_a_hint() -> None:
    limits, evidence, hints = zip(*told(flows([IDLE, HELD, RECEIVING])), strict=True)
    assert limits == ("idle", "rwnd", None)
    assert evidence == (
        "nothing sent or received for 1.02 min",
        "63 % of 12.3 s with data to send held up by the peer's window, now 65.5 kB",
        "3 MB received and 10 bytes sent: what limits it shows at the sender",
    )
    assert all(hints)


@pytest.mark.parametrize(
    "changes", [{"proto": "udp"}, {"proto": None}, {"state": "time-wait"}, {"state": "listen"}, {"notsent": None}]
)
def test_what_is_no_established_tcp_flow_or_lacks_figures_has_no_verdict(changes: Row) -> None:
    assert told(flows([IDLE | changes])) == [(None, None, None)]


def test_a_flow_that_vanished_has_no_verdict() -> None:
    table = flows([IDLE, IDLE]).with_columns({"change": text_column(["vanished", "appeared"])})
    assert verdicts(table)["limit"].objects() == [None, "idle"]


def test_differences_over_an_interval_decide_otherwise_than_a_whole_life() -> None:
    row = HELD | {"busy": 80_000, "rwnd_limited": 60_000, "sacked": 0, "lost": 0, "retrans_out": 0}
    assert verdicts(flows([row], DELTAS, 10**9))["evidence"].objects() == ["had data to send in 8 % of 1 s"]
    assert verdicts(flows([row], "flows", 10**9))["limit"].objects() == ["cwnd"]


def test_only_what_is_asked_for_is_made() -> None:
    assert list(verdicts(flows([IDLE]), {}, ("limit",))) == ["limit"]
    assert list(verdicts(flows([IDLE]), {}, frozenset({"evidence"}))) == ["evidence"]
    assert list(verdicts(flows([IDLE]), {}, ("hint",))) == ["hint"]


def test_a_table_without_flows_or_fields() -> None:
    assert [column.objects() for column in verdicts(flows([])).values()] == [[], [], []]
    bare = Table("flows", {"proto": text_column(["tcp"]), "state": text_column(["established"])})
    assert told(bare) == [(None, None, None)]


def test_thresholds_are_those_asked_for() -> None:
    table = flows([IDLE])
    assert verdicts(table, {"idle_ms": 100_000})["limit"].objects() == ["app"]
    assert verdicts(table, {"idle_ms": 60_000})["limit"].objects() == ["idle"]


def test_a_threshold_that_is_none() -> None:
    check({"idle_ms": 5, "queue_us": float("inf")})
    with pytest.raises(UsageError, match="threshold idle_ms: nothing can be compared with nan"):
        check({"idle_ms": float("nan")})
    with pytest.raises(UsageError, match="'idle_m'; did you mean idle_ms"):
        check({"idle_m": 5})
    with pytest.raises(UsageError, match="there are timeouts, "):
        verdicts(flows([IDLE]), {"quux": 1})


ROWS = st.lists(
    st.fixed_dictionaries(
        {"proto": st.just("tcp"), "state": st.sampled_from(["established", "established", "close-wait"])},
        optional={
            name: st.sampled_from([0, 1, 20, 1448, 10**5, 10**7]) for name in NEEDS if BY_NAME[name].type != "text"
        }
        | {"timer": st.sampled_from(["on", "persist"]), "ca_state": st.sampled_from(["open", "loss"])},
    )
)


@given(ROWS, st.sampled_from(["flows", DELTAS]))
def test_a_verdict_is_that_of_its_row_alone(rows: list[Row], kind: str) -> None:
    together = told(flows(rows, kind, 10**9))
    assert together == [verdict for row in rows for verdict in told(flows([row], kind, 10**9))]
    for limit, evidence, hint in together:
        assert (evidence is None) == (hint is None)
        assert (limit, hint) in {(None, None), *((rule.limit, rule.hint) for rule in RULES)}


def test_the_summary_counts_verdicts() -> None:
    table = flows([IDLE, HELD, IDLE, RECEIVING, IDLE | {"proto": "udp"}, HELD, HELD])
    assert summary(table.with_columns(verdicts(table))) == [("rwnd", 3), (None, 2), ("idle", 2)]
    assert summary(flows([]).with_columns(verdicts(flows([])))) == []


def test_needs_are_fields() -> None:
    assert set(NEEDS) <= BY_NAME.keys()
    assert len(set(NEEDS)) == len(NEEDS)
