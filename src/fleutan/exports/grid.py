# SPDX-License-Identifier: Apache-2.0
"""A grid of bytes: constants and cells side by side, written a chunk of rows at a time.

The constants are laid down once; only the cells are written for each chunk, and then the NULs
that pad them are dropped.  Words that are too long for a cell are put in the place of their
marks at the end, so that one of them does not widen every row.  No format is known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fleutan.column import Column
from fleutan.exports.cells import MARK, Cell, Dialect, WordCell, cell_of
from fleutan.table import Table

#: A chunk has as many rows as keep its grid in the processor's cache, within these bounds.
GRID_BYTES = 1 << 20
MOST_ROWS = 2048
#: Long words are collected into pieces of at least this size.
PIECE_BYTES = 1 << 20


def columns(table: Table, dialect: Dialect) -> list[bytes | Cell]:
    """What to write for each column: a cell, or the text itself where every row has the same."""
    found: list[bytes | Cell] = []
    for field, column in zip(table.fields(), table.columns.values(), strict=True):
        alike = len(column) > 1 and _alike(column)
        made = cell_of(field.type, column.take(np.arange(1)) if alike else column, dialect)
        found.append(b"".join(written([made], 1)) if alike else made)
    return found


def _alike(column: Column) -> bool:
    known = column.mask()
    return not known.any() or bool(known.all() and (column.values == column.values[0]).all())


def written(parts: Sequence[bytes | Cell], rows: int) -> Iterator[bytes]:
    """The text of each row, ``parts`` in their order, in pieces of many rows."""
    template, placed = _layout(parts)
    step = max(1, min(MOST_ROWS, GRID_BYTES // max(1, len(template))))
    grid = np.empty((min(step, rows), len(template)), np.uint8)
    grid[:] = np.frombuffer(template, np.uint8)
    long = [cell for cell, _ in placed if isinstance(cell, WordCell) and cell.long]
    for first in range(0, rows, step):
        chunk = slice(first, min(first + step, rows))
        used = grid[: chunk.stop - first]
        for cell, at in placed:
            cell.write(chunk, used[:, at : at + cell.width])
        dense = used.tobytes().translate(None, b"\0")
        yield from _with_long(dense, chunk, long) if long else (dense,)


def _layout(parts: Sequence[bytes | Cell]) -> tuple[bytes, list[tuple[Cell, int]]]:
    """The bytes of an empty row, and the offset of each cell in it: multiples of four."""
    template, placed = b"", []
    for part in parts:
        if isinstance(part, bytes):
            template += part
        else:
            template += bytes(-len(template) % 4)
            placed.append((part, len(template)))
            template += bytes(part.width)
    return template + bytes(-len(template) % 4), placed


def _with_long(dense: bytes, chunk: slice, cells: Sequence[WordCell]) -> Iterator[bytes]:
    between = dense.split(MARK)
    piece = [between[0]]
    size = len(between[0])
    for word, after in zip(_long_words(chunk, cells), between[1:], strict=True):
        piece += (word, after)
        size += len(word) + len(after)
        if size >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
    yield b"".join(piece)


def _long_words(chunk: slice, cells: Sequence[WordCell]) -> Iterator[bytes]:
    """The words behind the marks of a chunk, in the order of rows and, within one, of cells."""
    places = [cell.long_at(chunk) for cell in cells]
    codes = np.concatenate([cell.codes[chunk][at] for cell, at in zip(cells, places, strict=True)])
    which = np.repeat(np.arange(len(cells)), [len(at) for at in places])
    order = np.lexsort((which, np.concatenate(places)))
    for number, code in zip(which[order].tolist(), codes[order].tolist(), strict=True):
        yield cells[number].long[code]
