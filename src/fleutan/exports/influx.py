# SPDX-License-Identifier: Apache-2.0
"""Counters of data sources as InfluxDB's line protocol: a measurement a structure, its fields as sFlow names them.

Tags say whose they are: ``host``, ``source`` as sFlow numbers it, and the labels.  Lists have a line for
each item, with a tag ``item``.  What is unknown is no field; a line without fields is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

from fleutan.exports.observations import is_real, items, octets_text
from fleutan.observed import Counters

#: What a field holds; what is beyond is left out.
_MOST = (1 << 63) - 1
#: Octets of a tag's value.
_LONGEST = 256
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\ ", "\r": r"\ ", "\t": r"\ "})
_MEASUREMENT = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\ ", "\r": r"\ ", "\t": r"\ "})
_SLASH = re.compile(r"\\(?=[\\,= \n\r\t]|$)")
_TEXT = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " "})


def lines(found: Iterable[Counters], at_ns: int, host: str) -> list[bytes]:
    """A line, without its end, for each structure that says something at a time (UTC)."""
    return [line.encode("utf-8", "replace") for one in found for line in _lines(one, at_ns, host)]


def _lines(one: Counters, at_ns: int, host: str) -> Iterator[str]:
    source = f"{one.source.ds_class}:{one.source.ds_index}"
    labels = {**one.labels, "host": host, "source": source}
    for structure, fields in one.structures.items():
        typed = {name: _real(value) if is_real(structure, name) else value for name, value in fields.items()}
        yield from _line(structure, labels, typed, at_ns)
        for name, rows in fields.items():
            if isinstance(rows, (list, tuple)):
                for place, row in enumerate(items(structure, name, rows)):
                    yield from _line(f"{structure}_{name}", {**labels, "item": str(place)}, row, at_ns)


def _real(value: Any) -> float | None:
    """Always a real number: a field that is now and then a whole one would be refused."""
    return float(value) if isinstance(value, (int, float)) else None


def _line(measurement: str, labels: Mapping[str, str], fields: Mapping[str, Any], at_ns: int) -> Iterator[str]:
    written = [f"{name.translate(_KEY)}={text}" for name, value in fields.items() if (text := _value(value))]
    if written:
        tags = {_tag(name): _tag(value) for name, value in sorted(labels.items()) if name and value}
        begun = ",".join([measurement.translate(_MEASUREMENT), *(f"{name}={value}" for name, value in tags.items())])
        yield f"{begun} {','.join(written)} {at_ns}"


def _tag(text: str) -> str:
    """A tag's name or value; backslashes that would be read together with what follows are others."""
    return _SLASH.sub("/", text[:_LONGEST]).translate(_KEY)


def _value(value: Any) -> str:
    """A field's value; empty if there is none."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i" if -_MOST <= value <= _MOST else ""
        case float():
            return repr(value) if isfinite(value) else ""
        case bytes():
            return f'"{octets_text(value)}"' if value else ""
        case str():
            return f'"{value.translate(_TEXT)}"' if value else ""
    return ""
