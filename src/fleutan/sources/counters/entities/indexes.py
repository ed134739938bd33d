# SPDX-License-Identifier: Apache-2.0
"""Numbers of data sources, which stay the same for as long as what they stand for is there, restarts included.

A number is where the hash of a UUID falls among those that there are, or the next one that is free.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

#: Those that Host sFlow gives to what is virtual.
FIRST, COUNT = 100_000, 50_000
#: Seconds after which who is not there any more has lost its number.
FORGET_S = 180.0
#: The layout of the file, and octets that it cannot need.
VERSION, _MOST_BYTES = 1, 16 << 20


class Indexes:
    """Numbers by UUID.  ``changed`` says whether they are others than those that were given at the beginning."""

    def __init__(self, kept: Mapping[bytes, int] | None = None, first: int = FIRST, count: int = COUNT) -> None:
        self.changed = False
        self._first, self._count = first, count
        self._numbers: dict[bytes, int] = {}
        self._taken: set[int] = set()
        self._seen: dict[bytes, float | None] = {}
        for uuid, number in (kept or {}).items():
            if first <= number < first + count and number not in self._taken:
                self._take(uuid, number, None)

    def of(self, uuid: bytes, now: float) -> int | None:
        """The number of this one, which is there now; None where there is none left."""
        if uuid not in self._numbers:
            if len(self._taken) >= self._count:
                return None
            self._take(uuid, self._free(uuid), now)
            self.changed = True
        self._seen[uuid] = now
        return self._numbers[uuid]

    def forget(self, now: float, after: float = FORGET_S) -> list[bytes]:
        """Those that were not there for so long: their numbers are free from now on."""
        for uuid, seen in self._seen.items():
            if seen is None:  # of an earlier life: its time begins now
                self._seen[uuid] = now
        gone = [uuid for uuid, seen in self._seen.items() if seen is not None and now - seen >= after]
        for uuid in gone:
            del self._seen[uuid]
            self._taken.discard(self._numbers.pop(uuid))
        self.changed |= bool(gone)
        return gone

    def numbers(self) -> Mapping[bytes, int]:
        """All that are taken, by UUID."""
        return self._numbers

    def _take(self, uuid: bytes, number: int, seen: float | None) -> None:
        self._numbers[uuid] = number
        self._taken.add(number)
        self._seen[uuid] = seen

    def _free(self, uuid: bytes) -> int:
        number = (int.from_bytes(uuid[:8]) ^ int.from_bytes(uuid[8:])) % self._count
        while self._first + number in self._taken:
            number = (number + 1) % self._count
        return self._first + number


def load(path: str) -> tuple[dict[bytes, int], str]:
    """Numbers by UUID as ``save`` left them, and what is to be said: none where there is no file, or a broken one."""
    try:
        with open(path, "rb") as file:
            return _read(file.read(_MOST_BYTES)), ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"{path}: {(error.strerror or str(error)).lower()}: numbers of data sources begin anew"
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError):
        return {}, f"{path}: is broken: numbers of data sources begin anew"


def _read(octets: bytes) -> dict[bytes, int]:
    said = json.loads(octets)
    if said["version"] != VERSION:
        raise ValueError(said["version"])
    return {bytes.fromhex(uuid): int(number) for uuid, number in said["numbers"].items()}


def written(numbers: Mapping[bytes, int]) -> str:
    """What a file says of these."""
    words = {uuid.hex(): number for uuid, number in numbers.items()}
    return json.dumps({"version": VERSION, "numbers": words})


def save(path: str, numbers: Mapping[bytes, int]) -> str:
    """Writes them, all or nothing where the folder is ours; what went wrong, '' if nothing did.

    It does not wait for the disk: a file that the power's failing broke is noticed by ``load``.
    """
    text = written(numbers)
    beside = f"{path}.new"
    try:
        try:
            with open(beside, "w", encoding="ascii") as file:
                file.write(text)
            os.replace(beside, path)
        except PermissionError:  # only the file itself was given to this user
            with open(path, "r+", encoding="ascii") as file:
                file.write(text)
                file.truncate()
    except OSError as error:
        with suppress(OSError):
            os.unlink(beside)
        return f"{path}: {(error.strerror or str(error)).lower()}: numbers of data sources may change at a restart"
    return ""
