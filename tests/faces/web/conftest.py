# SPDX-License-Identifier: Apache-2.0
"""A lake that is asked, and the applications that answer of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.asking import LENGTH, SECOND, filled, records

from fleutan.faces.web.application import Application, application
from fleutan.faces.web.bounds import Bounds, Node, Service
from fleutan.faces.web.desk import Desk


@pytest.fixture(scope="session")
def first_ns() -> int:
    """When the rows begin: at the beginning of an hour."""
    return 1_800_000_000 * SECOND


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory, first_ns: int) -> Path:
    return filled(tmp_path_factory.mktemp("web") / "lake", [records(first_ns, LENGTH)])


@pytest.fixture
def service(lake: Path, first_ns: int) -> Service:
    """The lake, asked ten minutes after its first row."""
    now_ns = first_ns + LENGTH * SECOND
    return Service(lake, Bounds(patience=5.0), Node("node1", "Lyon"), now_ns=lambda: now_ns, started_ns=first_ns)


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    found = Desk(service)
    yield found
    found.close()


@pytest.fixture
def app(desk: Desk) -> Application:
    return application(desk)
