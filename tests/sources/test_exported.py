# SPDX-License-Identifier: Apache-2.0
"""Batches of several protocols as one Table; and the captures of real exporters, against nfdump's figures."""

from __future__ import annotations

import csv
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.captures import CAPTURES, needs_captures
from tests.protocols.netflow.capturing import AT_NS, datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, record_5, set_of, template, v5, v9
from tests.sources.test_exporters import counter, flow, sflow

from fleutan.analysis.scaling import scaled
from fleutan.protocols.capture.datagrams import udp_datagrams
from fleutan.protocols.capture.reading import read
from fleutan.protocols.recognise import NETFLOW, SFLOW, UNKNOWN
from fleutan.sources.exported import ALWAYS, FIELDS, RECORDS, Exporters, decoded, placed, table
from fleutan.table import Table


def rows(*strings: bytes) -> list[dict[str, Any]]:
    return list(table(decoded(datagrams(*strings), Exporters())).rows())


def test_nothing_has_the_columns_that_are_always_there() -> None:
    found = table(decoded(datagrams(), Exporters()))
    assert (len(found), tuple(found.columns)) == (0, ALWAYS)


def test_records_of_every_protocol_stand_in_the_order_of_their_datagrams() -> None:
    batch = datagrams(sflow(flow(), counter(), flow()), v5(record_5()), b"nonsense", sflow(flow()), v5(record_5()))
    found = placed(decoded(batch, Exporters()))
    assert found.datagram.tolist() == [0, 0, 1, 3, 4]
    assert [row["record"] for row in found.table.rows()] == ["sample", "sample", "flow", "sample", "flow"]
    assert [row["protocol"] for row in found.table.rows()][1:3] == ["sflow-5", "netflow-5"]


def test_each_datagram_is_told_by_its_content() -> None:
    found = decoded(datagrams(sflow(), v5(record_5()), b"nonsense", v9(set_of(0, template(256, *PLAIN)))), Exporters())
    assert found.recognised.family.tolist() == [SFLOW, NETFLOW, UNKNOWN, NETFLOW]
    assert found.recognised.version.tolist() == [5, 5, 0, 9]
    assert (found.sflow_rows.tolist(), found.netflow_rows.tolist()) == ([0], [1, 3])


def test_what_a_record_says_and_what_nobody_says() -> None:
    [row] = rows(v5(record_5(packets=3, octets=100)))
    assert (row["exporter"], row["agent"], row["received_ns"]) == ("192.0.2.1", None, AT_NS)
    assert (row["packets"], row["bytes"], row["sampling_rate"]) == (3, 100, None)
    assert row["end_ns"] - row["start_ns"] == 1_500_000_000
    assert "tunnel" not in row
    [row] = rows(sflow(flow(sampling_rate=20)))
    assert (row["agent"], row["domain"], row["sampling_rate"], row["sample_pool"]) == ("10.0.0.1", 5, 20, 400)
    assert (row["packets"], row["bytes"], row["src"], row["start_ns"]) == (1, 100, None, None)


def test_numbers_become_words() -> None:
    frame = bytes.fromhex("0200000000020200000000010800") + bytes.fromhex(
        "45000028000040004011" + "0000c0000201c0000202"
    )
    header = {"protocol": 1, "frame_length": 100, "stripped": 4, "header": frame + struct.pack("!HHHH", 53, 99, 8, 0)}
    [row] = rows(sflow(flow(header=header)))
    assert (row["proto"], row["src"], row["sport"], row["dst"], row["dport"]) == (
        "udp",
        "192.0.2.1",
        53,
        "192.0.2.2",
        99,
    )
    assert (row["src_mac"], row["dst_mac"], row["ethertype"]) == ("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800)
    found = table(decoded(datagrams(sflow(flow(header=header))), Exporters()), ["family", "tunnel"])
    assert found["family"].tolist() == ["ipv4"]
    assert found["tunnel"].tolist() == [None]
    assert table(decoded(datagrams(sflow(flow())), Exporters()), ["family"])["family"].tolist() == [None]


def test_a_template_is_remembered_and_what_waited_for_it_comes_first() -> None:
    state = Exporters()
    early = decoded(datagrams(v9(set_of(256, RECORD))), state)
    assert len(table(early)) == 0
    late = placed(decoded(datagrams(v5(record_5()), v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD))), state))
    assert late.datagram.tolist() == [-1, 0, 1]
    assert [row["protocol"] for row in late.table.rows()] == ["netflow-9", "netflow-5", "netflow-9"]


def test_every_field_that_a_record_may_have_is_one_of_the_catalogue() -> None:
    assert len(set(FIELDS)) == len(FIELDS)
    assert set(table(decoded(datagrams(sflow(flow())), Exporters()), FIELDS).columns) == set(FIELDS)


# -- real exporters


def captured(path: Path) -> Table:
    frames, rejects = read(path.read_bytes())
    assert not rejects
    return table(decoded(udp_datagrams(frames), Exporters()))


#: nfdump reads records beyond the header's count, and fewer than there are where the message's length says less.
BESIDE = ("logstash_Netflow_5_valid_01", "telegraf_issue_14370")


@needs_captures
def test_as_many_flows_packets_and_bytes_as_nfdump_reads() -> None:
    told = {row["capture"]: row for row in csv.DictReader((CAPTURES / "expected.csv").read_text().splitlines())}
    checked = 0
    for path in sorted(CAPTURES.glob("*/*.pcap")):
        expected = told.get(path.stem)
        if expected is None or path.stem in BESIDE:
            continue
        found = scaled(captured(path))
        assert len(found) == int(expected["flows"]), path.stem
        if path.parent.name == "sflow":  # nfdump counts the octets of IP
            assert int(found["packets"].sum()) == int(expected["packets"]), path.stem
            continue
        for name in ("packets", "bytes"):
            column = found.columns[name]
            assert int(column.values[column.mask()].sum()) == int(expected[name]), (path.stem, name)
        checked += 1
    assert checked > 20


@needs_captures
def test_one_file_mixes_protocols() -> None:
    found = captured(CAPTURES / "sflow" / "tcpdump_sflow_multiple_counter_30_pdus.pcap")
    assert np.unique([row["protocol"] for row in found.rows()]).tolist() == ["netflow-5"]


@pytest.mark.parametrize("record", RECORDS.values())
@needs_captures
def test_every_kind_of_record_is_in_the_captures(record: str) -> None:
    assert any(
        row["record"] == record
        for path in sorted(CAPTURES.glob("*flow/*.pcap"))
        for row in captured(path).rows()
        if row["record"] == record
    )
