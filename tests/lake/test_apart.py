# SPDX-License-Identifier: Apache-2.0
"""A writer without a database, and the process that seals for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleutan.column import Column, text_column
from fleutan.lake import apart
from fleutan.lake.apart import Apart, order
from fleutan.lake.layout import OPEN
from fleutan.lake.writer import Writer
from fleutan.table import Table

NOW = 1_800_000_000_000_000_000


def table(count: int) -> Table:
    times = NOW + np.arange(count) * 1_000_000
    return Table(
        "flows", {"time": Column(times), "comm": text_column(["curl"] * count), "sport": Column(np.arange(count))}
    )


def sealed(root: Path, kind: str = "flows") -> list[tuple[int, int]]:
    """How many rows there are in files, and the sum of their ports."""
    import duckdb

    files = [str(path) for path in root.glob(f"{kind}/**/*.parquet")]
    query = f"SELECT count(*), sum(sport)::BIGINT FROM read_parquet({files})"
    return duckdb.execute(query).fetchall() if files else []


def tails(root: Path) -> list[str]:
    return [path.name for path in (root / OPEN).iterdir() if path.name != "keeper.lock"]


def test_what_is_written_is_sealed_when_the_writer_is_left(tmp_path: Path) -> None:
    with Writer(tmp_path, "record", node="mine", apart=Apart(tmp_path, "mine")) as writer:
        for at in range(2):
            writer.add(table(100))
            writer.tick(NOW + at)
        assert sealed(tmp_path) == []
    assert sealed(tmp_path) == [(200, 2 * sum(range(100)))]
    assert tails(tmp_path) == []
    account = writer.account()
    assert (account.rows, account.sealed, account.lost, account.trouble) == (200, 200, 0, "")


_WRITING = """
import sys
from pathlib import Path
from tests.lake.test_apart import table
from fleutan.lake.writer import Limits, Writer

with Writer(Path(sys.argv[1]), "record", Limits(flush_ns=1), "mine") as writer:
    writer.add(table(7))
    now = 1
    while writer.account().flushed < 7:
        writer.tick(now := now + 1)
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_tail_that_is_held_stays_and_one_that_nobody_holds_is_sealed(tmp_path: Path) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", _WRITING, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], **pipes) as writing:
        assert writing.stdout
        assert writing.stdout.readline() == "written\n"
        assert order(tmp_path, "other") == 0
        assert len(tails(tmp_path)) == 1
        writing.kill()
        writing.communicate()
    assert order(tmp_path, "other") == 7
    assert sealed(tmp_path) == [(7, 21)]
    assert tails(tmp_path) == []


def test_what_went_wrong_is_told_until_it_goes_well(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    made = Apart(lake, "mine")
    made.finish()
    assert made.trouble.startswith("nothing is sealed: ")
    (lake / OPEN).mkdir(parents=True)
    made.want()
    made.finish()
    assert made.trouble == ""


def test_the_process_says_in_one_line_what_is_the_matter(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        apart.main([str(tmp_path / "none"), "mine", "{}"])
    assert "\n" not in str(ended.value)
    assert "none" in str(ended.value)


def test_where_no_process_can_be_started_tails_stay_and_it_is_said(tmp_path: Path) -> None:
    made = Apart(tmp_path, "mine")
    made._begins = [str(tmp_path / "none")]
    made.finish()
    assert made.trouble == "nothing is sealed: No such file or directory"


def test_a_lake_that_is_not_kept_in_order_is_sealed_only(tmp_path: Path) -> None:
    with Writer(tmp_path, "record", node="mine") as writer:
        writer.add(table(7))
    (sealed_before,) = tmp_path.glob("flows/*/*/*.parquet")
    assert order(tmp_path, "mine", None) == 0
    assert sealed_before.exists()
    assert not (tmp_path / OPEN / "keeper.lock").exists(), "no keeper came"
    made = Apart(tmp_path, "mine", None)
    made.finish()
    assert made.trouble == ""
    assert sealed_before.exists()
    assert not (tmp_path / OPEN / "keeper.lock").exists()
