# SPDX-License-Identifier: Apache-2.0
"""What engines beside DuckDB have in common: they read the sealed files of a lake, and no tails.

The files are listed here, where the lake's names are understood; the engine reads them where it
is.  How it is asked is the business of each engine's own file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from fleutan.analysis.stack import stacked
from fleutan.errors import FleutanError
from fleutan.lake.kinds import KINDS, Kind
from fleutan.lake.listing import Snapshot, snapshot
from fleutan.past.engines.where import Where
from fleutan.past.relations import ROLLUPS
from fleutan.past.statements import Places, Statement, counted, grouped, listed, united
from fleutan.query.dialects import Dialect
from fleutan.query.plan import Listing, Plan
from fleutan.table import Reading, Table

#: Fewer rows than this do not make a Table if more come.
LEAST = 10_000


class Sealed(ABC):
    """A lake that another engine reads: the same questions as of DuckDB, told by ``protocol``."""

    #: How the engine is called, and how it spells SQL.
    name: ClassVar[str]
    dialect: ClassVar[Dialect]

    def __init__(self, root: Path, where: Where) -> None:
        self.root, self.where = root, where

    # -- what each engine does in its own way

    @abstractmethod
    def relation(self, kind: Kind, names: Sequence[str]) -> str:
        """Files, by their names in the lake, as a relation of SQL with all columns of the kind."""

    @abstractmethod
    def tables(self, statement: Statement, name: str, reading: Reading) -> Iterator[Table]:
        """The answer.  Raises FleutanError for what went wrong."""

    # -- what modules ask

    def require(self) -> None:
        """Raises FleutanError where there is no lake."""
        snapshot(self.root, ())

    def has(self, kind: str) -> bool:
        """Whether the lake keeps any sealed rows of a kind."""
        return (self.root / kind).is_dir()

    def groups(
        self, plan: Plan, kinds: Sequence[str], name: str, plain: bool = False, side: str = ""
    ) -> Iterator[Table]:
        """See ``protocol``; the sums of hours by a ``side`` are not used."""
        del side
        return self._answer(kinds, plan, name, lambda places: grouped(plan, kinds, places, self.dialect, plain))

    def counts(self, plan: Plan, kinds: Sequence[str], name: str) -> Iterator[Table]:
        """See ``protocol``."""
        return self._answer(kinds, plan, name, lambda places: counted(plan, kinds, places, self.dialect))

    def both(self, plans: Sequence[Plan], keys: tuple[str, ...], kinds: Sequence[str], name: str) -> Iterator[Table]:
        """See ``protocol``."""
        return self._answer(kinds, plans[0], name, lambda places: united(plans, keys, kinds, places, self.dialect))

    def rows(self, listing: Listing, name: str, kinds: Sequence[str] = ()) -> Iterator[Table]:
        """See ``protocol``."""
        asked = kinds or (listing.kind,)
        return self._answer(asked, listing, name, lambda places: listed(listing, places, self.dialect, kinds))

    def _answer(
        self, kinds: Sequence[str], asked: Plan | Listing, name: str, write: Callable[[Places], Statement]
    ) -> Iterator[Table]:
        found = snapshot(self.root, kinds, asked.start_ns, asked.end_ns)
        files = _files(found, kinds)
        statement = write({kind: self._relations(KINDS[kind], paths) for kind, paths in files.items()}.__getitem__)
        length_ns = max(0, asked.end_ns - asked.start_ns)
        source = f"lake {self.root}, read by {self.name}"
        reading = Reading("", "", asked.end_ns, length_ns, source, self._notes(found))
        yield from gathered(self.tables(statement, name, reading))
        # An engine may pass over in silence what was compacted or became too old meanwhile.
        if not all(path.exists() for paths in files.values() for path in paths):
            raise FleutanError(f"files of {self.root} were replaced while they were read; ask again")

    def _relations(self, kind: Kind, paths: Sequence[Path]) -> list[str]:
        return [self.relation(kind, [str(path.relative_to(self.root)) for path in paths])] if paths else []

    def _notes(self, found: Snapshot) -> tuple[str, ...]:
        kinds = sorted(kind for kind, frames in found.tails.items() if frames)
        if not kinds:
            return ()
        return (f"{self.name} reads sealed files only: the newest rows of {', '.join(kinds)} are not among these",)


def gathered(tables: Iterator[Table]) -> Iterator[Table]:
    """The same rows in Tables of some thousands of them: an engine may send many of a few."""
    waiting: Table | None = None
    for table in tables:
        waiting = table if waiting is None else stacked(waiting, table)
        if len(waiting) >= LEAST:
            yield waiting
            waiting = None
    if waiting is not None:
        yield waiting


def _files(found: Snapshot, kinds: Sequence[str]) -> Mapping[str, list[Path]]:
    """The files to read; where there is a rollup, none of the kinds that it tells of."""
    rolled = [kind for kind in kinds if kind in ROLLUPS]
    return {kind: [part.path for part in found.parts[kind]] if kind in (rolled or kinds) else [] for kind in kinds}
