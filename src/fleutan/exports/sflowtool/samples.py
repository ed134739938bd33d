# SPDX-License-Identifier: Apache-2.0
"""Samples as pieces of output: what they say before their elements, and the elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from fleutan.exports.sflowtool.lists import Printers
from fleutan.exports.sflowtool.shapes import LINE, NUMBER, STRING, WORD, Kind, Piece, Shape, as_sent, readable, shape
from fleutan.exports.sflowtool.structures import Place, kind_of
from fleutan.protocols.sflow import earlier, layouts
from fleutan.protocols.sflow.layouts import ATTRIBUTE, METRIC
from fleutan.protocols.sflow.layouts.xdr import Layout
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.reasons import reason, reason_as_sflowtool
from fleutan.protocols.sflow.samples import Sample


class Part(NamedTuple):
    """An element's pieces; ``tag`` is its number."""

    tag: int
    pieces: list[Piece]


class SampleParts(NamedTuple):
    """A sample: what it says before its elements, and the elements."""

    sample: Sample
    head: list[Piece]
    elements: list[Part]

    @property
    def pieces(self) -> list[Piece]:
        """All of it, in order."""
        return [*self.head, *[piece for element in self.elements for piece in element.pieces]]

    @property
    def has_elements(self) -> bool:
        """Whether it is of a kind that has elements, if only none."""
        return self.sample.layout in _HEADS

    @property
    def has_head(self) -> bool:
        """Whether all was there that such a sample says before its elements."""
        head = _HEADS.get(self.sample.layout) if self.sample.layout else None
        return head is not None and len(self.sample.values) >= head.ends[-1]


def _interface(way: int, number: int) -> int | str:
    """A number, or what became of the packet instead."""
    return f"{('', 'dropCode ', 'multiple ', 'format==3 ')[way & 3]}{number}" if way else number


def _earlier_interface(port: int) -> int | str:
    if port < 1 << 31:
        return port
    return f"multiple {port & 0x7FFFFFFF}" if port & 0x7FFFFFFF else "multiple >1"


def _compact_interface(port: int) -> int | str:
    return _interface(port >> 30, port & 0x3FFFFFFF) if port >> 30 else port


def _source(number: int) -> str:
    return f"{number >> 24}:{number & 0xFFFFFF}"


_PORT = Kind(port=True)
_REASONS = (Kind(convert=reason), Kind(convert=reason_as_sflowtool))


class _Head(NamedTuple):
    """How a sample's own fields are printed.

    ``values`` makes the printed values of the fields; ``ends`` says how many fields must be there
    for each of them.
    """

    kind: str
    entries: tuple[tuple[str, Kind], ...]
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    ends: tuple[int, ...]


_START = (("sampleSequenceNo", NUMBER), ("sourceId", WORD))
_RATES = (("meanSkipCount", NUMBER), ("samplePool", NUMBER), ("dropEvents", NUMBER))
_FLOW = (*_START, *_RATES, ("inputPort", _PORT), ("outputPort", _PORT))
_HEADS: dict[Layout, _Head] = {
    layouts.FLOW_SAMPLE: _Head(
        "FLOWSAMPLE",
        _FLOW,
        lambda v: (v[0], _source(v[1]), *v[2:5], _compact_interface(v[5]), _compact_interface(v[6])),
        (1, 2, 3, 4, 5, 6, 7),
    ),
    layouts.FLOW_SAMPLE_EXPANDED: _Head(
        "FLOWSAMPLE",
        _FLOW,
        lambda v: (v[0], f"{v[1]}:{v[2]}", *v[3:6], _interface(v[6], v[7]), _interface(v[8], v[9])),
        (1, 3, 4, 5, 6, 8, 10),
    ),
    layouts.COUNTERS_SAMPLE: _Head("COUNTERSSAMPLE", _START, lambda v: (v[0], _source(v[1])), (1, 2)),
    layouts.COUNTERS_SAMPLE_EXPANDED: _Head("COUNTERSSAMPLE", _START, lambda v: (v[0], f"{v[1]}:{v[2]}"), (1, 3)),
    layouts.DISCARDED_PACKET: _Head(
        "DISCARD",
        (
            *(*_START, ("dropEvents", NUMBER), ("inputPort", NUMBER), ("outputPort", NUMBER)),
            *(("discardCode", NUMBER), ("discardReason", _REASONS[0])),
        ),
        lambda v: (v[0], f"{v[1]}:{v[2]}", *v[3:7], v[6]),
        (1, 3, 4, 5, 6, 7, 7),
    ),
    earlier.FLOW_SAMPLE: _Head(
        "FLOWSAMPLE",
        (*_START, *_RATES, ("inputPort", NUMBER), ("outputPort", _PORT)),
        lambda v: (v[0], _source(v[1]), *v[2:6], _earlier_interface(v[6])),
        (1, 2, 3, 4, 5, 6, 7),
    ),
    earlier.COUNTERS_SAMPLE: _Head(
        "COUNTERSSAMPLE",
        (*_START, ("statsSamplingInterval", NUMBER), ("counterBlockVersion", NUMBER)),
        lambda v: (v[0], _source(v[1]), v[2], v[3]),
        (1, 2, 3, 4),
    ),
}


