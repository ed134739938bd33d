# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

from tests.protocols.netflow.making import PLAIN, RECORD, read, set_of, template, v10

from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.sections import sections
from fleutan.protocols.netflow.wire.templates import VARIABLE

FRAMES = set_of(2, template(256, (312, 2), (315, VARIABLE)), template(257, *PLAIN), template(258, (315, 20), (410, 2)))


def framed(octets: bytes) -> bytes:
    return struct.pack("!HB", 1500, len(octets)) + octets


def test_frames_are_found_with_the_rows_of_their_flows() -> None:
    batch = read(
        v10(FRAMES, set_of(256, framed(b"first frame"), framed(b"second")), set_of(257, RECORD)),
        v10(set_of(258, b"padded".ljust(20, b"\0") + b"\0\6"), set_of(256, framed(b"last"))),
    )
    found = sections(batch)["dataLinkFrameSection"]
    assert found.spans.strings() == [b"first frame", b"second", b"padded", b"last"]
    assert found.rows.tolist() == [0, 1, 3, 4]
    columns = flows(batch)
    assert columns.values["frame_bytes"].tolist() == [1500, 1500, 0, 0, 1500]
    assert columns.known["frame_bytes"].tolist() == [True, True, False, False, True]


def test_packets_and_label_stacks_are_kinds_of_their_own() -> None:
    shape = set_of(2, template(256, (313, 4), (316, 8)))
    found = sections(read(v10(shape, set_of(256, b"packlabels..", b"PACKLABELS.."))))
    assert {name: one.spans.strings() for name, one in found.items()} == {
        "ipHeaderPacketSection": [b"pack", b"PACK"],
        "mplsLabelStackSection": [b"labels..", b"LABELS.."],
    }


def test_without_sections_there_are_none() -> None:
    assert sections(read(v10(set_of(2, template(257, *PLAIN)), set_of(257, RECORD)))) == {}
    assert sections(read(v10(FRAMES, set_of(256)))) == {}
