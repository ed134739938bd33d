# SPDX-License-Identifier: Apache-2.0
"""Sums by address and port of a file answer for it, whichever hours the rows of one sealing are of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests import lakes
from tests.lakes import AT, HOUR

from fleutan.lake import sealing
from fleutan.lake.compaction import Compaction
from fleutan.lake.disk import Disk
from fleutan.past.engine import Lake
from fleutan.past.modules import answer
from fleutan.past.request import Request

DAY = 24 * HOUR
#: Half an hour before the rows begin, as an hour does, until well after they end.
START, END = AT // HOUR * HOUR - HOUR, AT // HOUR * HOUR + 5 * HOUR


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = lakes.sealed(tmp_path_factory.mktemp("digests") / "lake", records=lakes.records(400))
    with sealing.connect(1, "256MB", root) as connection:
        Compaction(connection, root, "here", Disk(), worth=0).once(AT + DAY)
    return root


@pytest.mark.parametrize("key", ["src", "dst", "sport", "dport"])
@pytest.mark.parametrize("start", [START, AT + 1000])
def test_the_answer_is_that_of_the_rows(lake: Path, key: str, start: int) -> None:
    files = list(lake.glob("ends/*/*/*.parquet"))
    assert len(files) == 2
    assert len({file.name for file in files}) == 1, "one sealing of rows of two hours"
    with Lake(lake) as opened:
        request = Request("talkers", start, END, keys=(key,), measures=("flows", "bytes"), top=0)
        found = [row for table in answer(opened, request) for row in table.rows()]
    flows, octets = Counter[object](), Counter[object]()
    for row in lakes.records(400):
        if row["time"] >= start:
            flows[row.get(key)] += 1
            octets[row.get(key)] += lakes.scaled(row, "bytes")
    told = {row[key]: (row["flows"], row["bytes"]) for row in found}
    assert told == {value: (flows[value], octets[value]) for value in flows}
