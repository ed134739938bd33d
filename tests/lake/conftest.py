# SPDX-License-Identifier: Apache-2.0
"""What tests of the lake use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lake.rows import made

from fleutan.lake.sealing import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake without rows."""
    return made(tmp_path / "lake")


@pytest.fixture(scope="session")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBPyConnection]:
    """A database that seals and reads."""
    with connect(1, "256MB", made(tmp_path_factory.mktemp("spill"))) as connection:
        yield connection
