# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.analysis.evidence import names
from fleutan.analysis.figures import COMPUTED, DELTAS, Figures
from fleutan.analysis.rules import RULES, THRESHOLDS, At
from fleutan.column import Column, text_column
from fleutan.fields import BY_NAME
from fleutan.table import Reading, Table

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "limits.md"
AT = {threshold.name: threshold.default for threshold in THRESHOLDS}
RULE = {rule.name: rule for rule in RULES}

Value = int | str | None

# fmt: off
#: A bulk sender that nothing but its path holds up.
BULK: dict[str, Value] = {
    "proto": "tcp", "state": "established", "timer": "on", "cong": "cubic", "ca_state": "open",
    "rtt": 40_000, "min_rtt": 38_000, "rto": 240_000, "rcv_rtt": 40_000, "backoff": 0,
    "cwnd": 100, "ssthresh": 80, "mss": 1448, "snd_wnd": 3_000_000, "rcv_wnd": 65_536,
    "unacked": 98, "sacked": 0, "lost": 0, "retrans_out": 0, "notsent": 900_000, "rqueue": 0,
    "bytes_sent": 50_000_000, "bytes_acked": 49_800_000, "bytes_received": 2000, "bytes_retrans": 20_000,
    "retrans": 14, "dsack_dups": 0, "delivered": 34_000, "delivered_ce": 0, "app_limited": 0,
    "busy": 12_000_000, "rwnd_limited": 0, "sndbuf_limited": 0, "bbr_bw": None,
    "last_data_sent": 0, "last_data_recv": 60_000, "sndbuf": 4_000_000, "wmem_queued": 1_200_000,
    "pacing_rate": 60_000_000, "max_pacing_rate": None,
}
# fmt: on
STILL: dict[str, Value] = {"unacked": 0, "notsent": 0, "timer": None}
RECEIVING: dict[str, Value] = STILL | {"bytes_sent": 2000, "bytes_received": 90_000_000, "last_data_recv": 0}
#: The changes to BULK that each rule is about, without and with an interval of a second.
NOW: dict[str, dict[str, Value]] = {
    "timeout": {"backoff": 3},
    "closed": {"unacked": 0, "snd_wnd": 1000, "timer": "persist", "backoff": 2},
    "unread": STILL | {"rqueue": 60_000, "rcv_wnd": 4000},
    "idle": STILL | {"last_data_sent": 9000},
    "receives": RECEIVING,
    "pacing": {"pacing_rate": 9_000_000, "max_pacing_rate": 10_000_000},
    "pause": STILL | {"last_data_sent": 30},
    "rwnd": {"rwnd_limited": 8_000_000, "sndbuf_limited": 1_000_000},
    "window": {"snd_wnd": 140_000},
    "sndbuf": {"rwnd_limited": 1_000_000, "sndbuf_limited": 8_000_000},
    "buffer": {"notsent": 0, "unacked": 20, "sndbuf": 46_080, "wmem_queued": 46_000},
    "reordering": {"bytes_retrans": 2_000_000, "retrans": 1400, "dsack_dups": 1100},
    "recovery": {"ca_state": "recovery", "lost": 3, "retrans_out": 2},
    "loss": {"bytes_retrans": 2_000_000, "retrans": 1400},
    "app": {"notsent": 0, "unacked": 3, "app_limited": 1},
    "marked": {"delivered_ce": 3400},
    "queue": {"min_rtt": 12_000},
    "slow-start": {"ssthresh": None},
    "bbr": {"cong": "bbr", "ssthresh": None, "unacked": 40, "bbr_bw": 95_000_000},
    "cwnd": {},
    "waiting": {"unacked": 30},
    "sent": {"notsent": 0, "unacked": 30},
}
COUNTED: dict[str, Value] = {
    "busy": 990_000,
    "bytes_sent": 4_000_000,
    "bytes_acked": 4_000_000,
    "bytes_received": 0,
    "bytes_retrans": 0,
}
INTERVAL: dict[str, dict[str, Value]] = {
    "silent": STILL | {"bytes_sent": 0, "bytes_received": 0},
    "own-window": STILL | {"bytes_sent": 0, "bytes_received": 1_600_000},
    "seldom": {"busy": 120_000},
    "always": {"unacked": 30},
    "pacing": {"notsent": 0, "bytes_acked": 1_200_000, "pacing_rate": 10_000_000, "max_pacing_rate": 10_000_000},
    "cwnd": {},
}


