# SPDX-License-Identifier: Apache-2.0
"""sflowtool's JSON: an object a datagram, on a line (``-j``) or indented (``-J``).

Numbers are numbers and strings are escaped, and an object ends whatever is broken in its
datagram.  A faithful dialect writes every value as a string, as it was sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from json import dumps
from typing import Any, NamedTuple

from fleutan.exports.sflowtool.heads import Dialect, Received, datagram_pieces
from fleutan.exports.sflowtool.samples import SampleParts, message_parts
from fleutan.exports.sflowtool.shapes import (
    DOUBLE,
    ELEMENT,
    FLOAT,
    HUNDREDTHS,
    LINE,
    NESTED,
    Convert,
    Kind,
    Laid,
    Piece,
    Shape,
    Style,
    Template,
    Templates,
    as_sent,
    filled,
)
from fleutan.exports.sflowtool.text import encoded

#: Where an element is that is not there.
_BEFORE, _BEHIND = "before", "behind"


class _Form(NamedTuple):
    """A style for each depth at which fields stand, what goes before a line at a depth, and samples' templates."""

    styles: dict[int, Style]
    breaks: Sequence[str]
    end: str
    samples: Templates


def write_json(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """A line of JSON for each datagram."""
    return _write(messages, dialect, _LINES[dialect.faithful])


def write_indented_json(messages: Iterable[Received], dialect: Dialect) -> Iterator[bytes]:
    """Indented JSON for each datagram, an empty line behind it."""
    return _write(messages, dialect, _INDENTED[dialect.faithful])


def _write(messages: Iterable[Received], dialect: Dialect, form: _Form) -> Iterator[bytes]:
    for received in messages:
        laid = received.laid or [
            _laid(parts, dialect) for parts in message_parts(received.message, dialect.faithful, nested=True)
        ]
        samples = [_sample(one, form) for one in laid]
        fields = [_fields(datagram_pieces(received, dialect), form, 1)]
        if received.message.sample_count is not None:
            fields.append(_named("samples", samples, form, 1))
        if received.message.problems and not dialect.faithful:
            problems = [dumps(problem._asdict()) for problem in received.message.problems]
            fields.append(_named("problems", problems, form, 1))
        yield encoded(_object(fields, form, 1) + form.end, dialect)


def _laid(parts: SampleParts, dialect: Dialect) -> Laid:
    """A sample's shapes and values."""
    outlines: list[Shape | str] = [outline for outline, _ in parts.head if outline is not LINE]
    values = [value for outline, given in parts.head if outline is not LINE for value in given]
    for element in parts.elements:
        outlines.append(ELEMENT)
        for outline, given in element.pieces:
            if outline is not LINE:
                outlines.append(outline)
                values += given
    if parts.has_elements:
        outlines.append(_missing(parts) if dialect.faithful else "")
    return Laid(tuple(outlines), values)


def _sample(laid: Laid, form: _Form) -> str:
    """A sample by the template of all of its shapes."""
    key = laid.outlines
    return filled(form.samples.get(key) or form.samples.keep(key, _sample_template(key, form)), laid.values)


def _missing(parts: SampleParts) -> str:
    """Where an earlier version's counters have a place for what is not there."""
    if len(parts.elements) == 1 and _is_earlier_counters(parts):
        return _BEFORE if parts.elements[0].tag == 5 else _BEHIND
    return ""


def _sample_template(outlines: tuple[Shape | str, ...], form: _Form) -> Template:
    """What all samples of these shapes have in common."""
    has_elements = isinstance(outlines[-1], str) if outlines else False
    runs: list[list[Shape]] = [[]]
    for outline in outlines[:-1] if has_elements else outlines:
        if isinstance(outline, Shape):
            runs[-1].append(outline)
        else:
            runs.append([])
    templates = [form.styles[5 if number else 3].template(run) for number, run in enumerate(runs)]
    elements = [_object([one.text], form, 5) for one in templates[1:]]
    if has_elements and outlines[-1]:
        elements.insert(0 if outlines[-1] == _BEFORE else 1, _object([], form, 5))
    fields = [templates[0].text, *([_named("elements", elements, form, 3)] if has_elements else [])]
    firsts = accumulate((one.places for one in templates), initial=0)
    converts = [
        (first + at, convert) for first, one in zip(firsts, templates, strict=False) for at, convert in one.converts
    ]
    return Template(_object(fields, form, 3), tuple(converts), sum(one.places for one in templates))


def _is_earlier_counters(parts: SampleParts) -> bool:
    return parts.sample.layout is not None and "counters_version" in parts.sample.layout.names


def _fields(pieces: Iterable[Piece], form: _Form, depth: int) -> str:
    return form.styles[depth].write([piece for piece in pieces if piece[0] is not LINE])


def _object(fields: Iterable[str], form: _Form, depth: int) -> str:
    inner = ("," + form.breaks[depth]).join(filter(None, fields))
    return "{" + (form.breaks[depth] + inner if inner else "") + form.breaks[depth - 1] + "}"


def _named(name: str, items: Sequence[str], form: _Form, depth: int) -> str:
    """A list of objects; the first stands on the line of its name."""
    return f'"{name}":[' + ("," + form.breaks[depth + 1]).join(items) + form.breaks[depth] + "]"


def _list(items: Sequence[Any], breaks: Sequence[str], faithful: bool) -> str:
    """A list of objects in an element, which hold numbers, and lists of words."""
    objects = (_lane(item, breaks, faithful) for item in items)
    return "[" + ("," + breaks[6]).join(objects) + breaks[5] + "]"


def _lane(item: dict[str, Any], breaks: Sequence[str], faithful: bool) -> str:
    fields: list[str] = []
    for name, value in item.items():
        if isinstance(value, list):
            words = ",".join(breaks[8] + f'"{word}"' + (" " if faithful else "") for word in value)
            fields.append(f'"{name}":[' + words + breaks[7] + "]")
        else:
            fields.append(f'"{name}":"{value}"' if faithful else f'"{name}":{value}')
    return "{" + breaks[7] + ("," + breaks[7]).join(fields) + breaks[6] + "}"


def _faithful_specs(kind: Kind, nested: Convert) -> tuple[str, Convert | None]:
    if kind is NESTED:
        return "%s", nested
    return '"%s"' if kind.wire else f'"{kind.spec}"', as_sent if kind.wire else kind.convert


def _specs(kind: Kind, nested: Convert) -> tuple[str, Convert | None]:
    convert = {NESTED: nested, FLOAT: _float, DOUBLE: _double, HUNDREDTHS: _hundredths}.get(kind)
    if convert:
        return "%s", convert
    if kind.wire:
        return "%s", _string
    if kind.port:
        return "%s", _port
    return kind.spec if kind.number else f'"{kind.spec}"', kind.convert


def _port(value: int | str) -> int | str:
    return f'"{value}"' if isinstance(value, str) else value


def _string(octets: bytes) -> str:
    return dumps(octets.decode(errors="replace"), ensure_ascii=False)


def _float(value: float) -> str:
    """Seven digits are what 32 bits hold."""
    return f"{value:.7g}" if math.isfinite(value) else "null"


def _double(value: float) -> str:
    return repr(value) if math.isfinite(value) else "null"


def _hundredths(value: int) -> str:
    return "null" if value == -1 else f"{value / 100:.2f}"


def _form(faithful: bool, indented: bool) -> _Form:
    breaks = ["\n" + " " * depth if indented else "" for depth in range(9)]
    nested = partial(_list, breaks=breaks, faithful=faithful)
    specs = partial(_faithful_specs if faithful else _specs, nested=nested)
    entry = _faithful_entry if faithful else _entry
    styles = {depth: Style(entry, specs, "," + breaks[depth]) for depth in (1, 3, 5)}
    return _Form(styles, breaks, "\n\n" if indented else "\n", Templates())


def _faithful_entry(name: str, value: str) -> str:
    return f'"{name}":{value}'


def _entry(name: str, value: str) -> str:
    return f"{dumps(name, ensure_ascii=False)}:{value}"


_LINES = {faithful: _form(faithful, indented=False) for faithful in (True, False)}
_INDENTED = {faithful: _form(faithful, indented=True) for faithful in (True, False)}
