# SPDX-License-Identifier: Apache-2.0
"""How much chDB may take, and where there is none; what it answers stands in ``test_clickhouse``."""

from __future__ import annotations

import sys

import pytest

from fleutan.errors import NotSupported, UsageError
from fleutan.past.engine import Limits
from fleutan.past.engines.chdb import Local, octets


@pytest.mark.parametrize(
    ("text", "many"),
    [("1GB", 10**9), ("500 MB", 500 * 10**6), ("1.5gib", 3 << 29), ("64", 64), ("2k", 2000), ("10B", 10)],
)
def test_memory_is_spelled_as_for_duckdb(text: str, many: int) -> None:
    assert octets(text) == many


@pytest.mark.parametrize("text", ["", "much", "1 PB", "-1GB", "1I", "GB"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no amount of memory"):
        octets(text)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chdb", None)
    with pytest.raises(NotSupported, match=r"chDB is not installed; pip install 'fleutan\[clickhouse\]'"):
        Local(Limits(), {}).open()


def test_limits_bind_it() -> None:
    pytest.importorskip("chdb", reason="fleutan[clickhouse] is not installed")
    little = Local(Limits("20MB", threads=1), {})
    little.open()
    sql = "SELECT getSetting('max_threads') = 1 AND getSetting('max_memory_usage') = 20000000 AS bound"
    assert b"\x01" in little.ask(sql, {}).read()
    with pytest.raises(RuntimeError, match="MEMORY_LIMIT_EXCEEDED"):
        little.ask("SELECT groupArray(number) FROM numbers(100000000)", {})
    little.close()
