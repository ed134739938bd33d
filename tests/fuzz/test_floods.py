# SPDX-License-Identifier: Apache-2.0
"""Who sends as much as he can of what is remembered, or says that it is much, meets the bounds."""

from __future__ import annotations

import struct

import numpy as np
from tests.fuzz.invariants import START_NS, Kept, check_datagrams, check_state, datagrams_of
from tests.protocols.netflow.making import set_of, template, v9, v10

from fleutan.protocols.anonymising import Anonymiser
from fleutan.protocols.anonymous import Remembered, anonymised, held
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters import state as remembered
from fleutan.protocols.netflow.exporters import waiting
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.sflow import columns as sflow
from fleutan.protocols.spans import joined

#: A thousand templates of one field each are a datagram.
MANY = b"".join(template(256 + number, (8, 4)) for number in range(1100))


def from_many(octets: bytes, many: int) -> Datagrams:
    """The same datagram from so many exporters."""
    spans = joined([octets])
    number, nothing = np.arange(many), np.zeros(many, np.int64)
    source = np.stack((number, number), 1)
    sizes = np.full(many, len(octets))
    return Datagrams(
        spans._replace(starts=nothing, sizes=sizes), sizes, source, nothing, source, nothing, START_NS + number
    )


def test_exporters_without_end() -> None:
    state = State()
    batch = decode(from_many(v9(set_of(0, template(260, (8, 4)))), remembered.DOMAINS + 100), state)
    assert len(state.domains) == remembered.DOMAINS
    assert batch.noted.counts[rejects.EXPORTERS] == 100
    check_state(state)


def test_templates_without_end() -> None:
    state = State()
    batch = decode(from_many(v9(set_of(0, MANY)), 1), state)
    assert batch.noted.counts[rejects.TEMPLATES] == 1100 - remembered.TEMPLATES
    check_state(state)


def test_records_without_templates() -> None:
    state = State()
    large = v10(set_of(300, bytes(60_000)))
    batch = decode(from_many(large, 200), state)
    assert batch.noted.counts[rejects.NO_TEMPLATE] > 0
    assert waiting.OCTETS - 61_000 < state.waiting.octets <= waiting.OCTETS
    alone = State()
    decode(from_many(large, 1)._replace(source=np.zeros((1, 2), np.int64)).take(np.zeros(20, np.int64)), alone)
    assert alone.waiting.octets <= waiting.OCTETS_OF_ONE
    hidden = Remembered()
    made = anonymised(from_many(large, 10), hidden, Anonymiser(bytes(32)))
    for _ in range(9):
        anonymised(from_many(large, 10), hidden, Anonymiser(bytes(32)))
    assert len(made.at_ns) == 0
    assert len(hidden.held) * 60_000 <= held.OCTETS


def test_numbers_that_promise_much() -> None:
    much = struct.pack("!I", 0xFFFF_FFFF)
    head = struct.pack("!IIIIII", 5, 1, 1, 2, 3, 4)
    sample = struct.pack("!II", 1, 0xFFFF_FFF0) + bytes(28) + much
    path = struct.pack("!IIII", 1003, 64, 1, 9) + bytes(12) + much + struct.pack("!II", 1, 0xFFFF_FFFF)
    strings = [head + much + sample, head + much + sample + path, head + much + sample + path * 800, head + much]
    check_datagrams(strings, Kept())
    walk = sflow.walk(datagrams_of(strings, Kept()).spans)
    assert walk.samples.found.max() == 1


def test_the_smallest_of_everything_as_often_as_it_fits() -> None:
    """Each step is paid for by octets, so that the largest datagrams take no longer than others of their size."""
    head = struct.pack("!IIIIIII", 5, 1, 1, 2, 3, 4, 0xFFFF_FFFF)
    empty_samples = head + struct.pack("!II", 1, 0) * 8000
    elements = head + struct.pack("!II", 1, 65_000) + bytes(28) + struct.pack("!I", 9000)
    elements += struct.pack("!II", 1006, 0) * 8000
    old = struct.pack("!IIIIII", 4, 1, 1, 2, 3, 0xFFFF_FFFF) + (struct.pack("!5I", 2, 0, 0, 0, 7) + bytes(28)) * 1300
    sets = v10(*[set_of(300)] * 16_000)
    records = v10(set_of(2, template(300, *((82, 0xFFFF),) * 4)), set_of(300, bytes(12_000)))
    check_datagrams([empty_samples, elements, old, sets, records], Kept())
