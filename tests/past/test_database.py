# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from fleutan.errors import UsageError
from fleutan.past.database import Limits, opened


def test_a_database_is_within_its_limits() -> None:
    with opened(Limits("64MB", 1)) as connection:
        found = connection.execute("SELECT current_setting('threads'), current_setting('memory_limit')").fetchall()
    assert found == [(1, "61.0 MiB")]


def test_what_does_not_fit_is_spilt_and_goes_with_the_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To where TMPDIR says, into a directory of its own; never into the working directory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with opened(Limits("40MB", 1)) as connection:
        (spill,) = tmp_path.iterdir()
        connection.execute("CREATE TABLE many AS SELECT range AS a, hash(range) AS b FROM range(4000000)")
        assert sum(path.stat().st_size for path in spill.iterdir()) > 1 << 20
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_to_spill_memory_has_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    with opened(Limits()) as connection:
        assert connection.execute("SELECT current_setting('temp_directory')").fetchall() == [("",)]


@pytest.mark.parametrize("memory", ["much", "", "1 lightyear"])
def test_a_memory_that_is_none(memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(UsageError, match="is no amount of memory: say one as in 500MB or 2GB"), opened(Limits(memory)):
        pass
    assert list(tmp_path.iterdir()) == []
