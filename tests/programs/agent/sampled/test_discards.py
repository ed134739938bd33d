# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.programs.agent.sampled.showing import HEADERS, ONES, elements, written

from fleutan.column import text_column
from fleutan.programs.agent.sampled.discards import of_discards
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET
from fleutan.protocols.spans import joined
from fleutan.sources.discarded import Discards


def discards(traps: list[str | None], groups: list[str | None]) -> Discards:
    row = np.arange(3, dtype=np.int64)
    return Discards(
        at_ns=row * 10**9,
        ifindex=row,
        input=row + 1,
        output=row + 2,
        reason=row + 256,
        linux_reason=text_column(["NO_SOCKET", None, "NO_SOCKET"]),
        symbol=text_column([None, "tcp_v4_rcv", "ip_forward"]),
        trap_group=text_column(groups),
        trap=text_column(traps),
        protocol=ONES,
        length=row + 60,
        stripped=ONES * 4,
        header=joined(HEADERS),
        drops=row * 5,
        cookie=row,
        netns=row,
    )


def test_dropped_packets_have_reason_function_and_trap() -> None:
    found = written(DISCARDED_PACKET, of_discards(discards([None, "ttl", "ttl"], [None, "l3", None])))
    assert found[1].named() == {
        "sequence_number": 1,
        "ds_class": 0,
        "ds_index": 1,
        "drops": 5,
        "input": 2,
        "output": 3,
        "reason": 257,
    }
    head = found[0].named()
    assert (head["ds_class"], head["ds_index"], head["drops"]) == (2, 1, 0), "at no interface of ours: the host"
    assert elements(found[0])[1:] == [("extended_linux_drop_reason", (b"NO_SOCKET",))]
    assert elements(found[1])[1:] == [
        ("extended_function", (b"tcp_v4_rcv",)),
        ("extended_hw_trap", (b"l3", b"ttl")),
        ("extended_timestamp", (10**9,)),
    ]
    assert elements(found[2])[1:-1] == [
        ("extended_function", (b"ip_forward",)),
        ("extended_linux_drop_reason", (b"NO_SOCKET",)),
        ("extended_hw_trap", (b"", b"ttl")),
    ]


def test_without_traps_there_is_no_such_structure() -> None:
    found = written(DISCARDED_PACKET, of_discards(discards([None] * 3, [None] * 3)))
    assert all("extended_hw_trap" not in dict(elements(one)) for one in found)
    empty = discards([None] * 3, [None] * 3)
    assert of_discards(replace(empty, at_ns=empty.at_ns[:0])) is None
