# SPDX-License-Identifier: Apache-2.0
"""Accounts of exporters whose datagrams are made here, so that every figure is known."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from tests.protocols.netflow.capturing import AT_NS, EXPORTER, datagrams, sent
from tests.protocols.netflow.making import PLAIN, RECORD, record_5, set_of, template, v5, v9, v10

from fleutan.protocols.netflow.wire import rejects
from fleutan.protocols.sflow.cursor import Reason
from fleutan.protocols.sflow.elements import Element
from fleutan.protocols.sflow.encoder import element, encode, sample
from fleutan.protocols.sflow.layouts import COUNTER_FORMS, COUNTERS_SAMPLE, FLOW_FORMS, FLOW_SAMPLE
from fleutan.protocols.sflow.messages import Message
from fleutan.protocols.sflow.samples import Sample
from fleutan.sources.datagrams import Sockets
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.exporters import ELSEWHERE, PROBLEMS, UNKNOWN, Accounts

HEADER = {"protocol": 1, "frame_length": 100, "stripped": 4, "header": bytes(14)}
_FLOW = {
    "sequence_number": 1,
    "source_id": 3,
    "sampling_rate": 400,
    "sample_pool": 400,
    "drops": 0,
    "input": 1,
    "output": 2,
}


def flow(header: Mapping[str, Any] = HEADER, **more: int) -> Sample:
    return sample(FLOW_SAMPLE, _FLOW | more, [element(FLOW_FORMS[1][0], header)])


def counter() -> Sample:
    layout = COUNTER_FORMS[1005][0]
    head = {"sequence_number": 1, "source_id": 3}
    return sample(COUNTERS_SAMPLE, head, [element(layout, dict.fromkeys(layout.names, b"eth0"))])


def sflow(*samples: Sample, sequence: int = 1, sub_agent: int = 5, agent: bytes = b"\x0a\0\0\1") -> bytes:
    return encode(Message(5, agent, sub_agent, sequence, 1000, len(samples), tuple(samples)))


def told(*batches: Any, **more: Any) -> tuple[list[dict[str, Any]], dict[tuple[str, str], int]]:
    accounts, state = Accounts(**more), Exporters()
    for batch in batches:
        found = decoded(batch, state)
        accounts.add(found)
    return list(accounts.table().rows()), {(one.where, one.reason): one.times for one in accounts.problems()}


def test_nothing_is_an_empty_table() -> None:
    assert told() == ([], {})
    assert told(datagrams()) == ([], {})


def test_what_an_sflow_agent_sends_is_counted_with_what_is_missing() -> None:
    first = [sflow(flow(), counter(), sequence=1), sflow(flow(), flow(sampling_rate=20), sequence=2)]
    second = [sflow(sequence=5), sflow(counter(), sequence=4), sflow(sequence=5)]
    [row], problems = told(datagrams(*first), datagrams(*second, at_ns=AT_NS + 7))
    assert (row["exporter"], row["agent"], row["protocol"], row["domain"]) == ("192.0.2.1", "10.0.0.1", "sflow-5", 5)
    assert (row["datagrams"], row["octets"]) == (5, sum(map(len, first + second)))
    assert (row["packet_samples"], row["counter_samples"], row["discards"], row["rejected"]) == (3, 2, 0, 0)
    # 3 and 4 were missing, then 4 came late, and 5 came twice.
    assert (row["missing"], row["late"], row["repeated"], row["restarts"]) == (1, 1, 1, 0)
    assert row["rates"] == [20, 400] or row["rates"] == (20, 400)
    assert (row["first_seen_ns"], row["last_seen_ns"]) == (AT_NS, AT_NS + 7)
    assert problems == {}


def test_streams_differ_by_sub_agent_agent_protocol_and_domain() -> None:
    rows, _ = told(
        datagrams(
            *(sflow(sub_agent=1), sflow(sub_agent=2), sflow(sub_agent=1, agent=b"\x0a\0\0\2")),
            *(v9(set_of(0, template(256, *PLAIN)), source=1), v9(set_of(256, RECORD), source=2)),
        )
    )
    assert sorted((row["protocol"], row["agent"], row["domain"]) for row in rows if row["agent"]) == [
        ("sflow-5", "10.0.0.1", 1),
        ("sflow-5", "10.0.0.1", 2),
        ("sflow-5", "10.0.0.2", 1),
    ]
    assert sorted((row["domain"], row["templates"], row["unread_sets"]) for row in rows if not row["agent"]) == [
        (1, 1, 0),
        (2, 0, 1),
    ]


def test_netflow_counts_records_and_its_sequence_numbers() -> None:
    rows, _ = told(
        datagrams(v5(record_5(), record_5()), v5(record_5())),  # the same number again
        datagrams(v10(set_of(2, template(256, *PLAIN)), set_of(256, RECORD), sequence=4)),
        datagrams(v10(set_of(256, RECORD), sequence=9)),  # 5 was expected
    )
    by_protocol = {row["protocol"]: row for row in rows}
    assert by_protocol["netflow-5"]["flow_records"] == 3
    assert by_protocol["netflow-5"]["domain"] == 0x0102
    ipfix = by_protocol["ipfix"]
    assert (ipfix["flow_records"], ipfix["templates"], ipfix["missing"]) == (2, 1, 4)


def test_what_cannot_be_read_is_counted_by_reason() -> None:
    whole = sflow(flow())
    rows, problems = told(
        datagrams(
            b"nonsense",
            b"",
            whole,
            whole[:-8],
            v9(set_of(0, template(256, *PLAIN)), set_of(5, b"reserved")),
            struct.pack("!HH", 9, 1),
        ),
    )
    by_protocol = {row["protocol"]: row for row in rows}
    assert (by_protocol["unknown"]["datagrams"], by_protocol["unknown"]["rejected"]) == (3, 3)
    assert by_protocol["sflow-5"]["datagrams"] == 2
    assert by_protocol["netflow-9"]["rejected"] == 1
    # The sample and the structure in it, both of number 1, are longer than what is left.
    assert problems["0:1", str(Reason.OVERRUN)] == 2
    assert problems["NetFlow", rejects.SET_NUMBER] == 1


def test_structures_without_a_layout_are_named() -> None:
    strange = flow()._replace(elements=(Element(9 << 12 | 77, None, (), b"1234"),))
    _, problems = told(datagrams(sflow(strange)))
    assert problems == {("structure 9:77", UNKNOWN): 1}


def test_beyond_the_most_streams_are_counted_together() -> None:
    batch = datagrams(*(sflow(sub_agent=number) for number in range(5)))
    rows, _ = told(batch, streams=2)
    assert [row["datagrams"] for row in rows] == [1, 1, 3]
    assert (rows[2]["exporter"], rows[2]["domain"], rows[2]["protocol"]) == (None, None, "unknown")


def test_those_that_send_most_come_first_and_both_versions_of_ip_are_told_apart() -> None:
    six = (0x2001_0DB8 << 32, 1)
    batch = sent([(EXPORTER, 1, AT_NS, sflow())] + [(six, 1, AT_NS, sflow(sequence=number)) for number in (1, 2)])
    rows, _ = told(batch)
    assert [(row["exporter"], row["datagrams"]) for row in rows] == [("2001:db8::1", 2), ("192.0.2.1", 1)]


def test_at_most_eight_rates_are_kept() -> None:
    [row], _ = told(datagrams(sflow(*(flow(sampling_rate=rate) for rate in range(1, 20)))))
    assert len(row["rates"]) == 8
    assert np.isin(row["rates"], range(1, 20)).all()


def test_forged_structures_are_told_apart_up_to_a_limit() -> None:
    accounts, state, each = Accounts(), Exporters(), 60
    batches = PROBLEMS // each + 3
    for number in range(batches):
        strange = [Element(1_000_000 + number * each + place, None, (), b"") for place in range(each)]
        accounts.add(decoded(datagrams(sflow(flow()._replace(elements=tuple(strange)))), state))
    found = {one.where: one.times for one in accounts.problems() if one.reason == UNKNOWN}
    assert PROBLEMS <= len(found) <= PROBLEMS + 1
    assert sum(found.values()) == batches * each
    assert found[ELSEWHERE] == batches * each - PROBLEMS


def test_what_the_kernel_dropped_is_what_sequence_numbers_miss() -> None:
    """A burst into little room; the last datagram comes when there is room again, so that no gap is at the end."""
    many = 3000
    accounts, state = Accounts(), Exporters()
    with (
        Sockets([0], ["127.0.0.1"], room=1) as source,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.connect(("127.0.0.1", source.ears[0].port))
        for sequence in range(1, many + 1):
            sender.send(sflow(sequence=sequence))
        whole = False
        for batch in source.batches(0.2):
            accounts.add(decoded(batch, state))
            if whole:
                source.stop()
            elif not len(batch.at_ns):  # all that had room was read
                sender.send(sflow(sequence=many + 1))
                whole = True
        [account] = source.accounts()
    [row] = accounts.table().rows()
    assert account.dropped
    assert row["missing"] == account.dropped
    assert row["datagrams"] == account.received == many + 1 - account.dropped


def test_only_what_is_new_is_given_again() -> None:
    accounts, state = Accounts(streams=1), Exporters()
    accounts.add(decoded(datagrams(sflow(flow(), sequence=1), sflow(flow(), sequence=4)), state))
    [row] = accounts.fresh(AT_NS).rows()
    assert (row["time_ns"], row["datagrams"], row["packet_samples"], row["missing"]) == (AT_NS, 2, 2, 2)
    assert len(accounts.fresh(AT_NS + 1)) == 0
    accounts.add(decoded(datagrams(sflow(sequence=2), v5(record_5())), state))
    mine, others = accounts.fresh(AT_NS + 2).rows()
    assert (mine["datagrams"], mine["packet_samples"], mine["missing"], mine["late"]) == (1, 0, -1, 1)
    assert mine["rates"] == (400,), "what is known of a stream stays"
    assert (others["exporter"], others["datagrams"], others["flow_records"]) == (None, 1, 1)
    assert [row["datagrams"] for row in accounts.table().rows()] == [3, 1]
    assert (accounts.total("datagrams"), accounts.total("missing")) == (4, 1)


def test_those_that_send_most_are_told_if_not_all_are() -> None:
    accounts = Accounts()
    accounts.add(decoded(datagrams(sflow(sub_agent=1), sflow(sub_agent=2), sflow(sub_agent=2)), Exporters()))
    assert [row["domain"] for row in accounts.table(most=1).rows()] == [2]
