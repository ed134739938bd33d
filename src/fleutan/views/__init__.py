# SPDX-License-Identifier: Apache-2.0
"""The questions as values: which fields, what a narrow screen leaves out, what comes first.

A view knows neither where its Table comes from nor how a face draws it.
"""

from __future__ import annotations

from typing import NamedTuple

#: Two fields that are shown as one: an end of the flow.
ENDS = {"local": ("src", "sport"), "remote": ("dst", "dport")}


class View(NamedTuple):
    """One question.

    ``columns`` are what a text face shows, ``with_interval`` what it shows of two readings.
    Where not all fit it leaves out the ``luxuries`` before it cuts anything, and of the
    ``spare`` as many as it must, the first of them first.  ``order`` are the fields that decide
    what is the most interesting (``ranking``); ``tcp_only`` views leave out what has no round
    trips.  ``table`` is the table that the rows are of where they are not the flows themselves:
    one of those related to them.
    """

    name: str
    columns: tuple[str, ...]
    with_interval: tuple[str, ...]
    luxuries: tuple[str, ...]
    spare: tuple[str, ...]
    order: tuple[str, ...]
    tcp_only: bool = False
    table: str = ""

    def shown(self, interval: bool) -> tuple[str, ...]:
        """The columns that a text face shows."""
        return self.with_interval if interval and self.with_interval else self.columns
