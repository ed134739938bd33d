# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from typing import Any

from tests.programs.decoding.test_decoding import batch
from tests.protocols.netflow.making import record_5, v5
from tests.sources.test_exporters import flow, sflow

from fleutan.fields import require
from fleutan.programs.decoding.tables import Csv, Lines, said
from fleutan.sources.exported import ALWAYS


def objects(form: Lines, *strings: bytes, filter_: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(form.of(batch(*strings, filter_=filter_))).splitlines()]


def test_each_record_is_an_object_with_what_is_always_there_and_what_is_said() -> None:
    [one] = objects(Lines(), v5(record_5(packets=3)))
    assert (one["record"], one["packets"], one["sampling_rate"]) == ("flow", 3, None)
    assert "tunnel" not in one
    assert "src_as" in one
    assert list(Lines().end()) == []


def test_fields_may_be_chosen_known_or_not() -> None:
    assert objects(Lines(["bytes", "tunnel"]), v5(record_5(octets=5))) == [{"bytes": 5, "tunnel": None}]


def test_counts_may_be_scaled() -> None:
    strings = (sflow(flow(sampling_rate=20)),)
    assert objects(Lines(["packets", "bytes"]), *strings) == [{"packets": 1, "bytes": 100}]
    assert objects(Lines(["packets", "bytes"], scale=True), *strings) == [{"packets": 20, "bytes": 2000}]


def test_only_what_the_filter_means() -> None:
    strings = (v5(record_5(packets=3), record_5(packets=9)),)
    assert [one["packets"] for one in objects(Lines(), *strings, filter_="packets > 5")] == [9]
    assert objects(Lines(), *strings, filter_="packets > 50") == []


def test_csv_has_one_heading_over_all_batches() -> None:
    form = Csv(["packets", "vlan"], scale=False)
    text = b"".join([*form.of(batch()), *form.of(batch(v5(record_5(packets=3)))), *form.of(batch(v5(record_5())))])
    assert list(csv.reader(text.decode().splitlines())) == [["packets", "vlan"], ["3", ""], ["3", ""]]
    assert list(form.end()) == []


def test_csv_of_nothing_is_a_heading() -> None:
    form = Csv()
    assert list(form.of(batch())) == []
    [heading] = csv.reader(b"".join(form.end()).decode().splitlines())
    assert len(heading) == len(ALWAYS)
    scaled = Csv(["bytes"], scale=True)
    assert b"".join(scaled.of(batch(sflow(flow(sampling_rate=2))))).splitlines() == [b"bytes", b"200"]


def test_what_is_said() -> None:
    found = said(batch(sflow(flow())).records)
    assert set(ALWAYS) <= set(found)
    assert "sample_pool" in found


def test_lines_have_what_their_own_batch_says() -> None:
    form = Lines()
    first = b"".join(form.of(batch(v5(record_5())))).decode()
    second = b"".join(form.of(batch(sflow(flow())))).decode()
    assert '"src_as":65001' in first
    assert '"sample_pool":' not in first
    assert '"sample_pool":400' in second
    assert list(form.of(batch())) == []


def test_csv_has_the_columns_that_are_always_there_in_every_batch() -> None:
    form = Csv()
    text = b"".join([*form.of(batch(v5(record_5()))), *form.of(batch(sflow(flow())))]).decode()
    heading, *lines = csv.reader(text.splitlines())
    assert heading == [require(name).key for name in ALWAYS]
    assert [line[heading.index("record")] for line in lines] == ["flow", "sample"]


def test_fields_that_only_a_later_batch_has_are_empty_before() -> None:
    form = Csv(["record", "sample_pool", "src_mac"])
    text = b"".join([*form.of(batch(v5(record_5()))), *form.of(batch(sflow(flow(sample_pool=9))))])
    assert text == b"record,sample_pool,src_mac\r\nflow,,\r\nsample,9,00:00:00:00:00:00\r\n"


def test_counts_of_unknown_rates_are_not_scaled() -> None:
    strings = (v5(record_5(packets=3)), v5(record_5(packets=3), sampling=1 << 14 | 100))
    assert [one["packets"] for one in objects(Lines(["packets"], scale=True), *strings)] == [3, 300]
    text = b"".join(Csv(["packets"], scale=True).of(batch(*strings)))
    assert text == b"packets\r\n3\r\n300\r\n"
