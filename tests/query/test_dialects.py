# SPDX-License-Identifier: Apache-2.0
"""What DuckDB makes of what its dialect spells, and how others spell it; tests of engines ask those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from fleutan.lake.kinds import KINDS
from fleutan.query.dialects import CLICKHOUSE, DUCKDB, SPARK, Dialect

D = DUCKDB


@pytest.mark.parametrize(
    ("sql", "parameters", "value"),
    [
        (D.identifier("a"), {}, 7),
        (D.member("a", D.parameter("p", [1, 7])), {"p": [1, 7]}, True),
        (D.like("t", D.parameter("p", "x")), {"p": "a\\_b%"}, True),
        (D.like("t", D.parameter("p", "x")), {"p": "a\\%b%"}, False),
        (D.matches("t", D.parameter("p", "x")), {"p": "_b"}, True),
        (D.bits("a", "3"), {}, 3),
        (D.bucket("a", 5), {}, 5),
        (D.bucket("b", 60), {}, (1 << 62) // 60 * 60),
        (D.integer("a + 0.0"), {}, 7),
        (D.integer("3::HUGEINT * sum(b)"), {}, None),
        (D.latest("a", "b"), {}, 7),
        (D.null("BIGINT"), {}, None),
    ],
)
def test_what_is_spelled_means_this(sql: str, parameters: dict[str, Any], value: object) -> None:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t AS SELECT 7::BIGINT AS a, {1 << 62} AS b, 'a_bc' AS t")
    assert connection.execute(f"SELECT {sql} FROM t", parameters or None).fetchall() == [(value,)]


def test_another_quotes_otherwise() -> None:
    assert Dialect("other", "`").identifier("a") == "`a`"


#: What is spelled: by DuckDB, by Spark, by ClickHouse.
SPELLED: list[tuple[Callable[[Dialect], str], str, str, str]] = [
    (lambda one: one.identifier("bytes"), '"bytes"', "`bytes`", "`bytes`"),
    (lambda one: one.parameter("p", 7), "$p", ":p", "{p:Int64}"),
    (lambda one: one.parameter("p", True), "$p", ":p", "{p:Bool}"),
    (lambda one: one.parameter("p", "x"), "$p", ":p", "{p:String}"),
    (lambda one: one.parameter("p", 0.5), "$p", ":p", "{p:Float64}"),
    (lambda one: one.parameter("p", ["x"]), "$p", ":p", "{p:Array(String)}"),
    (lambda one: one.member("a", "P"), "a IN P", "array_contains(P, a)", "if(isNull(a), NULL, a IN P)"),
    (lambda one: one.like("a", "P"), r"a LIKE P ESCAPE '\'", r"a LIKE P ESCAPE '\\'", "a LIKE P"),
    (lambda one: one.matches("a", "P"), "regexp_matches(a, P)", "a RLIKE P", "match(a, P)"),
    (lambda one: one.bits("a", "P"), "(a & P)", "(a & P)", "bitAnd(a, P)"),
    (lambda one: one.bucket("a", 60), "(a - a % 60)", "(a - a % 60)", "(a - a % 60)"),
    (
        lambda one: one.integer("a"),
        "TRY_CAST(a AS BIGINT)",
        "TRY_CAST(a AS BIGINT)",
        "accurateCastOrNull(a, 'Int64')",
    ),
    (
        lambda one: one.product("a", "b"),
        "TRY(a * b)",
        "try_multiply(a, b)",
        "accurateCastOrNull(toInt128(a) * toInt128(b), 'Int64')",
    ),
    (lambda one: one.aggregate("sum", "a"), "sum(a)", "try_sum(a)", "sum(toInt128(a))"),
    (lambda one: one.aggregate("bit_or", "a"), "bit_or(a)", "bit_or(a)", "groupBitOr(a)"),
    (lambda one: one.aggregate("avg", "a"), "avg(a)", "avg(a)", "avg(a)"),
    (
        lambda one: one.latest("a", "t"),
        "arg_max(a, t)",
        "max_by(a, t) FILTER (WHERE a IS NOT NULL)",
        "argMax(a, t)",
    ),
    (
        lambda one: one.null("BIGINT"),
        "CAST(NULL AS BIGINT)",
        "CAST(NULL AS BIGINT)",
        "CAST(NULL AS Nullable(Int64))",
    ),
    (
        lambda one: one.null("BIGINT[]"),
        "CAST(NULL AS BIGINT[])",
        "CAST(NULL AS ARRAY<BIGINT>)",
        "CAST([] AS Array(Int64))",
    ),
]


@pytest.mark.parametrize(("spell", "duckdb", "spark", "clickhouse"), SPELLED)
def test_spellings(spell: Callable[[Dialect], str], duckdb: str, spark: str, clickhouse: str) -> None:
    assert (spell(DUCKDB), spell(SPARK), spell(CLICKHOUSE)) == (duckdb, spark, clickhouse)


def test_every_type_of_a_lake_has_a_name() -> None:
    """What is not told apart is called alike."""
    types = {type_ for kind in KINDS.values() for _, type_ in kind.columns}
    assert {type_: DUCKDB.type(type_) for type_ in types} == {type_: type_ for type_ in types}
    assert all(type_ in CLICKHOUSE.types for type_ in types)
    assert {type_ for type_ in types if type_ not in SPARK.types} == {"BIGINT", "DOUBLE", "BOOLEAN"}
