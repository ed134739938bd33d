# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.abreast import Host
from fleutan.faces.cli.pages.ownerless import block, packets, without_owner
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]


def counted(direction: str, cpu: int | None, count: int, **known: Any) -> dict[str, Any]:
    return {"direction": direction, "cpu": cpu, "packets": count, "pids": None, "proto": "tcp", **known}


ROWS = [
    counted("rx", 0, 30, forwarded=True),
    counted("tx", 1, 30, forwarded=True),
    counted("rx", 0, 5, proto="icmp", forwarded=False),
    counted("rx", 1, 2, proto=None, forwarded=None),
    counted("rx", 1, 9_000, pids=(7,)),
]


def test_what_has_an_owner_is_not_meant(make: Make) -> None:
    found = without_owner(make(ROWS))
    assert found is not None
    assert (packets(found, "rx"), packets(found, "tx"), packets(None, "rx")) == (37, 30, 0)
    assert without_owner(make(ROWS[4:])) is None
    assert without_owner(None) is None
    alone = make([{"direction": "rx", "cpu": 0, "packets": 1, "pid": pid} for pid in (7, None)])
    assert packets(without_owner(alone), "rx") == 1


def test_one_block_says_of_which_protocols_and_where(make: Make) -> None:
    found = without_owner(make(ROWS))
    assert found is not None
    assert list(block(found, Host({0: None, 1: None}, False), Look(Screen(40)), 40)) == [
        "~>without owner",
        "tcp 60 forwarded  icmp 5  - 2",
        "RECEIVED          SENT              CPU",
        "█████████▌    35                 0    0",
        "▌              2  ██████████    30    1",
        "─" * 40,
    ]


def test_less_may_be_known_of_it(make: Make) -> None:
    bare = make([{"direction": "rx", "cpu": 0, "packets": 3}])
    found = without_owner(bare)
    assert found is not None
    assert list(block(found, Host({}, False), Look(Screen(40)), None))[1] == "- 3"