def flow(changes: dict[str, Value], kind: str = "flows", interval_ns: int = 0) -> Table:
    columns = {}
    for name, value in (BULK | changes).items():
        if BY_NAME[name].type == "text":
            columns[name] = text_column([None if value is None else str(value)])
        else:
            columns[name] = Column(np.array([int(value or 0)]), np.array([value is not None]))
    return Table(kind, columns, Reading(interval_ns=interval_ns))


def in_interval(changes: dict[str, Value]) -> Table:
    return flow(COUNTED | {"retrans": 0, "delivered": 3000} | changes, DELTAS, 10**9)


def deciding(table: Table, at: At = AT) -> str | None:
    figures = Figures(table)
    held = (rule.name for rule in RULES if (figures.known(rule.needs) & rule.when(figures, at))[0])
    return next(held, None)


@pytest.mark.parametrize("name", NOW)
def test_each_rule_decides_what_it_is_about(name: str) -> None:
    assert deciding(flow(NOW[name])) == name


@pytest.mark.parametrize("name", INTERVAL)
def test_each_rule_of_an_interval_decides_what_it_is_about(name: str) -> None:
    assert deciding(in_interval(INTERVAL[name])) == name


def test_every_rule_is_tried() -> None:
    assert NOW.keys() | INTERVAL.keys() == RULE.keys()


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_a_rule_needs_what_it_needs(rule: object) -> None:
    """A rule says nothing where one of its figures is unknown."""
    named = next(known for known in RULES if known is rule)
    case, make = (NOW[named.name], flow) if named.name in NOW else (INTERVAL[named.name], in_interval)
    for need in named.needs:
        for field in COMPUTED[need].of if need in COMPUTED else (need,):
            figures = Figures(make(case | {field: None}))
            spared = need == "own_window_rate" and field in ("rtt", "rcv_rtt")  # either will do
            assert figures.known(named.needs)[0] == spared


def test_the_figures_of_rules_are_known_ones() -> None:
    for rule in RULES:
        for figure in (*rule.needs, *names(rule.evidence)):
            assert figure in COMPUTED or figure in BY_NAME, (rule.name, figure)
    assert {rule.limit for rule in RULES} == {None, *BY_NAME["limit"].help.split(": ")[1].split(", ")}


class Asked(dict[str, float]):
    """Thresholds that remember which of them were looked at."""

    def __init__(self) -> None:
        super().__init__(AT)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.names.add(name)
        return super().__getitem__(name)


def test_every_threshold_is_used_and_can_move_a_verdict() -> None:
    used: set[str] = set()
    for rule in RULES:
        asked = Asked()
        rule.when(Figures(flow({})), asked)
        used |= asked.names
    assert used == AT.keys()
    assert deciding(flow({"rwnd_limited": 2_000_000})) == "cwnd"
    assert deciding(flow({"rwnd_limited": 2_000_000}), {**AT, "held_share": 0.1}) == "rwnd"


@given(
    st.dictionaries(
        st.sampled_from([name for name in BULK if BY_NAME[name].type != "text"]),
        st.one_of(st.none(), st.integers(0, 2**63 - 1)),
    )
)
def test_any_figures_are_borne(changes: dict[str, Value]) -> None:
    for table in (flow(changes), in_interval(changes)):
        assert deciding(table) in {None, *RULE}


def rows_under(heading: str) -> Iterator[list[str]]:
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_every_rule_in_its_order() -> None:
    written = [(name, verdict, hint) for name, verdict, _, hint in rows_under("The rules")]
    assert written == [(f"`{rule.name}`", f"`{rule.limit}`" if rule.limit else "unknown", rule.hint) for rule in RULES]


def test_the_page_names_the_thresholds_of_each_rule() -> None:
    for rule, (_, _, words, _) in zip(RULES, rows_under("The rules"), strict=True):
        asked = Asked()
        rule.when(Figures(flow({})), asked)
        named = set(re.findall(r"`(\w+)`", words)) - RULE.keys() | (
            {"full_share"} if "window is full" in words else set()
        )
        assert named == asked.names, rule.name


def test_the_page_says_which_rules_need_an_interval() -> None:
    for rule, (_, _, words, _) in zip(RULES, rows_under("The rules"), strict=True):
        needs_interval = {"interval", "busy_share", "rate_received"} & set(rule.needs)
        assert words.startswith("(interval)") == bool(needs_interval), rule.name


def test_the_page_has_every_threshold() -> None:
    written = [(name, float(default), words) for name, default, words in rows_under("The thresholds")]
    assert written == [(f"`{known.name}`", known.default, known.help) for known in THRESHOLDS]


def test_the_page_has_every_verdict() -> None:
    assert {name.strip("`") for name, _ in rows_under("The verdicts")} == {rule.limit for rule in RULES} - {None}
