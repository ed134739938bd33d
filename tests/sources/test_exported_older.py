# SPDX-License-Identifier: Apache-2.0
"""sFlow of versions 2 and 4 among the records of the others."""

from __future__ import annotations

import struct
from collections import Counter
from datetime import UTC

from tests.protocols.netflow.capturing import datagrams
from tests.protocols.sflow.test_earlier import counters, datagram, flow
from tests.protocols.sflow.test_renewal import IPV4, WHOLE
from tests.sources.test_exporters import flow as newer
from tests.sources.test_exporters import sflow

from fleutan.exports.sflowtool.heads import Dialect
from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.messages import TEXT, Messages
from fleutan.query.filter import parse
from fleutan.query.predicate import compile as compiled
from fleutan.sources.exported import Exporters, decoded, table
from fleutan.sources.exporters import Accounts

PACKET = bytes.fromhex(
    "020000000001 020000000002 0800 4500 0028 0001 0000 4006 0000 0a000001 0a000002 04d2 01bb 00000001 00000002 5012"
    "03e8 0000 0000"
)
HEADER = struct.pack("!4I", 1, 1, len(PACKET) + 4, len(PACKET)) + PACKET + bytes(-len(PACKET) % 4)
OLDER = datagram(4, flow(HEADER, bytes(4)), counters(7, *range(7)), flow(IPV4, bytes(4)))
OLDEST = datagram(2, flow(IPV4, bytes(4)))


def test_they_are_rows_of_their_own_protocol_in_order() -> None:
    found = decoded(datagrams(OLDER, sflow(newer()), OLDEST), Exporters())
    assert found.recognised.version.tolist() == [4, 5, 2]
    rows = list(table(found).rows())
    assert [row["protocol"] for row in rows] == ["sflow-4", "sflow-4", "sflow-5", "sflow-2"]
    assert [row["domain"] for row in rows] == [None, None, 5, None]
    first, second = rows[:2]
    assert (first["proto"], first["src"], first["sport"], first["dport"]) == ("tcp", "10.0.0.1", 1234, 443)
    assert (first["agent"], first["sampling_rate"], first["in_if"], first["out_if"]) == ("10.0.0.1", 400, 5, 6)
    assert (second["proto"], second["dst"], second["bytes"]) == ("udp", "10.0.0.2", 60)


def test_they_are_accounted_for() -> None:
    broken = OLDER[:-4]
    batch = datagrams(OLDER, broken, OLDEST)
    accounts = Accounts()
    accounts.add(decoded(batch, Exporters()))
    older, oldest = accounts.table().rows()
    assert (older["protocol"], older["domain"], older["datagrams"], older["rejected"]) == ("sflow-4", None, 2, 0)
    assert (older["packet_samples"], older["counter_samples"]) == (4, 2)
    assert (oldest["protocol"], oldest["packet_samples"]) == ("sflow-2", 1)
    assert Counter({one.where: one.times for one in accounts.problems()}) == {"flow_sample": 1}


def test_a_filter_means_the_same_samples_in_text() -> None:
    for words, ports in (("proto = tcp", ["1234"]), ("proto = udp", ["53"]), ("dport > 0", ["1234", "53"])):
        batch = datagrams(OLDER)
        found = Batch(decoded(batch, Exporters()), Exporters(), compiled(parse(words)))
        lines = b"".join(Messages(TEXT, Dialect(False, UTC), False).of(found)).decode().splitlines()
        assert [line.split()[1] for line in lines if line.split()[0] in ("TCPSrcPort", "UDPSrcPort")] == ports


def test_all_that_it_says_comes_through() -> None:
    first = next(iter(table(decoded(datagrams(WHOLE), Exporters())).rows()))
    assert first["src_as"] == 65002
    assert (first["vlan"], first["out_vlan"], first["src_mask"], first["next_hop"]) == (10, 20, 24, "10.0.0.254")
