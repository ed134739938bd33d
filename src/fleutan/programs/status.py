# SPDX-License-Identifier: Apache-2.0
"""How a process tells how it is: a file in a folder of its root, replaced as a whole about once a second.

The file is gone when the process ends in order; one that was killed leaves its last word.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from fleutan import address
from fleutan.column import Column, text_column
from fleutan.exports.json import plain_document
from fleutan.fields import find
from fleutan.table import Reading, Table

FOLDER = ".status"
#: A column's values where none is known, by the catalogue's type.
_FILLERS = {"int": 0, "float": 0.0, "bool": False}


class Status:
    """The file of this process, which does ``name``; ``with`` makes place for it and takes it away.

    Files of processes that are gone are taken away, too.  What the disk refuses is nobody's loss.
    """

    def __init__(self, root: Path, name: str, pid: int | None = None) -> None:
        self._folder, self._name = root / FOLDER, name
        self._path = self._folder / f"{name}-{os.getpid() if pid is None else pid}.json"
        self._hidden = self._path.with_name(f".{self._path.name}")

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            for pattern in (f"{self._name}-*.json", f".{self._name}-*.json"):
                for path in self._folder.glob(pattern):
                    if not _lives(_pid(path)):
                        path.unlink(missing_ok=True)
        return self

    @property
    def folder(self) -> Path:
        """Where the file is."""
        return self._folder

    def __exit__(self, *trouble: object) -> None:
        for path in (self._path, self._hidden):  # the second is left where the disk was full
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def write(self, head: Mapping[str, Any], sections: Mapping[str, Table | Sequence[Any]]) -> None:
        """Replaces the file."""
        with suppress(OSError):
            with open(self._hidden, "wb", opener=_opened) as file:
                file.write(b"".join(plain_document(head, sections)))
            self._hidden.replace(self._path)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)  # the folder may be another user's


def read(root: Path, name: str) -> list[dict[str, Any]]:
    """What processes that do ``name`` said last, each with ``lives``, whether it is there."""
    found = []
    for path in sorted((root / FOLDER).glob(f"{name}-*.json")):
        with suppress(OSError, ValueError):
            found.append(json.loads(path.read_bytes()) | {"lives": _lives(_pid(path))})
    return found


def _pid(path: Path) -> int:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def table(kind: str, rows: Sequence[Mapping[str, Any]], at_ns: int = 0) -> Table:
    """Rows of a document as a Table again; keys that the catalogue lacks are left out."""
    names = dict.fromkeys(key for row in rows for key in row)
    fields = [field for name in names if (field := find(name)) is not None]
    columns = {field.name: _column(field.type, [row.get(field.key) for row in rows]) for field in fields}
    return Table(kind, columns, Reading("", "", at_ns))


def _column(type_: str, values: Sequence[Any]) -> Column:
    known = np.array([value is not None for value in values], np.bool_)
    if type_ == "address":
        return Column(_halves(values), known)
    if type_ == "text":
        return text_column(values)
    if type_ == "ints":
        return _lists(values)
    filler = _FILLERS[type_]
    return Column(np.array([filler if value is None else value for value in values], np.array(filler).dtype), known)


def _halves(values: Iterable[str | None]) -> Any:
    found = [address.parse_prefix(value or "::") for value in values]
    return np.array([(one.hi_first, one.lo_first) for one in found], np.int64).reshape(-1, 2)


def _lists(values: Sequence[Sequence[int] | None]) -> Column:
    words = tuple(dict.fromkeys(tuple(value) for value in values if value is not None))
    codes = [-1 if value is None else words.index(tuple(value)) for value in values]
    return Column(np.array(codes, np.int32), None, words)
