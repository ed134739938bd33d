# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exporting import sent
from tests.exports.sflowtool.received import discard
from tests.programs.decoding.test_decoding import batch
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, options_9, record_5, set_of, template, v5, v9
from tests.sources.test_exporters import counter, flow, sflow

from fleutan.exports.sflowtool.heads import Dialect
from fleutan.faces.cli.decoding import predicate_of
from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.messages import COMMON_LOG, GREP, INDENTED, JSON, TEXT, Messages, Words, chosen
from fleutan.protocols.sflow.layouts import FLOW_SAMPLE_EXPANDED
from fleutan.protocols.sflow.samples import Sample
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


#: Every form, and how many samples or records it says.
COUNTED: dict[str, tuple[Words, Callable[[str], int]]] = {
    "text": (TEXT, lambda text: text.count("\nsampleType ") + text.count("\nrecordType ")),
    "grep": (GREP, lambda text: text.count(" sampleType ") + text.count(" recordType ")),
    "json": (JSON, lambda text: text.count('"sampleType"') + text.count('"recordType"')),
    "indented": (INDENTED, lambda text: text.count('"sampleType"') + text.count('"recordType"')),
    "chosen": (chosen(["sampleType", "recordType"]), lambda text: text.count("\n")),
}


@pytest.mark.parametrize("form", COUNTED)
def test_every_form_leaves_out_the_same(form: str) -> None:
    words, counted = COUNTED[form]
    strings = (
        sflow(flow(sampling_rate=10), counter(), flow(sampling_rate=20), flow(sampling_rate=10)),
        v5(record_5(packets=1), record_5(packets=2), record_5(packets=1)),
        *sent(packets=[1, 1, 5], src=["10.0.0.1", "2001:db8::1", "10.0.0.1"]),
    )
    assert counted(written(words, batch(*strings))) == 10
    for filter_, many in (
        ("sampling_rate = 10", 2),
        ("packets = 1", 7),
        ("packets = 5", 1),
        ("src = 2001:db8::/32", 1),
    ):
        assert counted(written(words, batch(*strings, filter_=filter_))) == many, filter_
    assert written(words, batch(*strings, filter_="packets = 99")) == ""


def test_samples_of_all_forms_are_chosen_in_their_order() -> None:
    def expanded(rate: int) -> Sample:
        return Sample(3, FLOW_SAMPLE_EXPANDED, (1, 0, 3, rate, 1, 1, 0, 3, 0, 4), (), 0)

    samples = (flow(sampling_rate=1), expanded(2), discard(), counter(), expanded(3), flow(sampling_rate=4), discard())
    for filter_, rates in (
        ("sampling_rate in (2, 4)", [2, 4]),
        ("sampling_rate in (1, 3)", [1, 3]),
        ("record = discard", [None, None]),
        ("record = sample or reason = dev_hdr", [1, 2, None, 3, 4, None]),
    ):
        [found] = objects(sflow(*samples), filter_=filter_)
        assert [sample.get("meanSkipCount") for sample in found["samples"]] == rates
    # How many samples came is what the datagram says.
    assert found["samplesInPacket"] == 7


def test_a_sample_that_ends_within_its_fields_is_no_record_and_shifts_none() -> None:
    cut = Sample(1, None, (), rest=bytes(12))
    [found] = objects(sflow(cut, flow(sampling_rate=5), cut, flow(sampling_rate=6)), filter_="sampling_rate = 6")
    assert [sample["meanSkipCount"] for sample in found["samples"]] == [6]


def test_what_had_waited_is_chosen_among_what_came_since() -> None:
    def record(packets: int) -> bytes:
        return RECORD[:12] + packets.to_bytes(4)

    state = Exporters()
    decoded(datagrams(v9(set_of(256, record(1), record(2)))), state)
    late = v9(set_of(0, template(256, *PLAIN)), set_of(256, record(3), record(4)), sequence=2)
    for filter_, packets in (
        ("packets in (2, 3)", [2, 3]),
        ("packets = 1 and record = flow", [1]),
        ("packets >= 4", [4]),
    ):
        exporters = copy.deepcopy(state)
        found = Batch(decoded(datagrams(sflow(flow()), late), exporters), exporters, predicate_of(filter_))
        [one] = map(json.loads, written(JSON, found).splitlines())
        assert [record["packetDeltaCount"] for record in one["records"]] == packets


def test_option_records_are_of_no_flow() -> None:
    rates = v9(set_of(1, options_9(257, ((1, 4),), (34, 4))), set_of(257, bytes(7) + b"\x0a"))
    [found] = objects(rates)
    assert [(record["recordType"], record["samplingInterval"]) for record in found["records"]] == [("OPTIONS", 10)]
    assert objects(rates, filter_="has exporter") == []


def test_http_samples_are_lines_of_a_log_and_records_none() -> None:
    assert written(COMMON_LOG, batch(v5(record_5()), sflow(flow()))) == ""


def test_what_is_recorded_says_when() -> None:
    form = Messages(TEXT, Dialect(zone=UTC), recorded=True)
    text = b"".join(form.of(batch(sflow(flow())))).decode()
    assert "\npcapTimestamp 2023-11-14T22:13:20+0000\n" in text
    assert "\ndatagramSourceIP 192.0.2.1\n" in text


@settings(max_examples=100)
@given(st.data())
def test_of_damaged_datagrams_samples_and_records_stay_together(data: st.DataObject) -> None:
    """Each sample is marked by its rate: those that a filter of rates chooses are the ones that say it."""
    octets = bytearray(sflow(*(flow(sampling_rate=rate) for rate in (1, 2, 3, 1, 2, 3)), counter(), discard()))
    for at in data.draw(st.lists(st.integers(28, len(octets) - 1), max_size=3)):
        octets[at] = data.draw(st.integers(0, 255))
    strings = bytes(octets[: data.draw(st.integers(28, len(octets)))]), sflow(flow(sampling_rate=2))
    whole = [one.get("meanSkipCount") for found in objects(*strings) for one in found["samples"]]
    chosen_ = [
        one["meanSkipCount"] for found in objects(*strings, filter_="sampling_rate = 2") for one in found["samples"]
    ]
    assert chosen_ == [rate for rate in whole if rate == 2][: len(chosen_)]
    assert len(chosen_) >= sum(rate == 2 for rate in whole) - 1  # the last may be cut within its fields
