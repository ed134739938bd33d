# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import PLAIN, RECORD, record_5, set_of, template, v5, v9
from tests.sources.test_exporters import flow, sflow

from fleutan.errors import FilterError
from fleutan.faces.cli.decoding import predicate_of
from fleutan.programs.decoding import NO_PROTOCOL, NO_TEMPLATE, Batch, run, unread_of
from fleutan.protocols.datagrams import Datagrams
from fleutan.protocols.sflow.samples import Sample
from fleutan.sources.datagrams import Account
from fleutan.sources.exported import FLOW, SAMPLE, Exporters, decoded


class Given:
    """A source that gives these batches."""

    def __init__(self, *batches: Datagrams) -> None:
        self._batches = batches
        self.asked: list[float | None] = []

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        self.asked.append(seconds)
        return iter(self._batches)

    def stop(self) -> None:
        """It ends by itself."""

    def accounts(self) -> list[Account]:
        return []


class Counting:
    """A form that says how many records each batch has."""

    def of(self, batch: Batch) -> Iterator[bytes]:
        yield b"%d" % len(batch.records)

    def end(self) -> Iterator[bytes]:
        yield b"end"


def batch(*strings: bytes, filter_: str = "") -> Batch:
    state = Exporters()
    return Batch(decoded(datagrams(*strings), state), state, predicate_of(filter_))


def test_batches_are_decoded_one_after_the_other_and_what_they_teach_stays() -> None:
    written: list[bytes] = []
    source = Given(datagrams(v9(set_of(0, template(256, *PLAIN)))), datagrams(), datagrams(v9(set_of(256, RECORD))))
    run(source, Counting(), None, written.append, seconds=2.0)
    assert written == [b"0", b"0", b"1", b"end"]
    assert source.asked == [2.0]


def test_each_batch_is_out_before_the_next_one_is_awaited() -> None:
    steps: list[bytes] = []

    class Awaited(Given):
        def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
            for one in super().batches(seconds):
                steps.append(b"awaited")
                yield one

    source = Awaited(datagrams(v5(record_5())), datagrams())
    run(source, Counting(), None, steps.append, flush=lambda: steps.append(b"flushed"))
    assert steps == [b"awaited", b"1", b"flushed", b"awaited", b"0", b"flushed", b"end"]


def test_what_is_not_read_is_told_by_its_reason() -> None:
    first = datagrams(b"neither", v9(set_of(0, template(256, *PLAIN)), set_of(5, b"reserved")), b"")
    second = datagrams(v9(set_of(300, RECORD)), sflow(flow())[:-4], sflow(flow()), b"nor")
    assert run(Given(first, second), Counting(), None, lambda _: None) == {
        NO_PROTOCOL: 3,
        "NetFlow: set of a reserved number": 1,
        "sFlow: overrun": 1,
        NO_TEMPLATE: 1,
    }
    assert run(Given(datagrams(sflow(flow()))), Counting(), None, lambda _: None) == {}


def test_forged_structures_do_not_make_reasons_without_end() -> None:
    strange = [sflow(Sample(number, None, (), rest=b"abcd"))[:-4] for number in range(1000, 1100)]
    assert unread_of(batch(*strange).found) == {"sFlow: overrun": 100}


def test_something_may_happen_to_each_batch_first() -> None:
    written: list[bytes] = []
    both = datagrams(v5(record_5()), v5(record_5(), record_5()))
    run(Given(both), Counting(), None, written.append, lambda batch: batch.take([1]))  # type: ignore[arg-type]
    assert written == [b"2", b"end"]


def test_the_filter_chooses_records() -> None:
    written: list[bytes] = []
    given = Given(datagrams(v5(record_5(packets=3), record_5(packets=9)), v5(record_5(packets=9))))
    run(given, Counting(), predicate_of("packets = 9"), written.append)
    assert written == [b"2", b"end"]


def test_what_is_kept_is_known_of_all_and_of_each_kind() -> None:
    found = batch(v5(record_5(packets=3), record_5(packets=9)), filter_="packets > 5")
    assert found.kept is not None
    assert found.kept.tolist() == [False, True]
    kept = found.kept_of(FLOW)
    assert kept is not None
    assert kept.tolist() == [False, True]
    none = found.kept_of(SAMPLE)
    assert none is not None
    assert len(none) == 0
    assert len(found.records) == 1


def test_without_a_filter_nothing_is_asked() -> None:
    found = batch(v5(record_5()))
    assert found.kept is None
    assert found.kept_of(FLOW) is None
    assert found.records is found.placed.table


def test_a_filter_may_name_what_no_record_of_the_batch_has() -> None:
    assert len(batch(v5(record_5()), filter_="tunnel_id = 5").records) == 0
    assert len(batch(filter_="tunnel_id = 5").records) == 0


def test_a_filter_that_duckdb_cannot_evaluate_is_told() -> None:
    with pytest.raises(FilterError):
        _ = batch(v5(record_5()), filter_="protocol ~ '(a{1000}){1000}'").kept
