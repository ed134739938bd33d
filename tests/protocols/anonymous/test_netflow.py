# SPDX-License-Identifier: Apache-2.0
"""Datagrams of NetFlow and IPFIX, read again: what stays, what is replaced, and that zeros are never records."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.anonymous.keyed import ANONYMISER, image, mac_image, made
from tests.protocols.netflow.capturing import captured
from tests.protocols.netflow.making import (
    options_9,
    options_10,
    read,
    record_5,
    set_of,
    template,
    v5,
    v9,
    v10,
)
from tests.protocols.packet import stacks

from fleutan.protocols.anonymous import Remembered, anonymised
from fleutan.protocols.netflow.accounts import accounts
from fleutan.protocols.netflow.decoding import decode
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.messages import messages
from fleutan.protocols.netflow.wire.templates import VARIABLE

A4, B4 = bytes.fromhex("c6336407"), bytes.fromhex("cb007105")
A6, M6 = bytes(range(32, 48)), bytes.fromhex("08002b010203")
FRAME = stacks.ethernet(stacks.TYPE4, stacks.ipv4(17, b"\0\1\0\2\0\x10\xbe\xefSecret.."))


def records(*strings: bytes) -> list[dict[str, object]]:
    state = State()
    return [one.fields for one in messages(read(*strings, state=state), state)]


def test_version_5() -> None:
    whole = v5(record_5(), record_5(), sampling=0x4064)
    found = made(whole)[0]
    ends = (24, 28, 32, 72, 76, 80)
    wanted = bytearray(whole)
    for at in ends:
        wanted[at : at + 4] = image(whole[at : at + 4])
    assert found == bytes(wanted)


def test_padding_may_hold_anything() -> None:
    whole = bytearray(v5(record_5()))
    whole[24 + 36] = whole[24 + 46] = whole[24 + 47] = 0xA5
    found = made(bytes(whole))[0]
    assert (found[24 + 36], found[24 + 46 : 24 + 48]) == (0, b"\0\0")


EVERY = ((8, 4), (1, 8), (2, 3), (27, 16), (56, 6), (82, 16), (12, 4), (95, 4), (210, 2), (300, 8), (10, 12))
RECORD = A4 + bytes(range(1, 12)) + A6 + M6 + b"name".ljust(16, b"\0") + B4 + b"\3\0\0\7" + b"\xa5" * 2 + b"a domain"
RECORD += b"\xa5" * 12


@pytest.mark.parametrize("version", [9, 10])
def test_records_of_fixed_length(version: int) -> None:
    make, number = (v9, 0) if version == 9 else (v10, 2)
    whole = make(set_of(number, template(260, *EVERY)), set_of(260, RECORD * 2, b"\xa5\xa5"))
    found = made(whole)[0]
    wanted = image(A4) + RECORD[4:15] + image(A6) + mac_image(M6) + b"xxxx".ljust(16, b"\0") + image(B4) + b"\3\0\0\7"
    wanted += bytes(2) + b"xxxxxxxx" + bytes(12)
    head = len(whole) - 2 * len(RECORD) - 2
    assert found[:head] == whole[:head]
    assert found[head:] == wanted * 2 + b"\0\0"


def test_records_whose_lengths_stand_in_them() -> None:
    fields = ((8, 4), (82, VARIABLE), (315, VARIABLE), (95, VARIABLE), (1, VARIABLE), (12, VARIABLE), (7, 2))
    one = A4 + b"\4name" + bytes([len(FRAME)]) + FRAME + b"\4\3\0\0\7" + b"\3\0\0\7" + b"\4" + B4 + b"\0\x50"
    other = A4 + b"\xff\1\0" + b"n" * 256 + b"\0" + b"\0" + b"\0" + b"\x10" + A6 + b"\0\x51"
    whole = v10(set_of(2, template(300, *fields)), set_of(300, one, other))
    first, second = records(*made(whole))
    assert first["sourceIPv4Address"] == ".".join(map(str, image(A4)))
    assert (first["interfaceName"], first["octetDeltaCount"], first["sourceTransportPort"]) == ("xxxx", 7, 80)
    frame = first["dataLinkFrameSection"]
    assert isinstance(frame, bytes)
    assert frame[:12] == mac_image(FRAME[:6]) + mac_image(FRAME[6:12])
    assert frame[34:] == FRAME[34:40] + bytes(len(FRAME) - 40)
    assert second["interfaceName"] == "x" * 256
    assert second["sourceTransportPort"] == 81
    assert [octets for octets in (A4, B4, A6, b"Secret") if octets in made(whole)[0]] == []


def test_what_is_left_of_a_set_is_no_record() -> None:
    fields = ((82, VARIABLE), (8, 4))
    broken = b"\xfe" + A4 * 3
    whole = v10(set_of(2, template(300, *fields)), set_of(300, b"\1a" + A4, broken), set_of(300, b"\2bc" + B4))
    remembered = Remembered()
    octets = made(whole, remembered=remembered)[0]
    assert A4 not in octets
    assert len(octets) == len(whole)
    assert [one["interfaceName"] for one in records(octets)] == ["x", "xx"]
    assert remembered.removed["record that cannot be read"] == 1


def test_a_set_of_nothing_that_can_be_read() -> None:
    whole = v10(set_of(2, template(300, (82, VARIABLE), (8, 4))), set_of(300, b"\xfe" + A4 * 3))
    octets = made(whole)[0]
    assert A4 not in octets
    assert records(octets) == []


def test_options_and_withdrawals_stay() -> None:
    nine = v9(set_of(1, options_9(261, ((1, 4),), (34, 4), (35, 1))), set_of(261, A4 + b"\0\0\0\x64\1", b"\0\0\0"))
    found = made(nine)[0]
    assert found == nine.replace(A4, image(A4))
    ten = (
        v10(set_of(3, options_10(301, 1, (149, 4), (305, 4), (306, 4))), set_of(301, bytes(range(12)))),
        v10(set_of(3, options_10(301, 1, (149, 4)))[:4] + b"", set_of(2, template(300))),
    )
    whole = v10(set_of(2, template(300, (8, 4))), set_of(2, template(300)))
    assert made(ten[0], whole) == [ten[0], whole]


@pytest.mark.parametrize(
    "broken",
    [
        template(300, (8, 4), (12, 4))[:9] + A4[:1],
        template(7, (8, 4)) + A4,
        struct.pack("!HH", 300, 600) + A4 * 600,
        template(301, (4, 1)) + A4,
    ],
)
def test_what_is_no_template_is_left_out(broken: bytes) -> None:
    fine = template(260, (8, 4))
    whole = v10(set_of(2, fine, broken), set_of(260, A4))
    remembered = Remembered()
    octets = made(whole, remembered=remembered)[0]
    assert octets[20 : 20 + len(fine)] == fine
    assert A4 not in octets
    assert len(records(octets)) == 1
    assert remembered.removed["template that cannot be read"] == 1


def test_a_set_without_a_template_beside_others() -> None:
    remembered = Remembered()
    whole = v9(set_of(270, A4 * 2), set_of(0, template(260, (8, 4))), set_of(260, A4))
    octets = made(whole, remembered=remembered)[0]
    assert A4 not in octets
    assert octets[20:32] == b"\0\0\0\x0c" + bytes(8)
    assert remembered.removed["set without a template"] == 1
    # Not even when its template comes.
    assert records(octets, v9(set_of(0, template(270, (8, 4))))) == [
        {"sourceIPv4Address": ".".join(map(str, image(A4)))}
    ]


def test_sets_of_reserved_numbers_and_what_follows_them() -> None:
    octets = made(v10(set_of(2, template(260, (8, 4))), set_of(77, A4), set_of(260, A4)))[0]
    assert octets[28:36] == struct.pack("!HH", 77, 8) + bytes(4)
    assert len(records(octets)) == 1


def test_a_header_that_cannot_be_read() -> None:
    remembered = Remembered()
    # More records than there are octets: known by the version of nothing.
    assert made(v5(record_5(), count=9), remembered=remembered) == [bytes(72)]
    assert remembered.removed["datagram of an unknown protocol"] == 1


def test_templates_of_exporters_hold_for_their_own_addresses() -> None:
    """Two exporters with one number for different templates."""
    remembered = Remembered()
    first = v9(set_of(0, template(260, (8, 4))), set_of(260, A4))
    second = v9(set_of(0, template(260, (1, 4))), set_of(260, A4), source=8)
    found = made(first, second, v9(set_of(260, B4)), v9(set_of(260, B4), source=8), remembered=remembered)
    assert [octets[-4:] for octets in found] == [image(A4), A4, image(B4), B4]


@needs_captures
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("[in]*/*.pcap")), ids=lambda path: path.stem)
def test_recorded_datagrams_have_as_many_records_as_before(path: Path) -> None:
    before = captured(path)
    remembered = Remembered()
    after = anonymised(before, remembered, ANONYMISER)
    was, now = (accounts(decode(each, State())) for each in (before, after))
    waited = len(remembered.held)
    for name in ("flows", "options", "templates"):
        assert now.values[name].sum() == was.values[name].sum(), name
    assert len(after.at_ns) + waited == len(before.at_ns)
    assert np.isin(after.sizes, before.sizes).all()
