# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

from tests.protocols.netflow.capturing import datagrams
from tests.protocols.netflow.making import record_5, v5

from fleutan.programs.decoding import Batch
from fleutan.programs.decoding.summary import Summary
from fleutan.sources.exported import Exporters, decoded
from fleutan.sources.exporters import Accounts


def write(accounts: Accounts) -> Iterator[bytes]:
    yield b" ".join(b"%d" % row["flow_records"] for row in accounts.table().rows())


def batch(*strings: bytes) -> Batch:
    state = Exporters()
    return Batch(decoded(datagrams(*strings), state), state)


def test_it_is_given_at_the_end() -> None:
    form = Summary(write)
    assert list(form.of(batch(v5(record_5(), record_5())))) == []
    assert list(form.of(batch(v5(record_5())))) == []
    assert list(form.end()) == [b"3"]


def test_it_is_given_as_often_as_is_wanted_whether_anything_comes_or_not() -> None:
    now = 1000
    form = Summary(write, 10, lambda: now)
    assert list(form.of(batch(v5(record_5())))) == []
    now = 1010
    assert list(form.of(batch())) == [b"1"]
    now = 1015
    assert list(form.of(batch(v5(record_5())))) == []
    now = 1021
    assert list(form.of(batch())) == [b"2"]
    assert list(form.end()) == [b"2"]
