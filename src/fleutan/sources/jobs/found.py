# SPDX-License-Identifier: Apache-2.0
"""What is found of a job, and how what batch systems say becomes that.

What lives here knows no batch system, and opens nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from fleutan.errors import FleutanError

SECOND = 1_000_000_000
#: Times beyond are no times (int64 in ns: April 2262).
LAST_NS = (1 << 63) - 1
#: A job has no more nodes, an answer no more octets, a name no more letters.
NODES, OCTETS, LETTERS = 1 << 16, 16 << 20, 255


class Found(NamedTuple):
    """The names of a job's nodes, when it began and when it ended (None: it has not), in ns UTC."""

    nodes: tuple[str, ...]
    start_ns: int
    end_ns: int | None


class Unknown(FleutanError):
    """Whoever was asked knows no such job."""


def found(nodes: Iterable[Any], start: Any, end: Any) -> Found:
    """A job of what somebody says of it: times as ``time_ns`` reads them.

    Raises FleutanError for a job that has not begun, or has no nodes, and for what makes no sense.
    """
    names = tuple(dict.fromkeys(node_name(node) for node in nodes))
    start_ns, end_ns = time_ns(start), time_ns(end)
    if start_ns is None:
        raise FleutanError("it has not begun")
    if not names:
        raise FleutanError("it has no nodes")
    if len(names) > NODES:
        raise FleutanError(f"it has more than {NODES} nodes")
    if end_ns is not None and end_ns < start_ns:
        raise FleutanError("it ended before it began")
    return Found(names, start_ns, end_ns)


def node_name(said: Any) -> str:
    """The name of a node, or its address.  Raises FleutanError for what cannot be one."""
    fits = isinstance(said, str) and 0 < len(said) <= LETTERS and said.isascii() and said.isprintable()
    if not fits or set(said) & set(" /\\'\"") or said.startswith("-"):
        raise FleutanError(f"{str(said)[:40]!r} is no name of a node")
    return str(said)


def time_ns(said: Any) -> int | None:
    """A time in ns: seconds since 1970, or a date with its zone; None for null, 0 and nothing.

    Raises FleutanError for what is no time.
    """
    if not said:
        return None
    if isinstance(said, str):
        said = _date(said)
    if isinstance(said, datetime):
        if said.tzinfo is None:
            raise FleutanError(f"{said} has no time zone, as in {said}Z")
        said = said.timestamp()
    number = isinstance(said, int | float) and not isinstance(said, bool)
    if not number or not 0 <= said <= LAST_NS // SECOND:
        raise FleutanError(f"{str(said)[:40]!r} is no time")
    return int(said) * SECOND + (round((said - int(said)) * SECOND) if isinstance(said, float) else 0)


def _date(text: str) -> Any:
    if text.isdecimal() and len(text) < 20:
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def read_json(octets: bytes) -> Any:
    """What JSON says.  Raises FleutanError for what is none, or more than OCTETS."""
    if len(octets) > OCTETS:
        raise FleutanError(f"the answer has more than {OCTETS} bytes")
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        start = octets[:40].decode("utf-8", "replace")
        raise FleutanError(f"the answer is not JSON: {start!r}") from None
