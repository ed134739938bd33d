# SPDX-License-Identifier: Apache-2.0
"""Statements as text: what is read, that nothing is spliced in, and that each is valid SQL of no rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pytest

from fleutan.lake.kinds import KINDS
from fleutan.past.statements import MEASURES, READ, Places, Statement, counted, grouped, listed, united
from fleutan.query.dialects import Dialect
from fleutan.query.filter import PAST_SYNONYMS, parse
from fleutan.query.plan import Listing, Plan

PLAN = Plan(10, 20, ("src", "dport"), ("bytes", "packets"))
KINDS_OF_TRAFFIC = ("records", "samples", "flows")


def places(kind: str) -> Sequence[str]:
    """An empty relation of the kind."""
    kept = KINDS["ends" if kind.startswith("ends of") else kind].columns
    columns = ", ".join(f'CAST(NULL AS {type_}) AS "{name}"' for name, type_ in kept)
    return [f"(SELECT {columns} WHERE false)"]


def nowhere(kind: str) -> Sequence[str]:
    return []


def columns(statement: Statement) -> list[str]:
    """The columns of its answer, which has no row, with their types."""
    relation = duckdb.connect().sql(statement.sql, params=dict(statement.parameters) or None)
    assert relation is not None
    assert relation.fetchall() == []
    return [f"{name} {type_}" for name, type_ in zip(relation.columns, relation.types, strict=True)]


def test_only_what_is_asked_for_is_read() -> None:
    statement = grouped(PLAN, ("records",), places)
    read = statement.sql[statement.sql.index("FROM (SELECT") :]
    assert sorted(re.findall(r'AS "(\w+)"', read)[:5]) == ["bytes", "dport", "packets", "src_hi", "src_lo"]
    assert "time_ns >= 10 AND time_ns < 20" in statement.sql
    assert statement.names == ("src", "dport", "bytes", "packets")
    assert columns(statement) == ["src_hi BIGINT", "src_lo BIGINT", "dport INTEGER", "bytes BIGINT", "packets BIGINT"]


@pytest.mark.parametrize("bucket", [0, 7])
@pytest.mark.parametrize("top", [0, 3])
@pytest.mark.parametrize("order", ["", "bytes"])
@pytest.mark.parametrize("where", [places, nowhere])
def test_every_shape_of_a_plan_is_valid(bucket: int, top: int, order: str, where: Places) -> None:
    plan = replace(PLAN, bucket_ns=bucket, top=top, order=order)
    for kinds in (KINDS_OF_TRAFFIC, ("hours", "records"), ("records", "ends of src")):
        shown = replace(plan, keys=("src",)) if "ends of src" in kinds else plan
        shown = replace(plan, keys=("proto",)) if "hours" in kinds else shown
        found = grouped(shown, kinds, where)
        assert columns(found)[-2:] == ["bytes BIGINT", "packets BIGINT"] or top
        assert ("time" in found.names) == bool(bucket)


def test_ties_go_by_the_keys() -> None:
    found = grouped(replace(PLAN, order="bytes", top=5), ("records",), places).sql
    keys = '"src_hi" NULLS LAST, "src_lo" NULLS LAST, "dport" NULLS LAST'
    assert found.endswith(f'ORDER BY "bytes" DESC, {keys} LIMIT 5')
    found = grouped(replace(PLAN, order="bytes", top=5, bucket_ns=7), ("records",), places).sql
    assert f'PARTITION BY time_ns ORDER BY "bytes" DESC, {keys}' in found
    assert re.search(f'ORDER BY time_ns( NULLS LAST)?, "bytes" DESC, {keys}$', found)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_read_of_every_kind_of_traffic(measure: str) -> None:
    key = READ.get(measure, measure)
    plan = replace(PLAN, keys=("proto",), measures=(measure,))
    found = columns(grouped(plan, KINDS_OF_TRAFFIC, places))
    assert found[1].split()[1] == ("DOUBLE" if measure == "rtt" else "BIGINT"), key
    assert columns(grouped(plan, ("flows",), places, plain=True))[1] == found[1]


def test_other_counters_are_summed_and_of_what_is_no_counter_the_last_is_told() -> None:
    plan = replace(PLAN, keys=("dev",), measures=("bytes_retrans", "state"))
    sql = grouped(plan, ("flows",), places, plain=True).sql
    assert 'TRY_CAST(sum("bytes_retrans") AS BIGINT)' in sql
    assert 'arg_max("state", time_ns)' in sql


def test_values_are_parameters() -> None:
    evil = 'unit = "x\'; DROP TABLE y; --" and src 10.0.0.0/8'
    plan = replace(PLAN, filter=parse(evil, PAST_SYNONYMS))
    for statement in (
        grouped(plan, ("flows",), places),
        counted(replace(plan, bucket_ns=60), ("flows",), places),
        united([plan, plan], ("src", "port"), ("flows",), places),
        listed(Listing("flows", 0, 1, ("src",), plan.filter), places),
    ):
        assert "DROP" not in statement.sql
        assert "x'; DROP TABLE y; --" in statement.parameters.values()
        columns(statement)


def test_groups_of_each_interval_are_counted() -> None:
    found = counted(replace(PLAN, bucket_ns=60), KINDS_OF_TRAFFIC, places)
    assert columns(found) == ["time_ns BIGINT", "flows BIGINT"]
    assert found.names == ("time", "flows")


@pytest.mark.parametrize("bucket", [0, 60])
def test_plans_that_differ_in_their_last_key_are_added_up(bucket: int) -> None:
    tcp, udp = (parse(text, PAST_SYNONYMS) for text in ("tcp", "udp"))
    plans = [
        Plan(0, 9, ("proto", side), ("bytes",), condition, bucket, "bytes", 3)
        for side, condition in (("sport", tcp), ("dport", udp))
    ]
    found = united(plans, ("proto", "port"), KINDS_OF_TRAFFIC, places)
    assert found.parameters == {"part0_0": "tcp", "part1_0": "udp"}
    first = ["time_ns BIGINT"] if bucket else []
    assert columns(found)[: 3 + bool(bucket)] == [*first, "proto VARCHAR", "port INTEGER", "bytes BIGINT"]


def test_a_listing() -> None:
    listing = Listing("drops", 0, 9, ("time", "reason", "src"), parse("packets > 3"), ("time", "packets"), 5)
    found = listed(listing, places)
    assert columns(found) == ["time_ns BIGINT", "reason VARCHAR", "src_hi BIGINT", "src_lo BIGINT"]
    assert found.sql.endswith('ORDER BY "time_ns" NULLS LAST, "packets" NULLS LAST LIMIT 5')
    assert "ORDER" not in listed(replace(listing, order=()), nowhere).sql
    both = listed(
        Listing("records", 0, 9, ("start", "end", "bytes"), order=("start",)), places, kinds=("records", "flows")
    )
    assert columns(both) == ["start_ns BIGINT", "end_ns BIGINT", "bytes BIGINT"]


def test_another_dialect_is_asked_how_it_spells() -> None:
    found = grouped(PLAN, ("records",), places, Dialect("other", "`")).sql
    assert "GROUP BY 1, 2, 3" in found
    assert "SELECT `src_hi`, `src_lo`, `dport`" in found
