# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from tests.protocols.netflow.capturing import AT_NS, EXPORTER, sent
from tests.protocols.netflow.making import PLAIN, RECORD, options_10, read, reasons, set_of, template, v9, v10

from fleutan.protocols.netflow.decoding import Batch, decode
from fleutan.protocols.netflow.exporters import state as limits
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.wire import rejects

SHAPE = set_of(2, template(256, *PLAIN))
#: The same octets, counts before addresses.
SWAPPED = set_of(2, template(256, (1, 4), (2, 4), (8, 4), (12, 4)))
DATA = set_of(256, RECORD)
WITHDRAWN = set_of(2, struct.pack("!HH", 256, 0))


def octets(batch: Batch, state: State) -> list[int | None]:
    return [message.fields["octetDeltaCount"] for message in messages(batch, state) if not message.options]


def test_a_changed_template_holds_from_its_place_on_within_a_batch() -> None:
    state = State()
    batch = read(v10(SHAPE, DATA), v10(DATA, SWAPPED, DATA), v10(SHAPE, DATA), state=state)
    assert octets(batch, state) == [100, 100, 0x0A000001, 100]
    assert octets(read(v10(DATA), state=state), state) == [100]


def test_a_template_sent_again_changes_nothing_and_its_records_stay_one_group() -> None:
    batch = read(v10(SHAPE, DATA), v10(SHAPE, DATA))
    assert [group.rows for group in batch.groups] == [2]


def test_exporters_with_the_same_template_are_read_together() -> None:
    batch = read(v10(SHAPE, DATA, domain=1), v10(SHAPE, DATA, domain=2))
    assert [group.rows for group in batch.groups] == [2]


def test_a_withdrawn_template_reads_nothing_until_it_is_there_again() -> None:
    state = State()
    batch = read(v10(SHAPE, DATA), v10(WITHDRAWN, DATA), state=state)
    assert octets(batch, state) == [100]
    assert batch.unread.sum() == 1
    batch = read(v10(DATA), v10(SWAPPED, DATA), state=state)
    assert octets(batch, state) == [0x0A000001] * 3


def test_all_templates_are_withdrawn_at_once() -> None:
    state = State()
    other = set_of(3, options_10(300, 1, (149, 4), (34, 4)))
    batch = read(v10(SHAPE, other), v10(set_of(2, struct.pack("!HH", 2, 0))), state=state)
    assert reasons(batch) == {}
    assert all(not domain.templates for domain in state.domains.values())
    assert batch.templates.sum() == 3


def test_templates_are_those_of_their_exporter_and_session() -> None:
    state = State()
    decode(
        sent([(EXPORTER, 1000, AT_NS, v10(SHAPE)), (EXPORTER, 1000, AT_NS, v9(set_of(0, template(256, *PLAIN))))]),
        state,
    )
    strangers = [
        (EXPORTER, 2000, AT_NS, v10(DATA)),
        (EXPORTER, 1000, AT_NS, v10(DATA, domain=8)),
        ((0, 5), 1000, AT_NS, v10(DATA)),
        (EXPORTER, 1000, AT_NS, v9(DATA, source=8)),
        ((0, 5), 1000, AT_NS, v9(DATA)),
    ]
    assert decode(sent(strangers), state).unread.all()
    friends = [(EXPORTER, 1000, AT_NS, v10(DATA)), (EXPORTER, 2000, AT_NS, v9(DATA))]
    assert not decode(sent(friends), state).unread.any()


def test_what_is_no_template_is_noted_for_its_datagram() -> None:
    state = State()
    batch = read(v10(DATA), v10(set_of(2, template(256, (1, 1)))), v10(set_of(2, template(8, *PLAIN))), state=state)
    assert reasons(batch) == {rejects.SHORT: 1, rejects.NUMBER: 1}
    of = rejects.REASONS.index
    assert batch.noted.first(3).tolist() == [-1, of(rejects.SHORT), of(rejects.NUMBER)]
    assert not state.domains


def test_a_flood_of_templates_stays_within_what_one_exporter_may_have() -> None:
    state = State()
    flood = [
        v10(set_of(2, *(template(number, *PLAIN) for number in range(at, at + 100)))) for at in range(256, 20256, 100)
    ]
    batch = read(*flood, state=state)
    assert reasons(batch) == {rejects.TEMPLATES: 20_000 - limits.TEMPLATES}
