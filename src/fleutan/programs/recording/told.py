# SPDX-License-Identifier: Apache-2.0
"""A sink that also tells the service manager that all goes on."""

from __future__ import annotations

from typing import Self

from fleutan.lake.writer import Writer
from fleutan.sources.service import Service
from fleutan.table import Table


class Told:
    """A lake's writer; while it is entered the manager knows that it is ready, and each second that it is alive."""

    def __init__(self, writer: Writer, service: Service) -> None:
        self._writer, self._service = writer, service

    def __enter__(self) -> Self:
        self._writer.__enter__()
        self._service.ready(f"recording into {self._writer.root}")
        return self

    def __exit__(self, *trouble: object) -> None:
        self._service.stopping("sealing what was recorded")
        self._writer.__exit__(*trouble)

    def add(self, table: Table) -> None:
        """Takes a Table."""
        self._writer.add(table)

    def tick(self, now_ns: int) -> None:
        """Says what time it is; the manager is told of it."""
        self._writer.tick(now_ns)
        self._service.alive()
