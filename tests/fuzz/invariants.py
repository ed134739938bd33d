# SPDX-License-Identifier: Apache-2.0
"""What must hold of whatever comes: the readers of datagrams and of capture files, asked for all that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fleutan.protocols.anonymising import Anonymiser
from fleutan.protocols.anonymous import Remembered, anonymised
from fleutan.protocols.anonymous.held import OCTETS
from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.fragments import Fragments
from fleutan.protocols.capture.pcapng import LONGEST_BLOCK
from fleutan.protocols.capture.reading import Reader
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import Batch, decode
from fleutan.protocols.netflow.exporters import state as remembered
from fleutan.protocols.netflow.exporters import waiting
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.sections import sections
from fleutan.protocols.netflow.wire import sets, templates
from fleutan.protocols.packet.decode import decode as decode_packets
from fleutan.protocols.packet.kinds import BEGINNINGS
from fleutan.protocols.recognise import NETFLOW, SFLOW, UNKNOWN, recognise
from fleutan.protocols.sflow import columns as sflow
from fleutan.protocols.sflow.columns.problems import NAMED
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.messages import parse
from fleutan.protocols.spans import joined, number
from fleutan.records import Records

#: Reasons for which nothing of an sFlow datagram is read.
UNREADABLE = (Reason.VERSION, Reason.ADDRESS, Reason.CUT)
ANONYMISER = Anonymiser(bytes(range(32)))
START_NS = 1_700_000_000 * 10**9


@dataclass
class Kept:
    """What is remembered from batch to batch."""

    netflow: State = field(default_factory=State)
    anonymous: Remembered = field(default_factory=Remembered)
    now_ns: int = START_NS


def datagrams_of(strings: Sequence[bytes], kept: Kept, exporters: int = 3) -> Datagrams:
    """These strings as if they came from so many exporters, a second a batch; every fifth was cut by the receiver."""
    spans = joined(strings)
    row = np.arange(len(strings))
    source = np.stack([row * 0, 0xFFFF_C000_0200 + row % exporters], 1)
    kept.now_ns += 10**9
    sizes = np.where(row % 5 == 4, spans.sizes + 3, spans.sizes)
    return Datagrams(spans, sizes, source, row % exporters + 2055, source, row * 0 + 2055, row + kept.now_ns)


def check_datagrams(strings: Sequence[bytes], kept: Kept) -> None:
    """Reads a batch in all ways."""
    datagrams = datagrams_of(strings, kept)
    kinds = recognise(datagrams)
    assert np.isin(kinds.family, (UNKNOWN, NETFLOW, SFLOW)).all()
    check_netflow(datagrams.take(kinds.family == NETFLOW), kept.netflow)
    check_sflow(datagrams.take(kinds.family == SFLOW))
    # What is not recognised is not asked for, but must do no harm either.
    check_netflow(datagrams, State())
    check_sflow(datagrams)
    check_packets(datagrams)
    check_anonymised(datagrams, kept)


def check_netflow(datagrams: Datagrams, state: State) -> None:
    """Every datagram gives something, or is noted under a reason, or holds nothing; the state has its bounds."""
    batch = decode(datagrams, state)
    _check_columns(flows(batch))
    messages(batch, state)
    for section in sections(batch).values():
        _check_spans(section.spans.starts, section.spans.sizes, len(section.spans.octets))
    account = accounts(batch)
    _check_columns(account)
    gave = sum(account.values[name] for name in ("flows", "options", "templates", "unread")) > 0
    named = account.known.get("rejected", np.ones(account.rows, np.bool_))
    assert (gave | named | _holds_nothing(datagrams)).all()
    _check_counts(batch, datagrams)
    check_state(state)


def _holds_nothing(datagrams: Datagrams) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Headers of versions with sets may stand alone, and sets without records too."""
    octets, starts, sizes = datagrams.spans
    return (sizes >= 16) & np.isin(number(octets, starts, 2), (9, 10))


