# SPDX-License-Identifier: Apache-2.0
"""DuckDB over a lake's files: opens what a window needs, runs statements, gives Tables.

Read only.  What is asked of it is the business of ``modules``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from fleutan.errors import FilterError, FleutanError
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR, OPEN, TAIL
from fleutan.lake.listing import Part, Snapshot, snapshot
from fleutan.lake.sealing import gather
from fleutan.lake.storage import files_of
from fleutan.past.relations import ENDS
from fleutan.past.statements import Statement, counted, grouped, listed, united
from fleutan.past.tables import tables
from fleutan.query.plan import Listing, Plan
from fleutan.table import Reading, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: How often a question is asked again because files were replaced meanwhile.
TRIES = 4


@dataclass(frozen=True)
class Limits:
    """What one question may take: memory as DuckDB spells it, threads (0: as many as there are CPUs)."""

    memory: str = "1GB"
    threads: int = 0


class Lake:
    """A lake that is asked; ``with`` opens the database.  One question at a time."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root, self._limits = root, limits or Limits()

    def __enter__(self) -> Self:
        import duckdb

        config: dict[str, Any] = {"memory_limit": self._limits.memory, "preserve_insertion_order": False}
        if self._limits.threads:
            config["threads"] = self._limits.threads
        self._connection: DuckDBPyConnection = duckdb.connect(config=config)
        return self

    def __exit__(self, *trouble: object) -> None:
        self._connection.close()

    def interrupt(self) -> None:
        """Ends the question that is worked on; may be called by another thread."""
        self._connection.interrupt()

    def has(self, kind: str) -> bool:
        """Whether the lake keeps any rows of a kind."""
        return (self.root / kind).is_dir() or any((self.root / OPEN).glob(f"*.{kind}{TAIL}"))

    def groups(
        self, plan: Plan, kinds: Sequence[str], name: str, plain: bool = False, side: str = ""
    ) -> Iterator[Table]:
        """The plan's groups of rows of these kinds, as Tables called ``name``; with ``plain`` of rows as they are.

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

    def _answer(self, kinds: Sequence[str], asked: Plan | Listing, name: str, write: Any) -> Iterator[Table]:
        reading = Reading("", "", asked.end_ns, max(0, asked.end_ns - asked.start_ns), f"lake {self.root}")
        for attempt in range(TRIES):
            statement = write(self._places(kinds, asked.start_ns, asked.end_ns))
            begun = False
            try:
                for table in self._run(statement, name, reading):
                    begun = True
                    yield table
            except FilesReplaced:
                if begun or attempt == TRIES - 1:
                    raise FleutanError(f"files of {self.root} were replaced while they were read; ask again") from None
                continue
            return

    def _run(self, statement: Statement, name: str, reading: Reading) -> Iterator[Table]:
        import duckdb

        try:
            relation = self._connection.sql(statement.sql, params=dict(statement.parameters) or None)
            yield from tables(relation, name, statement.names, reading)
        except duckdb.InterruptException:
            raise FleutanError("the question took too long and was given up") from None
        except duckdb.OutOfMemoryException:
            raise FleutanError(
                f"the question needs more than {self._limits.memory} of memory: ask of a shorter time, or allow more"
            ) from None
        except duckdb.IOException as error:
            if "No files found" in str(error) or "No such file" in str(error):
                raise FilesReplaced from None
            raise FleutanError(f"the lake cannot be read: {str(error).splitlines()[0]}") from None
        except duckdb.InvalidInputException as error:
            if "regexp" in str(error).lower() or "regular" in str(error).lower():
                raise FilterError(f"the filter cannot be evaluated: {str(error).splitlines()[0]}") from None
            raise

    def _places(self, kinds: Sequence[str], start_ns: int, end_ns: int) -> Any:
        ends = next((kind for kind in kinds if kind in ENDS), None)
        real = [kind for kind in kinds if kind not in ENDS]
        found = snapshot(self.root, [*real, *(["ends"] if ends else [])], start_ns, end_ns)
        digests = _digests(found, real, start_ns, end_ns) if ends else {}
        there = {kind: self._relations(kind, found, frozenset(digests)) for kind in real}
        if ends:
            there[ends] = _files("ends", list(digests.values()))
        return there.__getitem__

    def _relations(self, kind: str, found: Snapshot, summed: frozenset[str]) -> list[str]:
        """The kind's files but those that are summed, and the table of its tails."""
        relations = _files(kind, [part for part in found.parts[kind] if part.path.name not in summed])
        if frames := found.tails[kind]:
            gather(self._connection, KINDS[kind], [(frame.arrow(), frame.select) for frame in frames], f"tail_{kind}")
            relations.append(f"tail_{kind}")
        return relations


def _files(kind: str, parts: Sequence[Part]) -> list[str]:
    """Files as a relation, if there are any."""
    return [files_of(KINDS[kind], [part.path for part in parts])] if parts else []


def _digests(found: Snapshot, kinds: Sequence[str], start_ns: int, end_ns: int) -> dict[str, Part]:
    """Sums of files of these kinds whose hours are wholly in the window, by the files' names."""
    there = {part.path.name: part for part in found.parts["ends"]}
    whole = [
        part.path.name
        for kind in kinds
        for part in found.parts[kind]
        if part.hour_ns >= start_ns and part.hour_ns + HOUR <= end_ns
    ]
    return {name: there[name] for name in whole if name in there}


class FilesReplaced(Exception):
    """A file that was listed is no more: it was compacted, or too old."""
