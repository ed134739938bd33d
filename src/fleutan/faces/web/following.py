# SPDX-License-Identifier: Apache-2.0
"""``wait=yes``: an answer that goes on, worked on by a thread that holds a database only while it asks.

How it goes on is known in ``past.following``.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from fleutan.faces.web.desk import Work
from fleutan.past.following import Following, following
from fleutan.past.request import Request
from fleutan.table import Table

__all__ = ["Following", "following", "tables"]


def tables(follow: Following, work: Work, request: Request) -> Iterator[Table]:
    """The answer's Tables; it has begun, as far as the client is told, before it waits for the first time."""
    begun = False

    def ask(window: Request) -> Iterator[Table]:
        return work.tables(window, inf if begun else None)

    def pause(seconds: float) -> None:
        nonlocal begun
        if not begun:
            work.spool.begin()
        begun = True
        work.pause(seconds)

    return follow.answer(request, ask, work.service.now_ns, pause)
