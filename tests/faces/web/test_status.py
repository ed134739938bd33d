# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.asking import SECOND, ask, records

from fleutan.faces.web.application import application
from fleutan.faces.web.bounds import Bounds, Node, Service
from fleutan.faces.web.desk import Desk
from fleutan.lake.writer import Writer

DAY = 86_400 * SECOND
START = 1_800_000_000 * SECOND


@pytest.fixture
def empty(tmp_path: Path) -> Service:
    (tmp_path / "lake").mkdir()
    node = Node("n1", "Lille", "NetFlow", "tests")
    return Service(tmp_path / "lake", Bounds(), node, now_ns=lambda: START + DAY, started_ns=START)


@pytest.fixture
def desks() -> Iterator[list[Desk]]:
    found: list[Desk] = []
    yield found
    for desk in found:
        desk.close()


def status(service: Service, desks: list[Desk]) -> str:
    desks.append(Desk(service))
    return ask(application(desks[-1]), "/status").text


def test_an_empty_lake_has_modules_without_records(empty: Service, desks: list[Desk]) -> None:
    lines = status(empty, desks).splitlines()
    assert lines[0] == "Node: n1 | Lille | NetFlow"
    assert lines[3:6] == ["Duration: 1d 0h 0m 0s", "Load: - | - | - | -", "Comment: tests"]
    assert all(" | - | " in line for line in lines if line.startswith("Module: "))
    assert lines[-1].startswith("-- fleutan v")


def test_a_lake_that_is_not_there_has_none_either(empty: Service, desks: list[Desk], tmp_path: Path) -> None:
    assert "Load: - | - | - | -" in status(replace(empty, root=tmp_path / "none"), desks)


def test_rows_that_are_not_sealed_count(empty: Service, desks: list[Desk]) -> None:
    with Writer(empty.root, "collect", node="n1") as writer:
        writer.tick(START)
        writer.add(records(START + DAY - 600 * SECOND, 10))
        writer.tick(START + 6 * SECOND)
        while not writer.account().flushed:
            pass
        text = status(empty, desks)
    assert "Load: 100 | 100 | 100 | 100" in text
    assert f"Module: traffic         | all | {(START + DAY) // SECOND - 600} |" in text
    assert "Module: trace           | all | - |" in text
