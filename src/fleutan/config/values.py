# SPDX-License-Identifier: Apache-2.0
"""What a key's value may be: read from what TOML has, or refused with what it should have been.

What keys there are stands in ``sections``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from re import fullmatch
from typing import Any, NamedTuple

from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR
from fleutan.lake.retention import DEFAULTS, Keep
from fleutan.query.units import SIZE

#: The greatest number that anything here is: 63 bits.
LARGEST = (1 << 63) - 1
#: So much of a wrong value is shown.
SHOWN = 60


class Value(NamedTuple):
    """What a value is: ``noun`` says it to people; ``read`` raises ValueError with what is wrong, if it is not that.

    ``read`` is given the directory of the file, too, from which relative paths count.
    """

    noun: str
    read: Callable[[Any, Path], Any]


def shown(value: Any) -> str:
    """A wrong value in a message: one line, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _refused(value: Any, noun: str) -> ValueError:
    return ValueError(f"{shown(value)} is not {noun}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(noun: str, least: float, most: float = LARGEST) -> Value:
    """A number of so much at least and at most, as a float."""

    def read(value: Any, _: Path) -> float:
        if not _is_number(value) or not least <= value <= most:
            raise _refused(value, noun)
        return float(value)

    return Value(noun, read)


def whole(noun: str, least: int, most: int = LARGEST) -> Value:
    """A whole number of so much at least and at most."""

    def read(value: Any, _: Path) -> int:
        if not _is_number(value) or isinstance(value, float) or not least <= value <= most:
            raise _refused(value, noun)
        return int(value)

    return Value(noun, read)


def _truth(value: Any, _: Path) -> bool:
    if not isinstance(value, bool):
        raise _refused(value, "true or false")
    return value


def _text(value: Any, _: Path) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _refused(value, "text of one line")
    return value


def _path(value: Any, directory: Path) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _refused(value, "a path")
    return directory / value


def _octets(value: Any, _: Path) -> int:
    noun = "a number of bytes, as 1000000 or '50 GB' (B, KB, MB, GB, TB, KiB, MiB, GiB or TiB)"
    if isinstance(value, str):
        match = fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,9}))? ?([A-Za-z]{1,3})", value.strip())
        if match is None or match[3] not in SIZE.factors:
            raise _refused(value, noun)
        part = match[2] or ""
        value = int(match[1] + part) * SIZE.factors[match[3]] // 10 ** len(part)
    if not _is_number(value) or isinstance(value, float) or not 0 <= value <= LARGEST:
        raise _refused(value, noun)
    return int(value)


def _address(value: Any, _: Path) -> str:
    try:
        return str(ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise _refused(value, "an IP address") from None


def choice(*words: str) -> Value:
    """One of these words."""
    noun = f"one of {', '.join(words)}"

    def read(value: Any, _: Path) -> str:
        if value not in words:
            raise _refused(value, noun)
        return str(value)

    return Value(noun, read)


def several(one: Value, noun: str, least: int = 0) -> Value:
    """A list of them, as a tuple; each once."""

    def read(value: Any, directory: Path) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise _refused(value, noun)
        return tuple(dict.fromkeys(one.read(each, directory) for each in value))

    return Value(noun, read)


TRUTH = Value("true or false", _truth)
TEXT = Value("text", _text)
PATH = Value("a path; a relative one begins where the file is", _path)
OCTETS = Value("bytes: a number, or as '50 GB'", _octets)
ADDRESS = Value("an IP address", _address)
PORT = whole("a port from 1 to 65535", 1, 65_535)


def _command(value: Any, directory: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _refused(value, "a list of words")
    return tuple(_text(each, directory) for each in value)


#: A command and what it is given; unlike in other lists, words may come twice.
COMMAND = Value("a list of words", _command)

# -- how long rows are kept

#: How the row for all kinds is called.
DEFAULT = "default"
_DAYS = number("a number of days (0: without bound)", 0, 36_525)


def _retention(value: Any, directory: Path) -> dict[str, Keep]:
    if not isinstance(value, dict):
        raise _refused(value, "a table of kinds, as records = { days = 30, bytes = '50 GB' }")
    for name in value:
        if name != DEFAULT and name not in KINDS:
            raise Unknown("kind", name, (DEFAULT, *KINDS))
    common = value.get(DEFAULT, {})
    kept = {kind: _keep(common, keep, DEFAULT, directory) for kind, keep in DEFAULTS.items()}
    return {kind: _keep(value.get(kind, {}), keep, kind, directory) for kind, keep in kept.items()}


def _keep(value: Any, otherwise: Keep, name: str, directory: Path) -> Keep:
    """The bounds that a row says; what it does not say is as ``otherwise``."""
    said = _row(value, name)
    try:
        age_ns = round(_DAYS.read(said["days"], directory) * 24 * HOUR) if "days" in said else otherwise.age_ns
        return Keep(age_ns, _octets(said["bytes"], directory) if "bytes" in said else otherwise.octets)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _row(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: {shown(value)} is not a table, as {{ days = 30, bytes = '50 GB' }}")  # noqa: TRY004
    for key in value:
        if key not in ("days", "bytes"):
            raise Unknown(f"key of {name}", key, ("days", "bytes"))
    return value


class Unknown(ValueError):
    """A word that is none of those that are known."""

    def __init__(self, what: str, word: str, known: tuple[str, ...]) -> None:
        super().__init__(word)
        self.what, self.word, self.known = what, word, known


RETENTION = Value("a table of kinds", _retention)
