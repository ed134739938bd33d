# SPDX-License-Identifier: Apache-2.0
"""Forms of whole datagrams: text, lines for grep, JSON, comma-separated lines, in order of arrival.

sFlow is written in sflowtool's words by ``exports.sflowtool``, NetFlow and IPFIX by
``exports.netflow``; what is of no known protocol is left out and counted elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import NamedTuple

from fleutan import address
from fleutan.exports.netflow import Export, Record, Writer
from fleutan.exports.sflowtool.commonlog import write_common_log
from fleutan.exports.sflowtool.heads import Dialect, Received
from fleutan.exports.sflowtool.json import write_indented_json, write_json
from fleutan.exports.sflowtool.lines import write_fields
from fleutan.exports.sflowtool.plans import Plans
from fleutan.exports.sflowtool.text import write_grep, write_text
from fleutan.programs.decoding import Batch
from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import Batch as Netflow
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.wire.rejects import REASONS
from fleutan.protocols.sflow.layouts import DISCARDED_PACKET, FLOW_SAMPLE, FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.layouts.xdr import Elements, Layout
from fleutan.protocols.sflow.messages import extents, parse
from fleutan.protocols.sflow.samples import Sample
from fleutan.protocols.spans import Ints
from fleutan.records import Records
from fleutan.sources.exported import DISCARD, FLOW, SAMPLE, Decoded

_TAGS = {FLOW_SAMPLE.tag: SAMPLE, FLOW_SAMPLE_EXPANDED.tag: SAMPLE, DISCARDED_PACKET.tag: DISCARD}
WriteSflow = Callable[[Iterable[Received], Dialect], Iterator[bytes]]
WriteNetflow = Callable[[Writer, Export], bytes]


class Words(NamedTuple):
    """How both families are written.

    ``nested`` says whether elements hold lists, None that samples are not laid out by plans.
    """

    sflow: WriteSflow
    netflow: WriteNetflow
    nested: bool | None = None


TEXT = Words(write_text, Writer.text, nested=False)
GREP = Words(write_grep, Writer.grep)
JSON = Words(write_json, Writer.json, nested=True)
INDENTED = Words(write_indented_json, Writer.indented_json, nested=True)
#: HTTP requests only, which no record of NetFlow is.
COMMON_LOG = Words(write_common_log, lambda _writer, _export: b"")


def chosen(names: Sequence[str]) -> Words:
    """A line of these fields of the text for each sample or record that has one of them."""
    return Words(
        lambda messages, dialect: write_fields(messages, names, dialect),
        lambda writer, export: writer.chosen(export, names),
    )


class Messages:
    """Datagrams as messages.  Where there is a filter, samples and records that it does not mean are left out."""

    def __init__(self, words: Words, dialect: Dialect, recorded: bool) -> None:
        self._words, self._dialect, self._recorded = words, dialect, recorded
        self._writer = Writer(dialect.zone)
        self._plans = None if words.nested is None else Plans(dialect.faithful, words.nested)

    def of(self, batch: Batch) -> Iterator[bytes]:
        """The datagrams of a batch."""
        messages = sflow_messages(batch, self._recorded, plans=self._plans)
        if batch.found.netflow is None:
            yield from self._words.sflow((received for _, received in messages), self._dialect)
            return
        ours = ((row, self._netflow(export)) for row, export in netflow_exports(batch))
        theirs = ((row, self._words.sflow([received], self._dialect)) for row, received in messages)
        for _, pieces in merge(ours, theirs, key=lambda one: one[0]):
            yield from pieces

    def end(self) -> Iterator[bytes]:
        """Nothing."""
        return iter(())

    def _netflow(self, export: Export) -> Iterator[bytes]:
        yield self._words.netflow(self._writer, export)


def sflow_messages(
    batch: Batch, recorded: bool, rows: Ints | None = None, plans: Plans | None = None
) -> Iterator[tuple[int, Received]]:
    """The batch's sFlow datagrams with their rows, without what the filter does not mean; none that lost all.

    ``rows`` are those of interest, if not all are.  With ``plans`` samples are laid out by them where
    they can be.
    """
    found = batch.found
    rows = found.sflow_rows if rows is None else rows
    seen = found.datagrams.take(rows)
    kept = _kept(batch)
    sources = address.packed(seen.source)
    columns = (rows.tolist(), seen.spans.strings(), seen.sizes.tolist(), sources, seen.at_ns.tolist())
    for row, octets, size, source, at_ns in zip(*columns, strict=True):
        if kept is None and plans is not None and (whole := extents(octets)):
            laid = plans.laid(octets, whole[1])
            if laid is not None:
                yield row, Received(whole[0], size, source, at_ns, recorded, laid)
                continue
        message = parse(octets)
        if kept is not None:
            samples = tuple(_meant(message.samples, kept, row))
            if not samples:
                continue
            message = message._replace(samples=samples)
        yield row, Received(message, size, source, at_ns, recorded)


def _kept(batch: Batch) -> dict[tuple[int, int], Iterator[bool]] | None:
    """Which records are meant, in order, by their datagram's row and their kind; None for all."""
    if batch.kept is None:
        return None
    found: dict[tuple[int, int], list[bool]] = {}
    kinds = batch.placed.table.columns["record"].values.tolist()
    for key, one in zip(zip(batch.placed.datagram.tolist(), kinds, strict=True), batch.kept.tolist(), strict=True):
        found.setdefault(key, []).append(one)
    return {key: iter(those) for key, those in found.items()}


