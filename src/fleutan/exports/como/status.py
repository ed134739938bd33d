# SPDX-License-Identifier: Apache-2.0
"""The text of ``/status``: the node, its time, and a line for each module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from fleutan.exports.como.dates import DAYS, MONTHS, moment
from fleutan.exports.como.rows import UNKNOWN

#: Minutes, hours and a day that ``Load`` is told of.
LOADS = ("15m", "1h", "6h", "1d")


@dataclass(frozen=True, slots=True)
class Module:
    """One module: ``filter`` it runs with, ``since_ns`` of its first record (None: there is none)."""

    name: str
    filter: str
    since_ns: int | None
    formats: Sequence[str]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Virtual:
    """A part of what is recorded that has a port of its own."""

    name: str
    location: str
    type: str
    port: int
    filter: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """The node: times in ns UTC; ``loads`` are packets of the last 15 minutes, hour, 6 hours and day."""

    name: str
    location: str
    type: str
    start_ns: int
    now_ns: int
    loads: Sequence[int | None]
    version: str
    built: str = ""
    comment: str = ""


def text(node: Node, modules: Iterable[Module], virtual: Iterable[Virtual] = ()) -> str:
    """The lines, ended by that of the version; a value never breaks a line or adds a column."""
    return "".join(f"{line}\n" for line in _lines(node, modules, virtual))


def _lines(node: Node, modules: Iterable[Module], virtual: Iterable[Virtual]) -> Iterator[str]:
    yield _columns("Node", node.name, node.location, node.type)
    yield f"Start: {_time(node.start_ns)}"
    yield f"Current: {_time(node.now_ns)}"
    yield f"Duration: {_duration(node.now_ns - node.start_ns)}"
    yield _columns("Load", *(UNKNOWN if load is None else str(load) for load in node.loads))
    if node.comment:
        yield _columns("Comment", node.comment)
    for each in virtual:
        comment = (each.comment,) if each.comment else ()
        yield _columns("Virtual", each.name, each.location, each.type, *comment, str(each.port), each.filter)
    for module in modules:
        since = UNKNOWN if module.since_ns is None else str(module.since_ns // 10**9)
        formats = " ".join(module.formats)
        yield _columns("Module", f"{module.name:15}", module.filter, since, formats, module.description or "--")
    built = f" (built: {_value(node.built)})" if node.built else ""
    yield f"-- fleutan v{_value(node.version)}{built}"


def _columns(name: str, *values: str) -> str:
    return f"{name}: {' | '.join(map(_value, values))}"


def _value(value: str) -> str:
    return "".join("/" if sign == "|" else sign if sign.isprintable() else " " for sign in value)


def _time(at_ns: int) -> str:
    """Seconds since 1970, and the same in words."""
    at = moment(at_ns, UTC)
    words = f"{DAYS[at.weekday()]} {MONTHS[at.month - 1]} {at.day:2} {at:%H:%M:%S} GMT {at.year:4}"
    return f"{at_ns // 10**9} | {words}"


def _duration(length_ns: int) -> str:
    minutes, seconds = divmod(max(length_ns, 0) // 10**9, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24}d {hours % 24}h {minutes}m {seconds}s"
