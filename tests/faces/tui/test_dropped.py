# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from fleutan.column import Column, text_column
from fleutan.faces.tui.dropped import MOST, Dropped
from fleutan.table import Reading, Table


def drops(at_ns: int, **packets: int) -> Table:
    counts = Column(np.array([*packets.values()], np.int64))
    columns = {"reason": text_column([*packets]), "packets": counts, "bytes": Column(counts.values * 100)}
    return Table("drops", columns, Reading(at_ns=at_ns))


def test_readings_add_up_with_the_most_packets_first() -> None:
    readings = [drops(1, XDP=3, NOMEM=1), drops(2), drops(3, NOMEM=4, TCP_CSUM=1)]
    dropped = Dropped(lambda: readings.pop(0))
    assert dropped.table().column("reason").objects() == ["XDP", "NOMEM"]
    assert len(dropped.table()) == 2
    found = dropped.table()
    assert found.column("reason").objects() == ["NOMEM", "XDP", "TCP_CSUM"]
    assert (found["packets"].tolist(), found["bytes"].tolist()) == ([5, 3, 1], [500, 300, 100])
    assert (found.kind, found.reading.at_ns) == ("drops", 3)


def test_what_is_kept_is_bounded() -> None:
    many = {f"R{number}": number + 1 for number in range(MOST + 5)}
    found = Dropped(lambda: drops(1, **many)).table()
    assert (len(found), found["packets"].min()) == (MOST, 6)
