# SPDX-License-Identifier: Apache-2.0
"""NetFlow's and IPFIX's datagrams without addresses: records as far as their templates tell what is in them.

What lives here finds headers, sets, templates and fields; ``elements`` decides what becomes of them.
A set without a template, and what cannot be read of one, becomes a set of templates that holds none
but padding, so that nobody takes the zeros in it for records, now or when its template comes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fleutan.protocols.anonymous import packets
from fleutan.protocols.anonymous.canvas import Canvas
from fleutan.protocols.anonymous.elements import LONGEST, SECTIONS, Fate, fate
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.exporters.assigning import assign, learn, read_by
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.wire.arrived import Arrived, scoped
from fleutan.protocols.netflow.wire.groups import Group, grouped
from fleutan.protocols.netflow.wire.headers import SIZES, Heads, read_headers
from fleutan.protocols.netflow.wire.rejects import Rejects
from fleutan.protocols.netflow.wire.sets import TEMPLATE_SETS, alike, chained, numbered
from fleutan.protocols.netflow.wire.templates import FIRST_NUMBER, VARIABLE, Field, Scope, Template, read_set, written
from fleutan.protocols.spans import Ints, Mask

_SET_HEADER = 4
#: Of a template that is withdrawn: its number and a count of none.
_WITHDRAWN = 4
_FIRST_WITH_SETS = min(TEMPLATE_SETS)
Keys = frozenset[tuple[Scope, int]]


class Hidden(NamedTuple):
    """Which templates came, which datagrams ``(n,)`` hold nothing but sets without one, and which those lack."""

    learned: Keys
    unread: Mask
    lacked: Keys


def hide(canvas: Canvas, datagrams: Datagrams, state: State) -> Hidden:
    """Paints these datagrams, which lie in the canvas; what they teach of templates goes to ``state``."""
    octets, noted = canvas.source, Rejects()
    heads, bodies = read_headers(datagrams, noted)
    chain = chained(octets, heads, bodies, noted)
    since = scoped(octets, heads, numbered(chain, heads, noted))
    _hide_headers(canvas, datagrams, heads)
    with_sets = heads.version[chain.head] >= _FIRST_WITH_SETS
    canvas.keep(chain.start[with_sets] - _SET_HEADER, _SET_HEADER)
    _hide_templates(canvas, since)
    # Only what is left of templates is learned, as by whoever reads it next.
    changes, _ = learn(since._replace(octets=canvas.made), state, noted)
    assigned = assign(since, changes, state)
    unread = (assigned.reader < 0) & (since.sets.number >= FIRST_NUMBER)
    _empty(canvas, since.sets.start[unread] - _SET_HEADER, heads.version[since.sets.head[unread]])
    read = np.flatnonzero(assigned.reader >= 0)
    for rows, reader, _ in alike(assigned.reader[read], np.zeros(len(read), np.int64)):
        group = grouped(since, read[rows], *read_by(assigned.readers[reader]), noted)
        _hide_records(canvas, since, read[rows], group)
    canvas.removed["datagram that cannot be read"] += len(datagrams.at_ns) - len(heads.datagram)
    hidden = _hidden(len(datagrams.at_ns), since, frozenset(changes), unread)
    canvas.removed["set without a template"] += int(np.count_nonzero(unread & ~hidden.unread[since.datagram]))
    return hidden


def _hidden(rows: int, since: Arrived, learned: Keys, unread: Mask) -> Hidden:
    """A datagram that brought anything else than sets without template is read as it is."""
    lacking, other = (np.zeros(rows, np.bool_) for _ in range(2))
    lacking[since.datagram[unread]] = True
    other[since.datagram[~unread]] = True
    pairs = alike(since.scope[unread], since.sets.number[unread])
    lacked = frozenset((since.scopes[scope], number) for _, scope, number in pairs)
    return Hidden(learned, lacking & ~other, lacked)


def _hide_headers(canvas: Canvas, datagrams: Datagrams, heads: Heads) -> None:
    for version, size in SIZES.items():
        canvas.keep(datagrams.spans.starts[heads.datagram[heads.version == version]], size)


def _hide_templates(canvas: Canvas, since: Arrived) -> None:
    """Templates say nothing of addresses, but only as far as they are templates."""
    version = since.heads.version[since.sets.head]
    rows = np.flatnonzero((version >= _FIRST_WITH_SETS) & (since.sets.number < FIRST_NUMBER))
    sizes = np.zeros(len(rows), np.int64)
    for place, row in enumerate(rows.tolist()):
        kind, start, size = (int(column[row]) for column in since.sets[1:])
        one = int(version[row])
        body = canvas.source[start : start + size].tobytes()
        sizes[place] = min(_templates(body, one, kind == TEMPLATE_SETS[one][1]), size)
        canvas.removed["template that cannot be read"] += bool(body[int(sizes[place]) :].strip(b"\0"))
    canvas.keep_strings(since.sets.start[rows], sizes)


def _templates(body: bytes, version: int, options: bool) -> int:
    """How many octets the first templates have, up to one that cannot be read."""
    size = 0
    for number, template in read_set(body, version, options):
        if isinstance(template, str):
            break
        size += len(written(number, template)) if isinstance(template, Template) else _WITHDRAWN
    return size


def _hide_records(canvas: Canvas, since: Arrived, sets: Ints, group: Group) -> None:
    if group.records is not None:
        _hide_fixed(canvas, group)
    else:
        _hide_variable(canvas, since, sets, group)
    unknown = [field for field in group.layout.fields if fate(field.element) is Fate.GONE and not _padding(field)]
    if unknown and group.rows:
        canvas.removed["field that is not known"] += len(unknown) * group.rows


def _padding(field: Field) -> bool:
    return field.element.name == "paddingOctets"


def _hide_fixed(canvas: Canvas, group: Group) -> None:
    """Neighbouring numbers are copied together."""
    first, run = 0, 0
    for place, field in enumerate(group.layout.fields):
        size = field.size
        kept = fate(field.element) is Fate.KEPT and size <= LONGEST
        if not kept:
            canvas.keep(group.at + first - run, run)
            _hide_field(canvas, group, place, field)
        first, run = first + size, run + size if kept else 0
    canvas.keep(group.at + first - run, run)


def _hide_field(canvas: Canvas, group: Group, place: int, field: Field) -> None:
    """A field of each record, wherever it lies."""
    _, at, sizes = group.spans(place)
    match fate(field.element):
        case Fate.KEPT:
            canvas.keep_strings(at, np.where(sizes <= LONGEST, sizes, 0))
        case Fate.ADDRESS:
            for size in (4, 16):
                canvas.replace(at[sizes == size], size)
        case Fate.MAC:
            canvas.replace_macs(at[sizes == 6])
        case Fate.TEXT:
            canvas.fill(at, sizes)
        case Fate.PACKET:
            packets.hide(canvas, at, sizes, np.full(len(at), SECTIONS[field.element.name]))
        case Fate.GONE:
            pass


def _hide_variable(canvas: Canvas, since: Arrived, sets: Ints, group: Group) -> None:
    """Records whose lengths stand in them, the lengths too; what is left of a set becomes one of no number."""
    ends = group.starts[-1] + group.sizes[-1]
    behind = since.sets.start[group.sets]
    follows = np.flatnonzero(group.place > 0)
    behind[follows] = ends[follows - 1]
    for place, field in enumerate(group.layout.fields):
        if field.size == VARIABLE:
            canvas.keep_strings(behind, group.starts[place] - behind)
        _hide_field(canvas, group, place, field)
        behind = group.starts[place] + group.sizes[place]
    reached = since.sets.start.copy()
    np.maximum.at(reached, group.sets, ends)
    _part(canvas, since, sets, reached[sets], group.layout.size)


def _part(canvas: Canvas, since: Arrived, sets: Ints, reached: Ints, least: int) -> None:
    """Ends each set where its last record does, if more follows than padding: zeros would be records."""
    start, size = since.sets.start[sets], since.sets.size[sets]
    some = start + size - reached >= max(least, _SET_HEADER)
    start, reached = start[some], reached[some]
    version = since.heads.version[since.sets.head[sets[some]]]
    said = canvas.source[start - 2].astype(np.int64) << 8 | canvas.source[start - 1]
    canvas.put_numbers(start - 2, reached - start + _SET_HEADER)
    _empty(canvas, reached, version)
    canvas.put_numbers(reached + 2, start - _SET_HEADER + said - reached)
    canvas.removed["record that cannot be read"] += len(start)


def _empty(canvas: Canvas, at: Ints, versions: Ints) -> None:
    """The numbers of these sets say that templates follow."""
    for version, (number, _) in TEMPLATE_SETS.items():
        canvas.put(at[versions == version], number.to_bytes(2))
