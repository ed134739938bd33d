# SPDX-License-Identifier: Apache-2.0
"""DuckDB over a lake's files: opens what a window needs, runs statements, gives Tables.

Read only.  What is asked of it is the business of ``modules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from fleutan.errors import FleutanError
from fleutan.lake.kinds import KINDS, Kind
from fleutan.lake.layout import HOUR, OPEN, TAIL
from fleutan.lake.listing import Part, Snapshot, snapshot
from fleutan.lake.sealing import gather
from fleutan.lake.storage import files_of
from fleutan.past.database import Limits, opened
from fleutan.past.relations import ENDS, ROLLUPS
from fleutan.past.statements import Places, Statement, counted, grouped, listed, united
from fleutan.past.tables import tables
from fleutan.past.troubles import FilesReplaced, errors, looked_for, told
from fleutan.query.plan import Listing, Plan
from fleutan.table import Reading, Table

#: Which file of which hour.
Place = tuple[int, str]

__all__ = ["Lake", "Limits"]

#: How often a question is asked again because files were replaced meanwhile.
TRIES = 4


class Lake:
    """A lake that is asked; ``with`` opens the database.  One question at a time."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root, self._limits = root, limits or Limits()
        self._files: list[Path] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._connection = stack.enter_context(opened(self._limits))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._stack.close()

    def interrupt(self) -> None:
        """Ends the question that is worked on; may be called by another thread."""
        self._connection.interrupt()

    def require(self) -> None:
        """Raises FleutanError where there is no lake."""
        snapshot(self.root, ())

    def has(self, kind: str) -> bool:
        """Whether the lake keeps any rows of a kind."""
        return (self.root / kind).is_dir() or any((self.root / OPEN).glob(f"*.{kind}{TAIL}"))

    def groups(
        self, plan: Plan, kinds: Sequence[str], name: str, plain: bool = False, side: str = ""
    ) -> Iterator[Table]:
        """The plan's groups of rows of these kinds, as Tables called ``name``; with ``plain`` of rows as they are.

        Beside a rollup the kinds that it is made of are read only as far as they are not in it yet.
        With a ``side`` the sums of whole hours by that end are taken where there are some.
        """
        asked = (*kinds, f"ends of {side}") if side else kinds
        return self._answer(asked, plan, name, lambda places: grouped(plan, asked, places, plain=plain))

    def counts(self, plan: Plan, kinds: Sequence[str], name: str) -> Iterator[Table]:
        """How many groups each interval has."""
        return self._answer(kinds, plan, name, lambda places: counted(plan, kinds, places))

    def both(self, plans: Sequence[Plan], keys: tuple[str, ...], kinds: Sequence[str], name: str) -> Iterator[Table]:
        """The groups of plans that differ in their last key, added up under ``keys``; in the order of the first."""
        return self._answer(kinds, plans[0], name, lambda places: united(plans, keys, kinds, places))

    def rows(self, listing: Listing, name: str, kinds: Sequence[str] = ()) -> Iterator[Table]:
        """The listing's rows, as Tables called ``name``; of several ``kinds`` as rows of traffic."""
        asked = kinds or (listing.kind,)
        return self._answer(asked, listing, name, lambda places: listed(listing, places, kinds=kinds))

    def _answer(
        self, kinds: Sequence[str], asked: Plan | Listing, name: str, write: Callable[[Places], Statement]
    ) -> Iterator[Table]:
        reading = Reading("", "", asked.end_ns, max(0, asked.end_ns - asked.start_ns), f"lake {self.root}")
        for _ in range(TRIES):
            statement = write(self._places(kinds, asked))
            begun = False
            try:
                for table in self._run(statement, name, reading):
                    begun = True
                    yield table
            except FilesReplaced:
                if begun:
                    break
            else:
                return
        raise FleutanError(f"files of {self.root} were replaced while they were read; ask again")

    def _run(self, statement: Statement, name: str, reading: Reading) -> Iterator[Table]:
        try:
            relation = self._connection.sql(statement.sql, params=dict(statement.parameters) or None)
            yield from tables(relation, name, statement.names, reading)
        except errors() as error:
            meant = told(error, self._limits.memory)
            raise meant or looked_for(error, self._connection, statement, self._files) from None

    def _places(self, kinds: Sequence[str], asked: Plan | Listing) -> Places:
        """Where rows of each kind are."""
        ends = next((kind for kind in kinds if kind in ENDS), None)
        real = [kind for kind in kinds if kind not in ENDS]
        found = snapshot(self.root, [*real, *(["ends"] if ends else [])], asked.start_ns, asked.end_ns)
        if rolled := [kind for kind in kinds if kind in ROLLUPS]:
            found.parts = {kind: found.parts[kind] if kind in rolled else [] for kind in kinds}
        digests = _digests(found, real, asked.start_ns, asked.end_ns) if ends else {}
        there = {kind: self._relations(KINDS[kind], found, digests) for kind in real}
        if ends:
            there[ends] = _files(KINDS["ends"], list(digests.values()))
        self._files = [part.path for parts in found.parts.values() for part in parts]
        return there.__getitem__

    def _relations(self, kind: Kind, found: Snapshot, summed: Mapping[Place, Part]) -> list[str]:
        """The kind's files but those that are summed, and the table of its tails."""
        relations = _files(kind, [part for part in found.parts[kind.name] if _place(part) not in summed])
        if frames := found.tails[kind.name]:
            name = f"tail_{kind.name}"
            gather(self._connection, kind, [(frame.arrow(), frame.select) for frame in frames], name)
            relations.append(name)
        return relations


def _files(kind: Kind, parts: Sequence[Part]) -> list[str]:
    """Files as a relation, if there are any."""
    return [files_of(kind, [part.path for part in parts])] if parts else []


def _digests(found: Snapshot, kinds: Sequence[str], start_ns: int, end_ns: int) -> dict[Place, Part]:
    """Sums of files of these kinds whose hours are wholly in the window, by the files' places."""
    there = {_place(part): part for part in found.parts["ends"]}
    whole = [
        _place(part)
        for kind in kinds
        for part in found.parts[kind]
        if part.hour_ns >= start_ns and part.hour_ns + HOUR <= end_ns
    ]
    return {place: there[place] for place in whole if place in there}


def _place(part: Part) -> Place:
    """Hour and name: what is sealed at once has one name in several hours."""
    return part.hour_ns, part.path.name
