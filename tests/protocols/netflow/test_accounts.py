# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from tests.protocols.netflow.making import (
    PLAIN,
    RECORD,
    SECONDS,
    UPTIME_MS,
    options_10,
    read,
    record_5,
    set_of,
    template,
    v5,
    v9,
    v10,
)

from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.wire.rejects import COUNT, REASONS

SHAPES = (set_of(2, template(256, *PLAIN)), set_of(3, options_10(300, 1, (149, 4), (34, 4))))


def rows(*strings: bytes, state: State | None = None) -> list[dict[str, Any]]:
    found = accounts(read(*strings, state=state))
    return [
        {
            name: int(column[at]) if name not in found.known or found.known[name][at] else None
            for name, column in found.values.items()
        }
        for at in range(found.rows)
    ]


def test_each_datagram_of_each_version_and_none() -> None:
    data = (set_of(256, RECORD, RECORD), set_of(300, bytes(8)))
    found = rows(
        v10(*SHAPES, *data, sequence=100),
        v10(*data, set_of(999, RECORD), sequence=103),
        v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD), sequence=5),
        v5(record_5(), record_5()),
        v5(record_5(), count=9),
    )
    common = {"rejected": None, "options": 0, "templates": 0, "unread": 0}
    ten = common | {
        "protocol": 10,
        "domain": 7,
        "exported": SECONDS * 10**9,
        "uptime_ms": None,
        "flows": 2,
        "options": 1,
    }
    assert found[0] == ten | {"sequence": 100, "templates": 2, "advance": 3}
    assert found[1] == ten | {"sequence": 103, "unread": 1, "advance": None}
    nine = {"protocol": 9, "domain": 7, "sequence": 5, "exported": SECONDS * 10**9, "uptime_ms": UPTIME_MS}
    assert found[2] == common | nine | {"flows": 1, "templates": 1, "advance": 1}
    five = {"protocol": 5, "domain": 0x0102, "sequence": 9, "exported": SECONDS * 10**9 + 5, "uptime_ms": UPTIME_MS}
    assert found[3] == common | five | {"flows": 2, "advance": 2}
    nothing = dict.fromkeys(("protocol", "domain", "sequence", "exported", "uptime_ms", "advance"))
    assert found[4] == common | nothing | {"flows": 0, "rejected": REASONS.index(COUNT)}


def test_what_had_waited_is_of_no_datagram_of_this_batch() -> None:
    state = State()
    assert rows(v10(set_of(256, RECORD)), state=state)[0]["unread"] == 1
    (found,) = rows(v10(*SHAPES), state=state)
    assert (found["flows"], found["advance"], found["templates"]) == (0, 0, 2)
