# SPDX-License-Identifier: Apache-2.0
"""Counters of data sources as documents for Elasticsearch's bulk API, one a source and reading.

Names are those of the Elastic Common Schema (ECS) where it has one; figures stand under
``fleutan.STRUCTURE.FIELD``, as sFlow names them:

=================  ==================================================
``@timestamp``     when the source was read
``host.name``      the host that tells
``event.dataset``  ``fleutan.interface``, ``fleutan.unit`` …
``interface``      ``name``, ``alias``, ``id`` (ifIndex)
``service.name``   a unit, or an application
``container.name`` a container
``kubernetes``     ``pod.name``, ``namespace``
``labels``         other labels
``fleutan.source`` the data source as sFlow numbers it
=================  ==================================================

Each document has an id of its own, so that one that is sent twice is there once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from fleutan.exports.metrics import identity
from fleutan.exports.observations import is_real, items, octets_text
from fleutan.observed import INTERFACE, Counters

#: A data stream, by Elastic's naming scheme (type, dataset, namespace), for which Elasticsearch has a template.
INDEX = "metrics-fleutan.agent-default"
#: What a number of an index holds; what is beyond is left out.
_MOST = (1 << 63) - 1
_LONGEST = 1024
#: Where labels stand, by their name and, of those that name a source, its kind.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "dev": ("interface", "name"),
    "alias": ("interface", "alias"),
    "unit": ("service", "name"),
    "app": ("service", "name"),
    "container": ("container", "name"),
    "pod": ("kubernetes", "pod", "name"),
    "namespace": ("kubernetes", "namespace"),
}
#: All of them that may stand in one document: what comes later in the other list does not replace them.
_FIRST = ("app", "unit")


def documents(found: Iterable[Counters], at_ns: int, host: str, index: str = INDEX) -> list[bytes]:
    """Two lines, with their ends, for each data source: what to do, and its document."""
    return [_lines(one, at_ns, host, index) for one in found]


def _lines(one: Counters, at_ns: int, host: str, index: str) -> bytes:
    source = f"{one.source.ds_class}:{one.source.ds_index}"
    action = {"create": {"_index": index, "_id": f"{host[: _LONGEST // 4]}-{source}-{at_ns}"}}
    return b"".join(map(_line, (action, document(one, at_ns, host))))


def _line(said: Mapping[str, Any]) -> bytes:
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


def document(one: Counters, at_ns: int, host: str) -> dict[str, Any]:
    """The document of a data source."""
    made: dict[str, Any] = {
        "@timestamp": _time(at_ns),
        "host": {"name": host},
        "event": {"kind": "metric", "module": "fleutan", "dataset": f"fleutan.{identity(one)[0]}"},
    }
    for name in sorted(one.labels, key=lambda name: (name not in _FIRST, name)):
        if name != "host":
            _put(made, _PLACES.get(name, ("labels", name.replace(".", "_"))), one.labels[name][:_LONGEST])
    if one.source.ds_class == INTERFACE:
        _put(made, ("interface", "id"), str(one.source.ds_index))
    figures = {name: said for name, fields in one.structures.items() if (said := _fields(name, fields))}
    return {**made, "fleutan": {"source": f"{one.source.ds_class}:{one.source.ds_index}", **figures}}


def _put(made: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    for name in place[:-1]:
        made = made.setdefault(name, {})
    if value and place[-1]:
        made.setdefault(place[-1], value)


def _time(at_ns: int) -> str:
    whole = datetime.fromtimestamp(at_ns // 10**9, UTC).replace(tzinfo=None)
    return f"{whole.isoformat()}.{at_ns // 1000 % 10**6:06}Z"


def _fields(structure: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that are known, as JSON has them; lists as lists of objects."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, (list, tuple)):
            rows = [dict(_plain(row)) for row in items(structure, name, value)]
            found |= {name: rows} if any(rows) else {}
        else:
            real = is_real(structure, name) and isinstance(value, int)
            found.update(_plain({name: float(value) if real else value}))
    return found


def _plain(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        match value:
            case bytes():
                yield from [(name, octets_text(value))] * bool(value)
            case list() | tuple():
                yield name, [octets_text(one) if isinstance(one, bytes) else one for one in value]
            case float():
                yield from [(name, value)] * isfinite(value)
            case int():
                yield from [(name, value)] * (-_MOST <= value <= _MOST)
            case str():
                yield from [(name, value)] * bool(value)
