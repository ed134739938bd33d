# SPDX-License-Identifier: Apache-2.0
"""What is known of exporters, kept on disk, so that a process that starts again reads their records at once.

Templates stand in the file as they came, and are read again as if they came again, within the same
bounds.  What that knowledge means is the business of ``protocols.netflow.exporters``; sets that wait
for a template are not kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from sqlite3 import Connection
from typing import Any, NamedTuple

from fleutan.errors import FleutanError
from fleutan.protocols.netflow.exporters.state import DOMAINS, Domain, State
from fleutan.protocols.netflow.wire.templates import Scope, Template, read_set, written
from fleutan.sources.ifnames import NAMES, Interface, Interfaces
from fleutan.sources.statefile import Layout, Unusable, opened

#: The file's name in a lake.
NAME = "state.sqlite"
#: Exporters of which no template came for so long are not loaded: they may have changed what a number means.
LIFETIME_NS = 86_400 * 10**9
#: The longest template in octets: the body of a set.
LONGEST = 0xFFFF

_SCOPE = "version, high, low, port, domain"
_SAME = "version = ? AND high = ? AND low = ? AND port = ? AND domain = ?"
_TYPED = ", ".join(f"{name} INTEGER NOT NULL" for name in Scope._fields)
_OF = f"FOREIGN KEY ({_SCOPE}) REFERENCES exporters ON DELETE CASCADE"
LAYOUT = Layout(
    1,
    f"""
    CREATE TABLE exporters ({_TYPED}, heard_ns INTEGER NOT NULL, PRIMARY KEY ({_SCOPE})) WITHOUT ROWID;
    CREATE TABLE templates (
        {_TYPED}, number INTEGER NOT NULL, options INTEGER NOT NULL, wire BLOB NOT NULL,
        PRIMARY KEY ({_SCOPE}, number), {_OF}
    ) WITHOUT ROWID;
    CREATE TABLE interfaces (
        high INTEGER NOT NULL, low INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (high, low, number)
    ) WITHOUT ROWID;
    CREATE TABLE told (
        {_TYPED}, kind TEXT NOT NULL, number INTEGER NOT NULL, value INTEGER NOT NULL,
        PRIMARY KEY ({_SCOPE}, kind, number), {_OF}
    ) WITHOUT ROWID;
    """,
)


class _Known(NamedTuple):
    """A domain as it was when the file last agreed with it."""

    heard_ns: int
    templates: dict[int, Template]
    told: dict[tuple[str, int], int]


_NOTHING = _Known(0, {}, {})


class Memory:
    """The file at ``path``, and what of it this process read or wrote: only what changed is written.

    Several processes may share it: each writes its own changes, and what one learned the others
    load when they start.  ``interfaces`` are the names of interfaces, loaded and written with the
    State.  ``notes`` says what happened to the file, ``trouble`` why it could not be read or written
    last time, '' if it could; nothing raises.
    """

    def __init__(self, path: Path) -> None:
        self.notes: list[str] = []
        self.trouble = ""
        self.interfaces = Interfaces()
        self._path = path
        self._identity = b""
        self._known: dict[Scope, _Known] = {}

    def load(self, now_ns: int | None = None) -> State:
        """What the file knows of exporters that were heard within LIFETIME_NS; an empty State if nothing."""
        since_ns = (time.time_ns() if now_ns is None else now_ns) - LIFETIME_NS
        try:
            with opened(self._path, LAYOUT, self.notes.append) as (connection, identity):
                (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if said != "ok":
                    raise Unusable(said)
                state = _read(connection, since_ns)
                _read_interfaces(connection, self.interfaces)
        except FleutanError as error:
            self.trouble = str(error)
            return State()
        self.trouble = ""
        self._agree(identity, state)
        return state

    def save(self, state: State) -> int:
        """Writes what changed in one transaction; the number of rows that did."""
        fresh = self.interfaces.taken()
        try:
            with opened(self._path, LAYOUT, self.notes.append) as (connection, identity):
                if identity != self._identity:  # it was begun anew since
                    self._known = {}
                    fresh = list(self.interfaces.names.items())
                before = connection.total_changes
                _write(connection, state, self._known)
                named = ((*interface, name) for interface, name in fresh)
                connection.executemany("INSERT OR REPLACE INTO interfaces VALUES (?, ?, ?, ?)", named)
                rows = connection.total_changes - before
        except FleutanError as error:
            self.trouble = str(error)
            self.interfaces.again(interface for interface, _ in fresh)
            return 0
        self.trouble = ""
        self._agree(identity, state)
        return rows

    def _agree(self, identity: bytes, state: State) -> None:
        self._identity = identity
        self._known = {
            scope: self._known[scope] if self._known.get(scope) == _Known(*_parts(domain)) else _copied(domain)
            for scope, domain in state.domains.items()
        }


def load(path: Path, now_ns: int | None = None) -> State:
    """What the file at ``path`` knows of exporters, as ``Memory.load`` does."""
    return Memory(path).load(now_ns)


def save(path: Path, state: State) -> int:
    """Writes what the file at ``path`` does not know yet; the number of rows.  ``Memory`` need not read it first."""
    memory = Memory(path)
    memory.load(LIFETIME_NS)
    return memory.save(state)


def _parts(domain: Domain) -> tuple[int, dict[int, Template], dict[tuple[str, int], int]]:
    return domain.heard_ns, domain.templates, domain.told


def _copied(domain: Domain) -> _Known:
    return _Known(domain.heard_ns, dict(domain.templates), dict(domain.told))


# -- reading


def _read(connection: Connection, since_ns: int) -> State:
    state = State()
    newest = f"(SELECT * FROM exporters WHERE heard_ns >= ? ORDER BY heard_ns DESC LIMIT {DOMAINS})"
    rows = connection.execute(
        f"""
        SELECT {_SCOPE}, heard_ns, number, options, wire
        FROM {newest} JOIN templates USING ({_SCOPE})
        WHERE length(wire) <= {LONGEST}
        ORDER BY heard_ns
        """,
        (since_ns,),
    )
    for *of, heard_ns, number, options, wire in rows:
        if _numbers(*of, heard_ns, number, options) and isinstance(wire, bytes):
            _learn(state, Scope(*of), heard_ns, bool(options), wire)
    for *of, kind, number, value in connection.execute(f"SELECT {_SCOPE}, kind, number, value FROM told"):
        if _numbers(*of, number, value) and isinstance(kind, str):
            state.tell(Scope(*of), (kind, number), value)
    return state


def _read_interfaces(connection: Connection, interfaces: Interfaces) -> None:
    for *of, name in connection.execute(f"SELECT high, low, number, name FROM interfaces LIMIT {NAMES}"):
        if _numbers(*of) and isinstance(name, str):
            interfaces.put(Interface(*of), name)
    interfaces.taken()


def _learn(state: State, scope: Scope, heard_ns: int, options: bool, wire: bytes) -> None:
    """Takes a template as it would be taken from an exporter; nothing if none would have sent it."""
    for number, template in read_set(wire, scope.version, options) if scope.version in (9, 10) else ():
        if isinstance(template, Template):
            state.learn(scope, number, template, heard_ns)


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


# -- writing


def _write(connection: Connection, state: State, known: dict[Scope, _Known]) -> None:
    changed = [(scope, domain, known.get(scope, _NOTHING)) for scope, domain in state.domains.items()]
    changed = [(scope, domain, then) for scope, domain, then in changed if _parts(domain) != then]
    heard = "INSERT INTO exporters VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET heard_ns = excluded.heard_ns"
    connection.executemany(f"{heard} WHERE heard_ns < excluded.heard_ns", _heard(changed))
    connection.executemany(f"DELETE FROM templates WHERE {_SAME} AND number = ?", _withdrawn(changed))
    connection.executemany("INSERT OR REPLACE INTO templates VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _learned(changed))
    connection.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _told(changed))
    gone = [(*scope, then.heard_ns) for scope, then in known.items() if scope not in state.domains]
    connection.executemany(f"DELETE FROM exporters WHERE {_SAME} AND heard_ns <= ?", gone)
    connection.execute(
        f"""
        DELETE FROM exporters WHERE ({_SCOPE}) IN
        (SELECT {_SCOPE} FROM exporters ORDER BY heard_ns DESC LIMIT -1 OFFSET {DOMAINS})
        """
    )


_Changed = Iterable[tuple[Scope, Domain, _Known]]


def _heard(changed: _Changed) -> Iterator[tuple[int, ...]]:
    return ((*scope, domain.heard_ns) for scope, domain, _ in changed)


def _withdrawn(changed: _Changed) -> Iterator[tuple[int, ...]]:
    for scope, domain, then in changed:
        yield from ((*scope, number) for number in then.templates if number not in domain.templates)


def _learned(changed: _Changed) -> Iterator[tuple[Any, ...]]:
    for scope, domain, then in changed:
        for number, template in domain.templates.items():
            if then.templates.get(number) != template:
                yield (*scope, number, int(template.options), written(number, template))


def _told(changed: _Changed) -> Iterator[tuple[Any, ...]]:
    for scope, domain, then in changed:
        for (kind, number), value in domain.told.items():
            if then.told.get((kind, number)) != value:
                yield (*scope, kind, number, value)
