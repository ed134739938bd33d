# SPDX-License-Identifier: Apache-2.0
"""The questions as values: which fields, in which order, under which title.

A view knows neither where its Table comes from nor how a face draws it.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Two fields that are shown as one: an end of the flow.
ENDS = {"local": ("src", "sport"), "remote": ("dst", "dport")}


@dataclass(frozen=True, slots=True)
class View:
    """One question: ``columns`` are what a text face shows, most important first.

    ``order`` is what to sort by, the most interesting first ('-' for descending);
    ``tcp_only`` views leave out what has no round trips.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    with_interval: tuple[str, ...] = ()
    tcp_only: bool = False

    def fields(self, interval: bool = False) -> tuple[str, ...]:
        """The catalogue fields behind the columns and the order."""
        shown = self.with_interval if interval and self.with_interval else self.columns
        ordered = tuple(name.lstrip("-") for name in self.order)
        return tuple(dict.fromkeys(part for name in (*shown, *ordered) for part in ENDS.get(name, (name,))))
