# SPDX-License-Identifier: Apache-2.0
"""sflowtool's comma-separated lines of chosen fields (``-L``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fleutan.exports.sflowtool.heads import Dialect, Received, datagram_pieces
from fleutan.exports.sflowtool.samples import message_parts
from fleutan.exports.sflowtool.shapes import Convert, Kind, Piece, Shape, as_sent, readable
from fleutan.exports.sflowtool.text import encoded, text_specs

_SPECIAL = re.compile('[",\r\n]')


class Chosen:
    """Picks values out of pieces of output.

    ``names`` says which, and under which key each is put; of several under one key the last
    counts.
    """

    def __init__(self, names: Mapping[str, str], faithful: bool) -> None:
        self._names = names
        self._string: Convert = as_sent if faithful else readable

    def read(self, pieces: Iterable[Piece], values: dict[str, Any]) -> None:
        """Puts the values of these pieces among ``values``: words as they are printed, numbers as numbers."""
        for outline, given in pieces:
            plan = outline.templates.get(self)
            if plan is None:
                plan = outline.templates[self] = self._plan(outline)
            constants, picked = plan
            if constants:
                values.update(constants)
            for key, number, convert in picked:
                values[key] = convert(given[number]) if convert else given[number]

    def _plan(self, outline: Shape) -> tuple[dict[str, str], list[tuple[str, int, Convert | None]]]:
        chosen = [(self._names[name], kind) for name, kind in outline.entries if name in self._names]
        picked = [
            (self._names[name], number, self._convert(kind))
            for number, (name, kind) in enumerate(outline.names)
            if name in self._names
        ]
        return {key: kind for key, kind in chosen if isinstance(kind, str)}, picked

    def _convert(self, kind: Kind) -> Convert | None:
        spec, convert = text_specs(self._string, kind)
        if spec in ("%s", "%d"):
            return convert
        return lambda value: spec % (convert(value) if convert else value)


def write_fields(messages: Iterable[Received], names: Sequence[str], dialect: Dialect) -> Iterator[bytes]:
    """A line of these fields for each sample that has one of them, empty where it has not.

    Names are those of the text.  Values with commas, quotes or line ends are quoted (RFC 4180),
    which sflowtool does not.
    """
    chosen = _chosen(tuple(names), dialect.faithful)
    for received in messages:
        around: dict[str, Any] = {}
        chosen.read(datagram_pieces(received, dialect), around)
        lines = []
        for parts in message_parts(received.message, dialect.faithful):
            values: dict[str, Any] = {}
            chosen.read(parts.head, values)
            for element in parts.elements:
                chosen.read(element.pieces, values)
            if values and parts.sample.layout and (parts.sample.whole or not dialect.faithful):
                known = around | values
                lines.append(",".join(_cell(str(known.get(name, "")), dialect) for name in names) + "\n")
        if lines:
            yield encoded("".join(lines), dialect)


@lru_cache(16)
def _chosen(names: tuple[str, ...], faithful: bool) -> Chosen:
    """One for all datagrams: shapes remember what it picks of them."""
    return Chosen({name: name for name in names}, faithful)


def _cell(value: str, dialect: Dialect) -> str:
    if dialect.faithful or not _SPECIAL.search(value):
        return value
    return '"' + value.replace('"', '""') + '"'
