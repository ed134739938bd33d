# SPDX-License-Identifier: Apache-2.0
"""What ``modules`` asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from fleutan.query.plan import Listing, Plan
from fleutan.table import Table


class Lake(Protocol):
    """A lake as an engine sees it; ``past/engine.py`` says what each of these gives."""

    root: Path

    def require(self) -> None:
        """Raises FleutanError where there is no lake."""

    def has(self, kind: str) -> bool:
        """Whether the lake keeps any rows of a kind."""

    def groups(
        self, plan: Plan, kinds: Sequence[str], name: str, plain: bool = False, side: str = ""
    ) -> Iterator[Table]:
        """The plan's groups of rows of these kinds."""

    def counts(self, plan: Plan, kinds: Sequence[str], name: str) -> Iterator[Table]:
        """How many groups each interval has."""

    def both(self, plans: Sequence[Plan], keys: tuple[str, ...], kinds: Sequence[str], name: str) -> Iterator[Table]:
        """The groups of plans that differ in their last key, added up under ``keys``."""

    def rows(self, listing: Listing, name: str, kinds: Sequence[str] = ()) -> Iterator[Table]:
        """The listing's rows."""
