# SPDX-License-Identifier: Apache-2.0
"""The lake that engines read, and what DuckDB says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lakes import Rows
from tests.past.engines import questions

from fleutan.past.engine import Lake


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of all kinds."""
    return questions.lake(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="session")
def right(kept: Path) -> list[Rows]:
    """DuckDB's answers, one a question."""
    with Lake(kept) as lake:
        return [questions.told(lake, question) for question in questions.QUESTIONS]
