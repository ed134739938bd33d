# SPDX-License-Identifier: Apache-2.0
"""What is kept of datagrams that are made here, and that real exporters sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.exporting import AGENT, AT, AT_NS, EXPORTER, batch, flows, sent, sflow
from tests.exports.sflowtool.received import PACKET, counter_element, counters, discard, flow, flow_element, header

from fleutan.lake.kinds import KINDS
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.netflow.encoding import Sender, encode
from fleutan.protocols.sflow.layouts import COUNTER_FORMS
from fleutan.protocols.sflow.reasons import REASONS
from fleutan.sources import kept
from fleutan.sources.exported import Exporters, decoded
from fleutan.table import Table

SECOND = 10**9


def tables(datagrams: Datagrams, header: int = kept.WHOLE) -> dict[str, Table]:
    found = list(kept.tables(decoded(datagrams, Exporters()), header))
    assert len({table.kind for table in found}) == len(found)
    for table in found:
        assert set(table.columns) <= set(KINDS[table.kind].names)
        assert len(table)
        assert all(column.mask().any() for column in table.columns.values()), "nobody knows a column"
    return {table.kind: table for table in found}


def column(table: Table, name: str) -> list[Any]:
    return table.columns[name].objects()


def test_each_kind_of_record_is_a_table_of_its_own() -> None:
    counted = counters(counter_element(1005, b"eth0"), counter_element(1, *range(1, 20)))
    both = sflow(flow(header()), discard(header()), counted, flow(header()))
    told = sent(9, src=["10.0.0.1"], dst=["10.0.0.2"], packets=[3], bytes=[100], start=[AT_NS - SECOND])
    found = tables(batch(*told, both))
    assert {kind: len(table) for kind, table in found.items()} == {
        "records": 1,
        "samples": 2,
        "discards": 1,
        "counters": 19,
    }
    assert column(found["records"], "bytes") == [100]
    assert column(found["samples"], "sampling_rate") == [400, 400]
    assert column(found["discards"], "reason") == [REASONS[332]]


def test_a_flow_keeps_whose_socket_it_was_but_no_count_of_the_whole_connection() -> None:
    numbers = ("pid", "uid", "cookie", "cgroup_id", "rtt", "rtt_var", "min_rtt", "retrans")
    there: dict[str, Any] = {name: [7] for name in numbers}
    columns = flows(src=["10.0.0.1"], dst=["10.0.0.2"], **there)
    columns.values["comm"] = np.array([b"curl"])
    found = tables(batch(*encode(Sender(10, 7), columns, AT).datagrams))["records"]
    assert set(numbers) - set(found.columns) == {"retrans"}
    assert (column(found, "comm"), column(found, "rtt")) == (["curl"], [7])


def test_nothing_is_no_table() -> None:
    assert tables(batch()) == {}
    assert tables(batch(b"neither")) == {}


@pytest.mark.parametrize(
    ("start", "time"),
    [
        (AT_NS - SECOND, AT_NS - SECOND),
        (AT_NS - kept.BEFORE, AT_NS - kept.BEFORE),
        (AT_NS - kept.BEFORE - SECOND, AT_NS),
        (AT_NS + kept.AFTER, AT_NS + kept.AFTER),
        (AT_NS + kept.AFTER + SECOND, AT_NS),
        (None, AT_NS),
    ],
)
def test_a_flow_is_of_its_beginning_where_that_is_believed(start: int | None, time: int) -> None:
    columns: dict[str, Any] = {"src": ["10.0.0.1"], "dst": ["10.0.0.2"], "packets": [3], "bytes": [100]}
    if start is not None:
        columns["start"] = [start]
    datagrams = batch(*sent(10, **columns))
    found = tables(datagrams._replace(at_ns=np.full(datagrams.spans.rows, AT_NS)))["records"]
    assert column(found, "time") == [time]
    assert "start" not in found


def test_a_sample_is_of_the_time_that_the_agent_tells() -> None:
    told = flow(header(), flow_element(1043, AT_NS - SECOND))
    wrong = flow(header(), flow_element(1043, AT_NS - 2 * kept.BEFORE))
    found = tables(batch(sflow(told, flow(header()), wrong)))["samples"]
    assert column(found, "time") == [AT_NS - SECOND, AT_NS, AT_NS]
    assert column(found, "end") == [AT_NS - SECOND, None, AT_NS - 2 * kept.BEFORE]


def test_headers_are_kept_as_they_were_sampled_and_cut_where_that_is_asked_for() -> None:
    datagrams = batch(sflow(flow(header()), flow(), flow(header(PACKET[14:], 11)), flow(header(b"\0" * 20, 13))))
    found = tables(datagrams)["samples"]
    assert column(found, "header") == [PACKET, None, PACKET[14:], b"\0" * 20]
    assert column(found, "link_type") == [1, None, 101, None]
    cut = tables(datagrams, header=16)["samples"]
    assert column(cut, "header") == [PACKET[:16], None, PACKET[14:30], b"\0" * 16]
    assert "header" not in tables(datagrams, header=0)["samples"]


def test_headers_of_discards_are_theirs() -> None:
    other = PACKET[:-1] + b"\7"
    found = tables(batch(sflow(flow(header()), discard(header(other)))))
    assert column(found["discards"], "header") == [other]
    assert column(found["samples"], "header") == [PACKET]


def test_counters_stand_in_long_form_without_what_an_agent_does_not_know() -> None:
    names = COUNTER_FORMS[1][0].names
    values = dict.fromkeys(names, 0xFFFF_FFFF) | {"ifIndex": 7, "ifSpeed": 10**9, "ifInOctets": 1 << 40}
    values |= {"ifOutOctets": (1 << 64) - 1, "ifType": 1 << 31}
    wide = {"ifSpeed", "ifInOctets", "ifOutOctets"}
    known = [name for name in names if name in values and (values[name] != 0xFFFF_FFFF or name in wide)]
    found = tables(batch(sflow(counters(counter_element(1, *(values[name] for name in names)))), source="192.0.2.9"))
    rows = list(found["counters"].rows())
    assert {row["counter"]: row["count"] for row in rows} == {
        name: values[name] for name in known if name != "ifOutOctets"
    }
    assert {row["structure"] for row in rows} == {"if_counters"}
    assert {(row["exporter"], row["agent"], row["domain"]) for row in rows} == {("192.0.2.9", AGENT, 0)}
    assert {(row["ds_class"], row["ds_index"], row["time_ns"]) for row in rows} == {(2, 1, AT_NS)}
    assert "gauge" not in found["counters"]
    assert tables(batch(sflow(counters(counter_element(1005, b"eth0"))))) == {}


def test_counters_that_are_no_whole_numbers_are_gauges() -> None:
    load = counter_element(
        2003, *(0.25 if getattr(type_.type, "code", "") == "f" else 3 for type_ in COUNTER_FORMS[2003][0].fields)
    )
    rows = list(tables(batch(sflow(counters(load))))["counters"].rows())
    gauges = {row["counter"]: row["gauge"] for row in rows if row["gauge"] is not None}
    counts = {row["counter"]: row["count"] for row in rows if row["count"] is not None}
    assert gauges == {"load_one": 0.25, "load_five": 0.25, "load_fifteen": 0.25}
    assert set(counts.values()) == {3}
    assert len(gauges) + len(counts) == len(rows)


def test_many_rows_keep_their_order_and_their_headers() -> None:
    packets = [PACKET[:-2] + place.to_bytes(2) for place in range(300)]
    found = tables(batch(*(sflow(flow(header(one))) for one in packets)))["samples"]
    assert column(found, "header") == packets
    assert column(found.take(np.array([299, 0])), "header") == [packets[299], packets[0]]
    assert column(found, "exporter") == [EXPORTER] * 300
