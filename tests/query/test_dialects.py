# SPDX-License-Identifier: Apache-2.0
"""What DuckDB makes of what the dialect spells."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from fleutan.query.dialects import DUCKDB, Dialect

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
