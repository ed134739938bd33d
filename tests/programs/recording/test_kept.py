# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from tests.live.test_packets import seen
from tests.sources.test_lifecycle import ESTABLISHED, LAST_ACK, WALL, end, record

from fleutan.column import Column
from fleutan.lake.kinds_host import HOST
from fleutan.programs.recording import kept
from fleutan.sources import lifecycle
from fleutan.table import Reading, Table


@pytest.mark.parametrize("kind", ["drops", "queues"])
def test_rows_of_an_interval_have_its_beginning_and_length(kind: str) -> None:
    table = Table(kind, {"packets": Column(np.array([3, 4])), "mtu": Column(np.zeros(2))}, Reading(notes=("mine",)))
    found = kept.of_interval(kind, table, Reading(at_ns=10_000_000, interval_ns=4_000_000))
    assert (found.kind, tuple(found.columns), found.reading.notes) == (kind, HOST[kind], ("mine",))
    assert found.column("time").objects() == [6_000_000] * 2
    assert found.column("interval").objects() == [4_000] * 2
    assert found.column("packets").objects() == [3, 4]
    assert found.column("dev").objects() == [None, None]


def test_a_connection_has_the_time_of_its_end_or_of_its_beginning() -> None:
    began = record(cookie=2, old=ESTABLISHED, begun=500, at=600)
    unknown = record(cookie=3, old=ESTABLISHED, at=700)
    counted = seen(ends=(end(LAST_ACK, begun=100, at=900), began, unknown))
    table = lifecycle.table(counted.lives, ("pid", "comm"), around=lifecycle.HOST._replace(spaces=dict))
    found = kept.lives(table)
    assert (found.kind, tuple(found.columns)) == ("lifecycle", HOST["lifecycle"])
    ends = dict(zip(found.column("cookie").objects(), found.column("time").objects(), strict=True))
    assert ends == {1: WALL + 900, 2: WALL + 500, 3: table.reading.at_ns}
