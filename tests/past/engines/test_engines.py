# SPDX-License-Identifier: Apache-2.0
"""Which engine a word means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleutan.errors import UsageError
from fleutan.past.engine import Lake, Limits
from fleutan.past.engines import SPELLINGS, opened
from fleutan.past.engines.clickhouse import ClickHouse
from fleutan.past.engines.spark import Spark


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("", Lake),
        ("duckdb", Lake),
        ("clickhouse://local", ClickHouse),
        ("clickhouse://127.0.0.1:8123", ClickHouse),
        ("spark://127.0.0.1:7077", Spark),
        ("spark://local[1]", Spark),
    ],
)
def test_engines_by_name(tmp_path: Path, engine: str, kind: type) -> None:
    assert type(opened(engine, tmp_path)) is kind
    assert type(opened(engine, tmp_path, Limits("2GB"))) is kind


def test_what_is_no_engine_is_told_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no engine is called 'trino://host'; there are ") as trouble:
        opened("trino://host", tmp_path)
    assert all(spelling in str(trouble.value) for spelling in SPELLINGS)


def test_no_engine_is_imported_before_it_is_asked() -> None:
    """They take seconds, and hundreds of megabytes."""
    code = (
        "import sys; from pathlib import Path; from fleutan.past.engines import opened\n"
        "for name in ('duckdb', 'clickhouse://local', 'spark://local'): opened(name, Path())\n"
        "print({'duckdb', 'chdb', 'pyspark', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
