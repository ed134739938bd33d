# SPDX-License-Identifier: Apache-2.0
"""Whole batches: datagrams of all protocols together, what is held, and what of cut ones is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.anonymous.keyed import ANONYMISER, image, made
from tests.protocols.anonymous.test_sflow import AGENT, datagram
from tests.protocols.netflow.capturing import AT_NS, EXPORTER, captured, datagrams
from tests.protocols.netflow.making import record_5, set_of, template, v5, v9

from fleutan.protocols.anonymous import Remembered, anonymised, rest
from fleutan.protocols.anonymous.held import NS, OCTETS

A4 = bytes.fromhex("c6336407")
DATA, TEMPLATE = v9(set_of(260, A4)), v9(set_of(0, template(260, (8, 4))))


def test_protocols_mix_and_the_ends_are_replaced() -> None:
    before = datagrams(v5(record_5()), datagram(), b"something else")
    remembered = Remembered()
    after = anonymised(before, remembered, ANONYMISER)
    assert after.spans.strings()[1][8:12] == image(AGENT)
    assert after.spans.strings()[2] == bytes(14)
    ends = ANONYMISER.anonymised(np.array([EXPORTER] * 3))
    assert (after.source == ends).all()
    assert (after.destination == ends).all()
    assert (after.sizes == before.sizes).all()
    assert (after.at_ns == before.at_ns).all()
    assert +remembered.removed == {"datagram of an unknown protocol": 1}


def test_no_datagrams() -> None:
    assert made() == []


def test_records_wait_for_their_template() -> None:
    remembered = Remembered()
    assert made(DATA, remembered=remembered) == []
    assert made(datagram(), remembered=remembered) == made(datagram())
    assert len(remembered.held) == 1
    found = made(TEMPLATE, remembered=remembered)
    assert found == [TEMPLATE, DATA.replace(A4, image(A4))]
    assert len(remembered.held) == 0
    assert rest(remembered, ANONYMISER) is None


def test_a_template_in_the_same_batch_is_early_enough() -> None:
    assert made(DATA, TEMPLATE) == [DATA.replace(A4, image(A4)), TEMPLATE]


def test_what_waits_for_another_template_waits_on() -> None:
    remembered = Remembered()
    assert made(DATA, v9(set_of(261, A4)), remembered=remembered) == []
    assert len(made(TEMPLATE, remembered=remembered)) == 2
    assert len(remembered.held) == 1


def test_what_waits_too_long_comes_without_its_records() -> None:
    remembered = Remembered()
    assert made(DATA, remembered=remembered) == []
    late = anonymised(datagrams(datagram(), at_ns=AT_NS + NS + 1), remembered, ANONYMISER)
    assert late.spans.strings()[1] == DATA[:20] + b"\0\0\0\x08" + bytes(4)
    assert remembered.removed["datagram whose template did not come"] == 1


def test_what_waits_at_the_end_comes_without_its_records() -> None:
    remembered = Remembered()
    assert made(DATA, remembered=remembered) == []
    last = rest(remembered, ANONYMISER)
    assert last
    assert last.spans.strings() == [DATA[:20] + b"\0\0\0\x08" + bytes(4)]


def test_without_room_nothing_waits() -> None:
    remembered = Remembered()
    large = v9(set_of(260, A4 * 15000))
    for _ in range(OCTETS // 60000):
        assert made(large, remembered=remembered) == []
    (found,) = made(large, remembered=remembered)
    assert A4 not in found
    assert len(remembered.held) == OCTETS // 60000


@needs_captures
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("[ins]*/*.pcap")), ids=lambda path: path.stem)
def test_cut_anywhere_no_address_is_left(path: Path) -> None:
    """The exporters' own addresses are made up in most; what is in the headers of sampled packets is not."""
    before = captured(path)
    before = before.take(np.arange(min(2, len(before.at_ns))))
    for octets in before.spans.strings():
        cuts = range(0, len(octets), 1 + len(octets) // 300)
        strings = [octets[:size] for size in cuts]
        found = anonymised(datagrams(*strings), Remembered(), ANONYMISER)
        addresses = _addresses(octets)
        for one in found.spans.strings():
            assert not [address for address in addresses if address in one]


def _addresses(octets: bytes) -> set[bytes]:
    """Addresses of the IPv4 headers in a datagram, found by what IPv4 headers look like."""
    found = set()
    for at in range(len(octets) - 20):
        if octets[at] == 0x45 and octets[at + 9] in (1, 6, 17) and _sums_up(octets[at : at + 20]):
            found |= {octets[at + 12 : at + 16], octets[at + 16 : at + 20]}
    return {address for address in found if len(set(address) - {0, 255}) > 2}


def _sums_up(header: bytes) -> bool:
    total = sum(int.from_bytes(header[at : at + 2]) for at in range(0, 20, 2))
    return total % 0xFFFF == 0 and total > 0
