# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from tests.programs.decoding.test_decoding import batch
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, record_5, set_of, template, v5, v9
from tests.sources.test_exporters import counter, flow, sflow

from fleutan.exports.sflowtool.heads import Dialect
from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.messages import GREP, INDENTED, JSON, TEXT, Messages, Words, chosen
from fleutan.sources.exported import Exporters, decoded


def written(words: Words, found: Batch) -> str:
    form = Messages(words, Dialect(zone=UTC), recorded=False)
    return b"".join([*form.of(found), *form.end()]).decode()


def objects(*strings: bytes, filter_: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(JSON, batch(*strings, filter_=filter_)).splitlines()]


def test_datagrams_of_both_families_stand_in_the_order_of_arrival() -> None:
    found = objects(v5(record_5()), sflow(flow()), b"nonsense", v5(record_5(), record_5()), sflow(counter()))
    assert [one["datagramVersion"] for one in found] == [5] * 4
    assert [len(one.get("records", one.get("samples", []))) for one in found] == [1, 1, 2, 1]


def test_each_form_has_its_words() -> None:
    strings = (v5(record_5()), sflow(flow()))
    assert written(TEXT, batch(*strings)).count("startDatagram") == 2
    assert all(" 0:0 " in line or ":" in line for line in written(GREP, batch(*strings)).splitlines())
    assert written(INDENTED, batch(*strings)).count("\n{") >= 1
    lines = written(chosen(["datagramSourceIP", "meanSkipCount", "packetDeltaCount"]), batch(*strings))
    assert lines.splitlines() == ["192.0.2.1,,3", "192.0.2.1,400,"]


def test_a_filter_leaves_out_samples_records_and_datagrams_that_lose_all() -> None:
    strings = (
        sflow(flow(sampling_rate=10), counter(), flow(sampling_rate=20)),
        sflow(counter()),
        v5(record_5(packets=3), record_5(packets=9)),
        v5(record_5(packets=3)),
    )
    one, other = objects(*strings, filter_="sampling_rate = 20 or packets = 9")
    assert [sample["meanSkipCount"] for sample in one["samples"]] == [20]
    assert [record["packetDeltaCount"] for record in other["records"]] == [9]
    assert objects(*strings, filter_="packets = 100") == []


def test_options_are_no_flows_and_what_waited_stands_in_the_first_datagram() -> None:
    state = Exporters()
    assert (
        written(JSON, Batch(decoded(datagrams(v9(set_of(256, RECORD))), state), state)).count("packetDeltaCount") == 0
    )
    late = Batch(decoded(datagrams(v9(set_of(0, template(256, *PLAIN)), set_of(256, RECORD))), state), state)
    [found] = map(json.loads, written(JSON, late).splitlines())
    assert [record["octetDeltaCount"] for record in found["records"]] == [100, 100]


def test_what_was_rejected_is_said_in_its_datagram() -> None:
    [found] = objects(v9(set_of(0, template(256, *PLAIN)), set_of(5, b"reserved")))
    assert found["decodeProblem"] == "set of a reserved number"
