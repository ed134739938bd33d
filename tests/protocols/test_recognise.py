# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.captures import CAPTURES, needs_captures
from tests.protocols.netflow.capturing import captured, datagrams
from tests.protocols.netflow.making import PLAIN, record_5, set_of, template, v5, v9, v10

from fleutan.protocols.recognise import NETFLOW, SFLOW, UNKNOWN, recognise


def told(*strings: bytes) -> list[tuple[int, int]]:
    found = recognise(datagrams(*strings))
    return list(zip(found.family.tolist(), found.version.tolist(), strict=True))


def sflow(version: int, kind: int = 1) -> bytes:
    header = struct.pack("!II", version, kind) + bytes(4 if kind == 1 else 16)
    return header + bytes(16 if version == 5 else 12)


SHAPE = template(256, *PLAIN)
ONE_OF_EACH = {
    (NETFLOW, 1): struct.pack("!HHIII", 1, 1, 0, 0, 0) + bytes(52),
    (NETFLOW, 5): v5(record_5()),
    (NETFLOW, 7): struct.pack("!HHIIIII", 7, 1, 0, 0, 0, 0, 0) + bytes(52),
    (NETFLOW, 9): v9(set_of(0, SHAPE)),
    (NETFLOW, 10): v10(set_of(2, SHAPE)),
    (SFLOW, 2): sflow(2),
    (SFLOW, 4): sflow(4, 2),
    (SFLOW, 5): sflow(5),
}


def test_each_is_told_by_what_is_in_it() -> None:
    assert told(*ONE_OF_EACH.values()) == list(ONE_OF_EACH)
    assert told(v9(), v10(), v9(set_of(300)), sflow(5, 2)) == [(NETFLOW, 9), (NETFLOW, 10), (NETFLOW, 9), (SFLOW, 5)]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        v5(record_5(), count=2),
        v5(record_5(), count=0),
        b"\0\x08" + bytes(60),
        v9(set_of(7)),
        v9(b"\1\0\1\0"),
        v9(b"\1\0\0\3"),
        v10(set_of(0)),
        v10(set_of(256))[:-1],
        b"\0\x0a\0\4" + bytes(16),
        sflow(5, 3),
        sflow(5)[:-1],
        sflow(3),
        b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n",
    ],
)
def test_what_makes_no_sense_is_unknown(octets: bytes) -> None:
    assert told(octets) == [(UNKNOWN, 0)]


def test_what_was_captured_in_part_is_told_by_its_header() -> None:
    whole = v10(set_of(256, bytes(100)))
    for string, size in ((whole[:16], len(whole)), (whole[:50], len(whole)), (v5(record_5())[:30], 72)):
        found = recognise(datagrams(string)._replace(sizes=np.array([size])))
        assert found.family.tolist() == [NETFLOW]


@given(st.lists(st.binary(max_size=60)))
def test_any_octets_are_told(strings: list[bytes]) -> None:
    assert all(one == (UNKNOWN, 0) or one[0] in (NETFLOW, SFLOW) for one in told(*strings))


@needs_captures
def test_one_port_carries_several() -> None:
    found = recognise(captured(CAPTURES / "sflow" / "tcpdump_sflow_multiple_counter_30_pdus.pcap"))
    assert set(zip(found.family.tolist(), found.version.tolist(), strict=True)) == {(NETFLOW, 5), (SFLOW, 5)}


@needs_captures
@pytest.mark.parametrize(("folder", "family"), [("netflow", NETFLOW), ("ipfix", NETFLOW), ("sflow", SFLOW)])
def test_real_exporters_are_recognised(folder: str, family: int) -> None:
    strange = {"malformed", "tcpdump_sflow_print-segv", "logstash_Netflow_5_invalid_01"}
    mixed = {"tcpdump_sflow_multiple_counter_30_pdus"}
    over_ipv6 = {"tcpdump_sflow-print-v6"}
    for path in sorted((CAPTURES / folder).glob("*.pcap")):
        if path.stem not in strange | mixed | over_ipv6:
            assert set(recognise(captured(path)).family.tolist()) == {family}, path.stem
