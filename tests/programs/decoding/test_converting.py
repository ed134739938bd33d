# SPDX-License-Identifier: Apache-2.0
"""Samples come in, and a socket of this test's own gets NetFlow, which nfdump and tshark read too."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from tests.exports.sflowtool.received import PACKET, discard, flow, header
from tests.nfdump import needs_nfdump
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, set_of, template, v9, v10
from tests.protocols.netflow.test_programs import collected, needs_tshark, pcap

from fleutan.exports.conversion import Conversion
from fleutan.exports.sflowtool.heads import Dialect
from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.converting import Converted
from fleutan.programs.decoding.messages import TEXT, Messages
from fleutan.programs.decoding.tables import Lines
from fleutan.protocols.sflow.encoder import encode
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.query.filter import parse
from fleutan.query.predicate import compile as compiled
from fleutan.sources.datagrams import NONE
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.forwarding import Forwarding, target

VERSIONS = (5, 9, 10)


def sflow(*samples: Sample) -> bytes:
    return encode(Message(5, bytes([10, 9, 8, 7]), 0, 7, 1000, len(samples), samples))


def tcp(sport: int) -> Sample:
    return flow(header(PACKET[:34] + sport.to_bytes(2) + PACKET[36:]), sampling_rate=400)


def batch(*strings: bytes, words: str = "") -> Batch:
    return Batch(decoded(datagrams(*strings), Exporters()), Exporters(), compiled(parse(words)) if words else None)


@contextmanager
def collector() -> Iterator[tuple[socket.socket, Forwarding]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(0)
        with Forwarding([target(f"127.0.0.1/{ear.getsockname()[1]}")]) as onward:
            yield ear, onward


def heard(ear: socket.socket) -> list[bytes]:
    """What came so far: on loopback it is there when it was sent."""
    found = []
    while True:
        try:
            found.append(ear.recv(1 << 16))
        except BlockingIOError:
            return found


def converted(version: int, *batches: Batch) -> list[bytes]:
    with collector() as (ear, onward):
        form = Converted(Conversion(version), onward)
        for one in batches:
            assert list(form.of(one)) == []
        assert list(form.end()) == []
        return heard(ear)


def rows_of(strings: list[bytes]) -> list[dict[str, object]]:
    pieces = b"".join(Lines().of(batch(*strings)))
    return [json.loads(line) for line in pieces.splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
def test_samples_go_out_as_flows_and_discards_do_not(version: int) -> None:
    mixed = sflow(tcp(1), discard(header()), tcp(2))
    rows = rows_of(converted(version, batch(mixed), batch(sflow(tcp(3)))))
    assert [(row["sport"], row["packets"], row["bytes"]) for row in rows] == [(n, 400, 40 * 400) for n in (1, 2, 3)]


def test_only_what_the_filter_means_goes_out() -> None:
    words = "sport >= 2"
    rows = rows_of(converted(9, batch(sflow(tcp(1), tcp(2), discard(header()), tcp(3)), words=words)))
    assert [row["sport"] for row in rows] == [2, 3]


def test_netflow_of_another_version_too() -> None:
    exported = v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD, RECORD))
    before, after = rows_of([exported]), rows_of(converted(10, batch(exported)))
    names = ("src", "dst", "packets", "bytes")
    assert [[row[name] for name in names] for row in after] == [[row[name] for name in names] for row in before]
    assert {row["protocol"] for row in after} == {"ipfix"}


def test_frames_in_records_count_as_ip_and_flows_as_they_say() -> None:
    frame = bytes([len(PACKET)]) + PACKET
    shapes = set_of(2, template(256, (312, 2), (315, 65535)), template(257, (1, 4), (2, 4), (315, 65535)))
    counted = struct.pack("!II", 5000, 7) + frame
    exported = v10(shapes, set_of(256, len(PACKET).to_bytes(2) + frame), set_of(257, counted))
    rows = rows_of(converted(9, batch(exported)))
    assert [(row["src"], row["bytes"], row["packets"]) for row in rows] == [
        ("10.0.0.1", 40, 1),
        ("10.0.0.1", 5000, 7),
    ]


def test_the_form_beside_it_is_written_and_nothing_goes_out_of_nothing() -> None:
    with collector() as (ear, onward):
        words = Messages(TEXT, Dialect(False, UTC), False)
        form = Converted(Conversion(5), onward, words)
        assert list(form.of(batch(sflow(tcp(1))))) == list(words.of(batch(sflow(tcp(1)))))
        assert len(heard(ear)) == 1
        assert list(form.of(Batch(decoded(NONE, Exporters()), Exporters()))) == []
        assert list(form.of(batch(b"what is this"))) == []
        assert list(form.end()) == []
        assert heard(ear) == []
        assert list(form.notes()) == []


def test_what_cannot_be_said_is_noted() -> None:
    with collector() as (_, onward):
        form = Converted(Conversion(5), onward)
        list(form.of(batch(sflow(flow(header(PACKET), input=70_000), flow(header(bytes(14)))))))
        assert list(form.notes()) == [
            "1 records were not converted: they have no IP addresses",
            "in_if of 1 records does not fit its field, and is the largest that does",
        ]


def many() -> list[bytes]:
    """Two hundred samples in twenty datagrams."""
    return [sflow(*(tcp(100 * one + number) for number in range(10))) for one in range(1, 21)]


@needs_nfdump
@pytest.mark.parametrize("version", VERSIONS)
def test_nfdump_reads_what_was_sent(tmp_path: Path, version: int) -> None:
    found = collected(tmp_path, converted(version, batch(*many())), 200)
    ports = [str(100 * one + number) for one in range(1, 21) for number in range(10)]
    expected = [f"10.0.0.1,10.0.0.2,{port},443,400,{40 * 400},3,4" for port in ports]
    assert sorted(found) == sorted(expected)


@needs_tshark
@pytest.mark.parametrize("version", VERSIONS)
def test_tshark_reads_what_was_sent(tmp_path: Path, version: int) -> None:
    file = pcap(tmp_path / "ours.pcap", converted(version, batch(*many())))
    names = ("cflow.srcport", "cflow.packets", "cflow.octets", "cflow.inputint")
    fields = [part for name in names for part in ("-e", name)]
    command = ["tshark", "-r", str(file), "-d", "udp.port==2055,cflow", "-T", "json", *fields]
    layers = [
        one["_source"]["layers"] for one in json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    ]
    theirs = {name: [int(word, 0) for one in layers for word in one.get(name, [])] for name in names}
    assert sorted(theirs["cflow.srcport"]) == sorted(100 * one + number for one in range(1, 21) for number in range(10))
    for name, value in zip(names[1:], (400, 40 * 400, 3), strict=True):
        assert np.unique(theirs[name]).tolist() == [value]
        assert len(theirs[name]) == 200
    odd = [*command[:5], "-Y", "_ws.malformed || cflow.unexpected_sequence_number"]
    assert subprocess.run(odd, capture_output=True, text=True, check=True).stdout == ""