def message_parts(message: Message, faithful: bool, nested: bool = False) -> Iterator[SampleParts]:
    """The samples of a message; sflowtool stops behind the first that is not whole.

    ``nested`` is for formats that have lists in elements.
    """
    for sample in message.samples:
        yield sample_parts(sample, faithful, nested)
        if faithful and not sample.whole:
            return


def data_source(sample: Sample) -> str:
    """Class and index of what was sampled; ``0:0`` where the sample does not say."""
    head = _HEADS.get(sample.layout) if sample.layout else None
    if head is None or len(sample.values) < head.ends[1]:
        return "0:0"
    return str(head.values((*sample.values, *[0] * 10))[1])


def sample_parts(sample: Sample, faithful: bool, nested: bool = False) -> SampleParts:
    """A sample's pieces."""
    if sample.layout not in _HEADS:
        return SampleParts(sample, _figures(sample, faithful), [])
    known = ready(sample.layout, faithful, nested)
    printer = known.printers
    elements = [Part(element.tag, printer[element.layout](element)) for element in sample.elements]
    if len(sample.values) >= known.head.ends[-1]:
        return SampleParts(sample, [(known.outline, known.head.values(sample.values))], elements)
    return SampleParts(sample, [_cut(sample, known)], elements)


class Ready(NamedTuple):
    """What is known of a kind of samples before one comes."""

    head: _Head
    outline: Shape
    printers: Printers


@lru_cache(64)
def ready(layout: Layout, faithful: bool, nested: bool) -> Ready:
    """What is known of samples of this layout; made once."""
    head = _HEADS[layout]
    entries = [(name, _REASONS[faithful] if name == "discardReason" else kind) for name, kind in head.entries]
    outline = shape(("sampleType_tag", f"{layout.enterprise}:{layout.format}"), ("sampleType", head.kind), *entries)
    place = Place(
        "counters" if head.kind == "COUNTERSSAMPLE" else "flow",
        "discarded_" if head.kind == "DISCARD" else "",
        faithful,
        nested,
        numbered=layout not in (earlier.FLOW_SAMPLE, earlier.COUNTERS_SAMPLE),
    )
    return Ready(head, outline, Printers(place))


def _cut(sample: Sample, known: Ready) -> Piece:
    """What a sample says that ends before its elements."""
    ends = known.head.ends
    count = sum(end <= len(sample.values) for end in ends)
    padded = (*sample.values, *[0] * (ends[-1] - len(sample.values)))
    return known.outline.first(count), known.head.values(padded)[:count]


def _tag(sample: Sample) -> str:
    return f"{sample.tag >> 12}:{sample.tag & 0xFFF}"


def _figures(sample: Sample, faithful: bool) -> list[Piece]:
    """Named figures, whose names the sender chose; of another sample its number."""
    if sample.layout not in (layouts.RTMETRIC, layouts.RTFLOW):
        note = f"skipping unknown sample: {_tag(sample)} len={len(sample.rest)}"
        return [(shape(("sampleType_tag", _tag(sample))), ()), (LINE, (note,))]
    kind = sample.layout.name
    entries: list[tuple[str, Kind | str]] = [("sampleType_tag", _tag(sample)), ("sampleType", kind.upper())]
    values: list[Any] = []
    choice = METRIC if sample.layout is layouts.RTMETRIC else ATTRIBUTE
    named = sample.named()
    if named.get("datasource"):
        entries.append((f"{kind}_datasource_name", STRING))
        values.append(named["datasource"])
    for name in ("sampling_rate", "sample_pool"):
        if name in named:
            entries.append((f"{kind}_{name}", NUMBER))
            values.append(named[name])
    word = as_sent if faithful else readable
    for name, (number, value) in named.get("metrics", named.get("attributes", ())):
        case, item = choice.cases[number][1:]
        entries.append((f"{kind}_{case}_{word(name)}", kind_of("", item, faithful)))
        values.append(value)
    return [(shape(*entries), tuple(values))]
