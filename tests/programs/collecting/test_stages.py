# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from tests.exporting import AT_NS, batch, sflow
from tests.exports.sflowtool.received import flow, header
from tests.programs.collecting.test_collecting import Kept
from tests.protocols.netflow.making import record_5, v5

from fleutan.lake.writer import Account as Written
from fleutan.programs.collecting import FAILED, Collector
from fleutan.programs.collecting.backlog import Waiting
from fleutan.programs.collecting.stages import Stage, document, notes, stages
from fleutan.programs.decoding import NO_PROTOCOL
from fleutan.sources.datagrams import Account

WRITTEN = Written(rows=9, flushed=5, sealed=2, lost=4, waiting_octets=77, trouble="samples cannot be written: full")


def collector() -> Collector:
    made = Collector(Kept(), AT_NS)
    made.add(batch(sflow(flow(header()), flow(header())), v5(record_5()), b"neither"))
    broken = batch(sflow(flow(header())))
    made.add(broken._replace(at_ns=broken.at_ns[:0]))
    return made


def test_every_stage_says_what_passed_and_what_it_lost() -> None:
    accounts = [Account("127.0.0.1 port 6343", 5, 500, 0, 3, {}), Account("::1 port 6343", 0, 0, 0, None, {})]
    assert list(stages(accounts, Waiting(5, 2, 300, 900), collector(), WRITTEN)) == [
        Stage("kernel", "127.0.0.1 port 6343", "datagrams", 5, 3),
        Stage("kernel", "::1 port 6343", "datagrams", 0, 0),
        Stage("queue", "", "datagrams", 5, 2, 300),
        Stage("decoding", "", "datagrams", 2, 2),
        Stage("decoding", "records", "rows", 1, 0),
        Stage("decoding", "samples", "rows", 2, 0),
        Stage("lake", "", "rows", 5, 4, 77),
    ]


def test_the_document_has_what_was_not_read_and_whose_rate_nobody_told() -> None:
    found = [Stage("queue", "", "datagrams", 5, 2, 300)]
    told = document({"pid": 7}, found, collector(), WRITTEN)
    assert told["schema"] == "fleutan/collect/1"
    assert (told["pid"], told["trouble"]) == (7, WRITTEN.trouble)
    assert told["stages"] == [found[0]._asdict()]
    assert {one["reason"]: one["times"] for one in told["unread"]} == {NO_PROTOCOL: 1, FAILED: 1}
    assert told["unknown_rates"] == {"records": 1}


def test_what_was_lost_is_said_at_the_end() -> None:
    assert list(notes(Waiting(5, 2), collector(), WRITTEN)) == [
        "queue: 2 datagrams found no room: --queue makes more",
        f"lake: 4 rows were lost: {WRITTEN.trouble}",
        f"1 x {NO_PROTOCOL}",
        f"1 x {FAILED}",
    ]
    assert list(notes(Waiting(5), Collector(Kept(), AT_NS), Written())) == []
    [line] = notes(Waiting(), Collector(Kept(), AT_NS), Written(lost=1))
    assert line == "lake: 1 rows were lost: they came faster than they could be written"
