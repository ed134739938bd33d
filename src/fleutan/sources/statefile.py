# SPDX-License-Identifier: Apache-2.0
"""A small SQLite file of our own that several processes share, opened so that none of them is stopped by it.

A file that is broken, or not ours, is renamed aside.  What stands in it is known elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from fleutan.errors import FleutanError

#: "fleu" in the file's header (sqlite.org/fileformat2.html, 1.3.18), so that nobody else's file is written to.
APPLICATION = 0x666C6575
#: How long a process waits until another has written.
BUSY_S = 5.0
# Primary result codes that say nothing of the file, but that it is in use, or out of reach: it stays.
_ELSEWHERE = (
    *(0, sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH),
)
#: What SQLite may have put beside the file; it belongs to it.
_BESIDE = ("-journal", "-wal", "-shm")


class Layout(NamedTuple):
    """The tables of a file as SQL, and the number of that layout."""

    version: int
    tables: str


class Unusable(Exception):
    """The file cannot be used; why, as the end of a sentence that begins with its name."""


# Where names of tables are broken, Python cannot decode what SQLite says of them.
_TROUBLE = (sqlite3.Error, UnicodeDecodeError, Unusable)


class Opened(NamedTuple):
    """A file in a transaction; ``identity`` is drawn when a file is made, so it tells one from its successor."""

    connection: sqlite3.Connection
    identity: bytes


@contextmanager
def opened(path: Path, layout: Layout, note: Callable[[str], None]) -> Iterator[Opened]:
    """The file in a transaction, which is given up if the block raises; made where there is none.

    One that cannot be used is renamed aside, which ``note`` is told in one line.  Raises FleutanError
    where the disk, or the privileges, allow neither, and where the file turns out to be broken later
    (the block may raise Unusable, too): it is aside then, and the next call begins a new one.
    """
    found = _usable(path, layout, note)
    with closing(found.connection) as connection:  # which gives up what was not committed
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield found
            connection.execute("COMMIT")
        except _TROUBLE as error:
            connection.close()
            if _is_broken(error):
                _aside(path, str(error), note)
            raise FleutanError(f"{path}: {error}") from None


def _usable(path: Path, layout: Layout, note: Callable[[str], None]) -> Opened:
    try:
        with _alone(path.parent):
            try:
                return _connected(path, layout)
            except Unusable as why:
                _aside(path, str(why), note)
            return _connected(path, layout)
    except OSError as error:
        raise FleutanError(f"{path}: {error.strerror}") from None
    except (Unusable, sqlite3.Error) as error:
        raise FleutanError(f"{path}: {error}") from None


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process at a time looks whether the file is usable: a second would rename the new one aside."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _connected(path: Path, layout: Layout) -> Opened:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        _check(connection, layout)
        return Opened(connection, _identity(connection))
    except _TROUBLE as error:
        connection.close()
        if _is_broken(error):
            raise Unusable(str(error)) from None
        raise


def _identity(connection: sqlite3.Connection) -> bytes:
    row = connection.execute("SELECT identity FROM file").fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise Unusable("has lost its identity")
    return row[0]


def _check(connection: sqlite3.Connection, layout: Layout) -> None:
    """Makes the tables of a new file.  Raises Unusable for another's."""
    connection.text_factory = lambda octets: octets.decode("utf-8", "replace")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) == (APPLICATION, layout.version):
        return
    if application == APPLICATION:
        raise Unusable(f"is of layout {version}, this fleutan knows {layout.version}")
    if application or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise Unusable("is a database of something else")
    connection.executescript(
        f"""
        BEGIN IMMEDIATE;
        {layout.tables}
        CREATE TABLE file (identity BLOB NOT NULL);
        INSERT INTO file VALUES (randomblob(16));
        PRAGMA application_id = {APPLICATION};
        PRAGMA user_version = {layout.version};
        COMMIT;
        """
    )


def _is_broken(error: Exception) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _ELSEWHERE
    return True


def _aside(path: Path, why: str, note: Callable[[str], None]) -> None:
    """Renames the file; what SQLite left beside it would be taken for a part of its successor."""
    target = path.with_name(f"{path.name}.broken-{time.time_ns():x}")
    for end in ("", *_BESIDE):
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(target.with_name(target.name + end))
    note(f"{path} cannot be used ({why}): it is {target.name} now, and a new one is begun")