def _check_counts(batch: Batch, datagrams: Datagrams) -> None:
    """No more records than octets make."""
    longest = int(datagrams.spans.sizes.max(initial=0))
    here = batch.since.datagram >= 0
    counts = batch.counts[here]
    assert (counts <= batch.since.sets.size[here] // templates.SHORTEST).all()
    assert np.bincount(batch.since.datagram[here], minlength=1).max() <= min(sets.SETS, max(longest, 1))


def check_state(state: State) -> None:
    """What is remembered of exporters has the bounds that are written down."""
    assert len(state.domains) <= remembered.DOMAINS
    assert sum(domain.weight for domain in state.domains.values()) <= remembered.OCTETS
    for domain in state.domains.values():
        assert len(domain.templates) <= remembered.TEMPLATES
        assert len(domain.told) <= remembered.TOLD
    assert state.waiting.octets <= waiting.OCTETS
    assert len(state.waiting) <= waiting.OCTETS // 512


def check_sflow(datagrams: Datagrams) -> None:
    """Every head that cannot be read is counted under a reason; whole and columns see the same samples."""
    walk = sflow.walk(datagrams.spans)
    readable = walk.datagrams.known.get("sub_agent_id", np.ones(walk.datagrams.rows, np.bool_))
    unreadable = int(np.count_nonzero(~readable & ~walk.earlier))
    assert sum(walk.problems[reason, "datagram"] for reason in UNREADABLE) == unreadable
    for packets in (sflow.flows(walk), sflow.discards(walk)):
        _check_columns(packets.records)
        assert len(packets.skipped) <= 2 * NAMED + 1 + 64
    found = sflow.counters(walk)
    _check_columns(found.samples)
    for structure in found.structures.values():
        _check_columns(structure.records)
    parsed = [parse(octets) for octets in datagrams.spans.strings()]
    counts = [len(message.samples) for message in parsed]
    assert all(count <= size // 8 for count, size in zip(counts, datagrams.spans.sizes.tolist(), strict=True))
    whole = np.where(readable, counts, 0)
    assert (np.bincount(walk.samples.owner, minlength=len(counts)) == whole).all()


def check_anonymised(datagrams: Datagrams, kept: Kept) -> None:
    """As many datagrams come as went in but for those that wait, and they hold as many samples and no more records."""
    waiting = len(kept.anonymous.held)
    made = anonymised(datagrams, kept.anonymous, ANONYMISER)
    assert len(made.at_ns) + len(kept.anonymous.held) == len(datagrams.at_ns) + waiting
    assert made.spans.sizes.sum() <= datagrams.spans.sizes.sum() + OCTETS
    check_state(kept.anonymous.netflow)
    walks = [sflow.walk(_of_family(each, SFLOW).spans) for each in (datagrams, made)]
    assert (walks[0].samples.found == walks[1].samples.found).all()
    for read in (sflow.flows, sflow.discards):
        assert read(walks[0], (1,)).records.rows == read(walks[1], (1,)).records.rows
    alone = anonymised(datagrams, Remembered(), ANONYMISER)
    before, after = (_records(_of_family(each, NETFLOW)) for each in (datagrams, alone))
    for at_ns, (records, unread) in after.items():
        # What waited may be read now; of what did not, nothing becomes more.
        assert records <= before[at_ns][0] or before[at_ns][1] or unread


def _records(datagrams: Datagrams) -> dict[int, tuple[int, int]]:
    """How many records each datagram holds, and how many sets without a template, by its time."""
    account = accounts(decode(datagrams, State())).values
    columns = (datagrams.at_ns, account["flows"] + account["options"], account["unread"])
    return {
        at_ns: (records, unread) for at_ns, records, unread in zip(*(each.tolist() for each in columns), strict=True)
    }


def _of_family(datagrams: Datagrams, family: int) -> Datagrams:
    return datagrams.take(recognise(datagrams).family == family)


def check_packets(datagrams: Datagrams) -> None:
    """The same octets as packets, of each kind in turn."""
    kinds = np.resize(np.array(list(BEGINNINGS)), datagrams.spans.rows)
    _check_columns(decode_packets(datagrams.spans, kinds, depth=2))


def check_capture(octets: bytes) -> None:
    """A capture file in chunks: bounded in what is kept, and every octet is a frame's or counted."""
    reader, fragments = Reader(), Fragments()
    size = max(len(octets) // 3, 1)
    for at in range(0, len(octets), size):
        frames = reader.feed(octets[at : at + size])
        _check_spans(frames.spans.starts, frames.spans.sizes, len(frames.spans.octets))
        found = udp_datagrams(frames, fragments)
        _check_spans(found.spans.starts, found.spans.sizes, len(found.spans.octets))
        assert (found.spans.sizes <= found.sizes).all()
        assert reader.kept <= LONGEST_BLOCK
    reader.finish()
    assert all(count > 0 for count in reader.rejects.values())


def _check_columns(records: Records) -> None:
    for name, values in records.values.items():
        assert len(values) == records.rows, name
    for name, known in records.known.items():
        assert name in records.values
        assert len(known) == records.rows, name


def _check_spans(
    starts: np.ndarray[tuple[int], np.dtype[np.int64]],
    sizes: np.ndarray[tuple[int], np.dtype[np.int64]],
    octets: int,
) -> None:
    assert (sizes >= 0).all()
    assert (starts >= 0).all()
    assert (starts + sizes <= octets).all()