def _meant(samples: Sequence[Sample], kept: dict[tuple[int, int], Iterator[bool]], row: int) -> Iterator[Sample]:
    """The samples of packets that are meant; counters are of no packet."""
    for sample in samples:
        kind = _TAGS.get(sample.tag)
        # One that ends within its own fields has no record.
        whole = sample.layout is not None and len(sample.values) == _own(sample.layout)
        if kind is not None and whole and next(kept.get((row, kind), iter(())), False):
            yield sample


def _own(layout: Layout) -> int:
    """How many fields a sample has besides its elements, which those of versions before 5 do not name."""
    return sum(not isinstance(field.type, Elements) for field in layout.fields)


def netflow_exports(batch: Batch) -> Iterator[tuple[int, Export]]:
    """The batch's NetFlow and IPFIX datagrams with their rows, without what the filter does not mean.

    Records that had waited for their template stand in the first of them.
    """
    found = batch.found
    if found.netflow is None:
        return
    heads = accounts(found.netflow)
    records = _records(batch, found.netflow)
    for place, row in enumerate(found.netflow_rows.tolist()):
        if batch.kept is None or place in records:
            yield row, _export(found, heads, place, row, records.get(place, []))


def _records(batch: Batch, netflow: Netflow) -> dict[int, list[Record]]:
    """Records by their datagram's place among those of NetFlow."""
    kept = batch.kept_of(FLOW)
    of_flows = iter(() if kept is None else kept.tolist())
    found: dict[int, list[Record]] = {}
    for message in messages(netflow, batch.exporters.netflow):
        if kept is None or (not message.options and next(of_flows, False)):
            record = Record(message.options, message.template, message.fields)
            found.setdefault(message.datagram or 0, []).append(record)
    return found


def _export(found: Decoded, heads: Records, place: int, row: int, records: Sequence[Record]) -> Export:
    def head(name: str) -> int | None:
        known = heads.known.get(name)
        return int(heads.values[name][place]) if known is None or known[place] else None

    rejected = head("rejected")
    datagrams = found.datagrams
    source = address.texts(datagrams.source[row : row + 1])[0]
    return Export(
        *(source, int(datagrams.sizes[row]), int(datagrams.at_ns[row]), int(found.recognised.version[row])),
        *(head("domain"), head("sequence"), head("exported"), records),
        None if rejected is None else REASONS[rejected],
    )
