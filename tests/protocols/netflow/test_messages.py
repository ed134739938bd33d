# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from tests.protocols.netflow.capturing import EXPORTER
from tests.protocols.netflow.making import PLAIN, RECORD, options_10, read, set_of, template, v10

from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.messages import Message, messages
from fleutan.protocols.netflow.wire.templates import VARIABLE, Scope

SCOPE = Scope(10, *EXPORTER, 2055, 7)
FIELDS = {
    "sourceIPv4Address": "10.0.0.1",
    "destinationIPv4Address": "10.0.0.2",
    "octetDeltaCount": 100,
    "packetDeltaCount": 3,
}


def said(*sets: bytes) -> list[Message]:
    state = State()
    return messages(read(v10(*sets), state=state), state)


def test_data_and_options_in_order_with_all_their_fields() -> None:
    found = said(
        *(set_of(2, template(256, *PLAIN)), set_of(3, options_10(300, 1, (149, 4), (34, 4)))),
        *(set_of(256, RECORD), set_of(300, struct.pack("!II", 7, 100)), set_of(256, RECORD)),
    )
    assert found == [
        Message(0, SCOPE, 256, False, FIELDS),
        Message(0, SCOPE, 300, True, {"observationDomainId": 7, "samplingInterval": 100}),
        Message(0, SCOPE, 256, False, FIELDS),
    ]


def test_numbers_of_64_bits_are_unsigned_here() -> None:
    (found,) = said(set_of(2, template(256, (1, 8))), set_of(256, b"\xff" * 8))
    assert found.fields == {"octetDeltaCount": 2**64 - 1}


def test_fields_of_lengths_of_their_own_and_of_no_length() -> None:
    shape = set_of(2, template(256, (96, VARIABLE), (1, VARIABLE), (150, 0), (2, 4)))
    (found,) = said(shape, set_of(256, b"\3ssh\2\1\0" + bytes(4)))
    assert found.fields == {
        "applicationName": "ssh",
        "octetDeltaCount": 256,
        "flowStartSeconds": None,
        "packetDeltaCount": 0,
    }


def test_lists_know_the_templates_of_their_exporter() -> None:
    shapes = set_of(2, template(256, (292, VARIABLE), (8, 4)), template(257, (7, 2), (11, 2)))
    (found,) = said(shapes, set_of(256, b"\x07\x04\x01\x01" + struct.pack("!HH", 80, 443) + b"\x0a\0\0\1"))
    records = [{"sourceTransportPort": 80, "destinationTransportPort": 443}]
    assert found.fields["subTemplateList"] == {"semantic": 4, "template": 257, "records": records}
