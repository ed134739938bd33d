# SPDX-License-Identifier: Apache-2.0
"""Octets that are wrong: cut, changed, forged, and very many."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.netflow.capturing import EXPORTER, Sent, payloads, sent
from tests.protocols.netflow.making import PLAIN, RECORD, read, set_of, specifiers, template, v9, v10

from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters import state as limits
from fleutan.protocols.netflow.exporters import waiting
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.sections import sections
from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.netflow.wire.rejects import REASONS
from fleutan.protocols.netflow.wire.templates import VARIABLE
from fleutan.protocols.recognise import recognise

FILES = [path for folder in ("netflow", "ipfix") for path in sorted((CAPTURES / folder).glob("*.pcap"))]
IDS = [path.stem for path in FILES]


def read_all(these: list[Sent], state: State) -> None:
    """Everything that can be asked of a batch is; each datagram is either read, or rejected by name."""
    recognise(sent(these))
    batch = decode(sent(these), state)
    columns, told = flows(batch), accounts(batch)
    assert set(batch.noted.counts) <= set(REASONS)
    assert columns.rows == batch.counts[~batch.options].sum()
    assert columns.rows <= sum(len(octets) for *_, octets in these) / 4
    assert (told.known["protocol"] | told.known["rejected"]).all()
    messages(batch, state)
    sections(batch)


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_captures_cut_at_every_octet(path: Path) -> None:
    these = list(payloads(path))
    for place, (source, sport, at_ns, octets) in enumerate(these):
        state = State()
        read_all(these[:place], state)
        cut = [(source, sport, at_ns, octets[:size]) for size in range(len(octets))]
        read_all(cut, state)


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_captures_with_bits_that_changed(path: Path) -> None:
    chance = random.Random(path.stem)  # noqa: S311
    these = list(payloads(path))
    for _ in range(20):
        changed = []
        for source, sport, at_ns, octets in these:
            bad = bytearray(octets)
            for _ in range(chance.randrange(1, 8)):
                bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
            changed.append((source, sport, at_ns, bytes(bad)))
        read_all(changed, State())


def from_many(octets: bytes, count: int, first: int = 0) -> list[Sent]:
    """The same from as many exporters."""
    return [((0, EXPORTER[1] + first + one), 2055, 0, octets) for one in range(count)]


def test_a_flood_of_exporters_is_bounded() -> None:
    state = State()
    octets = v10(set_of(2, template(256, *PLAIN)), set_of(256, RECORD))
    for first in range(0, 3 * limits.DOMAINS, 4096):
        read_all(from_many(octets, 4096, first), state)
    assert len(state.domains) == limits.DOMAINS


def test_a_flood_of_large_templates_is_bounded_in_octets() -> None:
    state = State()
    for first in range(256, 1256, 30):
        fields = specifiers(*((first + place, 4) for place in range(500)))
        numbers = range(first, first + 30)
        sets = [set_of(0, number.to_bytes(2) + (500).to_bytes(2) + fields) for number in numbers]
        batch = decode(sent(from_many(v9(*sets), 20)), state)
    assert batch.noted.counts[rejects.ROOM] > 500
    assert sum(domain.weight for domain in state.domains.values()) <= limits.OCTETS


def test_a_flood_of_records_without_a_template_is_bounded() -> None:
    state = State()
    for first in range(0, 20_000, 500):
        read_all(from_many(v9(set_of(300, bytes(1200))), 500, first), state)
    assert len(state.waiting) <= waiting.OCTETS / 1200


@pytest.mark.parametrize(
    "octets",
    [
        v9(*[set_of(256)] * 16_000),
        v9(set_of(0, *(template(number, (8, 4)) for number in range(256, 8000)))),
        v10(set_of(2, template(256, (96, VARIABLE))), set_of(256, bytes(65_000))),
        v10(set_of(2, template(256, *[(96, VARIABLE)] * 500)), set_of(256, bytes(60_000))),
        v10(set_of(2, template(256, (291, VARIABLE))), set_of(256, b"\xff\xea\x60" + bytes(60_000))),
        v10(set_of(2, template(256, (8, 4))), set_of(256, bytes(65_000))),
    ],
    ids=["empty sets", "templates", "empty fields", "many empty fields", "lists", "short records"],
)
def test_the_worst_of_one_datagram_is_little(octets: bytes) -> None:
    state = State()
    batch = read(octets, state=state)
    assert flows(batch).rows <= 20_000
    assert len(messages(batch, state)) <= 20_000
