# SPDX-License-Identifier: Apache-2.0
"""The loop from datagrams to a lake: with fakes of bytes, with a real lake, and with what real exporters sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.captures import CAPTURES, needs_captures
from tests.exporting import AT_NS, batch, sent, sflow
from tests.exports.sflowtool.received import counter_element, counters, flow, header
from tests.protocols.netflow.making import RECORD, record_5, set_of, v5, v9

from fleutan.errors import FleutanError
from fleutan.lake.kinds import KINDS
from fleutan.lake.storage import files_of
from fleutan.lake.writer import Writer
from fleutan.programs.collecting import ACCOUNTS_NS, FAILED, Collector, collect, imported
from fleutan.programs.collecting.backlog import Backlog, Waiting
from fleutan.programs.decoding import NO_PROTOCOL, NO_TEMPLATE
from fleutan.programs.signals import Orders
from fleutan.protocols.datagrams import Datagrams
from fleutan.sources.datagrams import Account
from fleutan.sources.recorded import Recorded
from fleutan.table import Table

DEADLINE = 20.0


class Kept:
    """A lake that remembers what it is given."""

    def __init__(self) -> None:
        self.tables: list[Table] = []
        self.ticks: list[int] = []
        self.unsettled = 0

    def add(self, table: Table) -> None:
        self.tables.append(table)

    def tick(self, now_ns: int) -> None:
        self.ticks.append(now_ns)

    def settled(self, octets: int, seconds: float) -> bool:
        assert octets > 0
        assert seconds < 1
        self.unsettled -= 1
        return self.unsettled < 0

    def rows(self, kind: str) -> int:
        return sum(len(table) for table in self.tables if table.kind == kind)


class Given:
    """A source that gives these batches, and then nothing until it is stopped."""

    def __init__(self, *batches: Datagrams, trouble: BaseException | None = None) -> None:
        self._batches, self._trouble = batches, trouble
        self._stopped = threading.Event()

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        for one in self._batches:
            if not self._stopped.is_set():
                yield one
        if self._trouble:
            raise self._trouble
        while seconds is not None and not self._stopped.wait(0.01):
            yield batch()

    def stop(self) -> None:
        self._stopped.set()

    def accounts(self) -> list[Account]:
        return [Account("here", sum(len(one.at_ns) for one in self._batches), 0, 0, 0, {})]


def samples(many: int, **more: int) -> bytes:
    return sflow(*(flow(header(), **more) for _ in range(many)))


def test_what_comes_goes_into_the_lake_and_all_of_it_before_the_end() -> None:
    lake, orders, told = Kept(), Orders(), []
    collector = Collector(lake, AT_NS)

    def looked(accounts: list[Account], waiting: Waiting) -> None:
        told.append((accounts[0].received, waiting.datagrams))
        orders.stopped = True

    source = Given(batch(samples(3), *sent(9, src=["10.0.0.1"], dst=["10.0.0.2"], packets=[1], bytes=[9])), batch())
    orders.asked = True
    accounts = collect(source, Backlog(), collector, lake, orders, looked)
    assert accounts[0].received == 3
    assert told[-1][0] == 3
    assert (lake.rows("samples"), lake.rows("records")) == (3, 1)
    assert collector.rows == {"samples": 3, "records": 1}
    assert lake.tables[-1].kind == "exporters", "what came since the last minute is told at the end"
    assert sum(lake.tables[-1].columns["datagrams"].values) == 3
    assert lake.ticks
    assert not orders.asked


def test_a_source_that_fails_ends_it_with_its_error() -> None:
    lake = Kept()
    with pytest.raises(FleutanError, match="the socket is gone"):
        collect(
            Given(batch(samples(1)), trouble=FleutanError("the socket is gone")),
            *(Backlog(), Collector(lake, AT_NS), lake, Orders()),
        )
    assert lake.rows("samples") == 1


def test_accounts_of_exporters_are_given_each_minute_and_only_what_is_new() -> None:
    lake = Kept()
    collector = Collector(lake, AT_NS)
    collector.add(batch(samples(2)))
    collector.tick(AT_NS + ACCOUNTS_NS - 1)
    assert lake.rows("exporters") == 0
    collector.tick(AT_NS + ACCOUNTS_NS)
    collector.add(batch(samples(1), samples(4), source="192.0.2.77"))
    collector.tick(AT_NS + 2 * ACCOUNTS_NS)
    collector.tick(AT_NS + 3 * ACCOUNTS_NS)
    rows = [row for table in lake.tables if table.kind == "exporters" for row in table.rows()]
    assert [(row["exporter"], row["packet_samples"], row["time_ns"]) for row in rows] == [
        ("192.0.2.1", 2, AT_NS),
        ("192.0.2.77", 5, AT_NS + ACCOUNTS_NS),
    ]


def test_what_is_not_read_and_whose_rate_nobody_told_is_counted() -> None:
    collector = Collector(Kept(), AT_NS)
    collector.add(batch(b"neither", v9(set_of(256, RECORD)), v5(record_5(), record_5()), samples(2, sampling_rate=0)))
    collector.add(batch(samples(1)))
    assert collector.unread[NO_PROTOCOL] == 1
    assert collector.unread[NO_TEMPLATE] == 1
    assert collector.rateless == {"records": 2, "samples": 2}


def test_a_batch_that_cannot_be_decoded_is_counted_and_the_next_one_is() -> None:
    lake = Kept()
    collector = Collector(lake, AT_NS)
    broken = batch(samples(1), samples(1))
    collector.add(broken._replace(at_ns=broken.at_ns[:1]))  # no reader gives columns of unequal length
    collector.add(batch(samples(3)))
    assert collector.unread == {FAILED: 2}
    assert lake.rows("samples") == 3


def test_a_file_is_read_no_faster_than_it_is_written_and_its_time_counts() -> None:
    lake = Kept()
    lake.unsettled = 3
    minute = [batch(samples(1), at_ns=AT_NS + place * ACCOUNTS_NS) for place in range(3)]
    collector = imported(Given(*minute), lake, Orders())
    assert len(lake.ticks) == 6
    assert collector.rows == {"samples": 3}
    times = [row["time_ns"] for table in lake.tables if table.kind == "exporters" for row in table.rows()]
    assert times == [AT_NS, AT_NS + ACCOUNTS_NS]


def test_a_file_may_be_empty_or_given_up() -> None:
    lake, orders = Kept(), Orders()
    assert imported(Given(), lake, orders).rows == {}
    orders.stopped = True
    assert imported(Given(batch(samples(1)), batch(samples(1))), lake, orders).rows == {"samples": 1}


def counted(lake: Path, kind: str, what: str = "count(*)") -> int:
    import duckdb

    files = sorted((lake / kind).rglob("*.parquet"))
    if not files:
        return 0
    [[found]] = duckdb.connect().execute(f"SELECT {what} FROM {files_of(KINDS[kind], files)}").fetchall()
    return int(found or 0)


def test_headers_and_counters_arrive_on_disk(tmp_path: Path) -> None:
    loads = counters(counter_element(1, *range(1, 20)))
    with Writer(tmp_path, "collect") as lake:
        imported(Given(batch(samples(3), sflow(flow(header()), loads))), lake, Orders(), header=14)
    assert counted(tmp_path, "samples") == 4
    assert counted(tmp_path, "samples", "sum(octet_length(header))") == 4 * 14
    assert counted(tmp_path, "counters", "sum(count)") == sum(range(1, 20))
    assert counted(tmp_path, "exporters", "sum(packet_samples)") == 4


@needs_captures
@pytest.mark.parametrize(
    "name",
    [
        "netflow/goflow2_TestDecodeNetFlowV5_0.pcap",
        "netflow/logstash_Netflow5_Juniper_MX80.pcap",
        "netflow/logstash_Netflow_9_multiple_netflow_exporters.pcap",
        "netflow/logstash_Netflow_9_ipt_netflow_reduced_size_encoding.pcap",
        "ipfix/logstash_IPFIX_OpenBSD_pflow.pcap",
        "ipfix/logstash_IPFIX_VMware_virtual_distributed_switch.pcap",
        "sflow/every-structure.pcap",
    ],
)
def test_of_real_exporters_every_record_is_in_the_lake(name: str, tmp_path: Path) -> None:
    with Recorded(str(CAPTURES / name)) as source, Writer(tmp_path, "collect") as lake:
        collector = imported(source, lake, Orders())
    total = collector.accounts.total
    assert total("datagrams") == sum(one.received for one in source.accounts())
    waited = len(collector.exporters.netflow.waiting)
    for kind, count in (("records", "flow_records"), ("samples", "packet_samples"), ("discards", "discards")):
        assert counted(tmp_path, kind) == total(count) == collector.rows[kind], (kind, waited)
    assert counted(tmp_path, "exporters", "sum(datagrams)") == total("datagrams")
    assert sum(collector.rows.values())
