# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest
from tests.protocols.netflow.making import (
    PLAIN,
    RECORD,
    options_9,
    options_10,
    read,
    record_5,
    set_of,
    template,
    v5,
    v9,
    v10,
)

from fleutan.protocols.netflow.decoding import Batch
from fleutan.protocols.netflow.exporters.state import State
from fleutan.protocols.netflow.exporters.told import BOOTED, Told
from fleutan.protocols.netflow.flows import flows

DATA = set_of(256, RECORD)
SHAPE = set_of(0, template(256, *PLAIN))
SHAPE_10 = set_of(2, template(256, *PLAIN))


def rates(batch: Batch) -> list[int | None]:
    found = flows(batch)
    if "sampling_rate" not in found.values:
        return [None] * found.rows
    known = found.known.get("sampling_rate", np.ones(found.rows, np.bool_))
    return [rate if there else None for rate, there in zip(found.values["sampling_rate"].tolist(), known, strict=True)]


def test_a_domain_tells_its_rate_from_its_record_on() -> None:
    state = State()
    told = set_of(1, options_9(300, ((1, 4),), (34, 4), (35, 1)))
    hundred, thousand = (set_of(300, struct.pack("!IIB", 0, rate, 2)) for rate in (100, 1000))
    batch = read(v9(SHAPE, DATA, told, DATA, hundred, DATA), v9(thousand, DATA, DATA, source=7), state=state)
    assert rates(batch) == [None, None, 100, 1000, 1000]
    assert rates(read(v9(DATA), state=state)) == [1000]
    assert rates(read(v9(SHAPE, DATA, source=8), state=state)) == [None]


def test_flows_name_their_sampler() -> None:
    told = set_of(1, options_9(300, ((1, 4),), (48, 1), (49, 1), (50, 4)))
    samplers = set_of(300, struct.pack("!IBBI", 0, 1, 2, 100), struct.pack("!IBBI", 0, 2, 2, 500))
    shape = set_of(0, template(256, *PLAIN, (48, 1)))
    data = set_of(256, *(RECORD + bytes([sampler]) for sampler in (2, 1, 3, 1)))
    assert rates(read(v9(told, samplers, shape, data))) == [500, 100, None, 100]


def test_selectors_tell_interval_and_space() -> None:
    told = set_of(3, options_10(300, 1, (302, 2), (304, 2), (305, 4), (306, 4)))
    selectors = set_of(300, struct.pack("!HHII", 5, 1, 2, 198), struct.pack("!HHII", 6, 1, 0, 9))
    shape = set_of(2, template(256, *PLAIN, (302, 8)))
    data = set_of(256, *(RECORD + struct.pack("!Q", selector) for selector in (5, 6)))
    assert rates(read(v10(told, selectors, shape, data))) == [100, None]


def test_an_interval_without_a_space_is_every_packet() -> None:
    told = set_of(3, options_10(300, 1, (149, 4), (305, 4)))
    assert rates(read(v10(told, set_of(300, struct.pack("!II", 7, 1)), SHAPE_10, DATA))) == [1]


def test_samples_out_of_populations() -> None:
    told = set_of(3, options_10(300, 1, (149, 4), (309, 4), (310, 4)))
    assert rates(read(v10(told, set_of(300, struct.pack("!III", 7, 3, 300)), SHAPE_10, DATA))) == [100]


@pytest.mark.parametrize(("scope", "size"), [(2, 4), (2, 2)])
def test_interfaces_have_rates_of_their_own(scope: int, size: int) -> None:
    told = set_of(1, options_9(300, ((scope, size),), (34, 4)))
    interface = b"".join((number).to_bytes(size) + struct.pack("!I", rate) for number, rate in ((1, 10), (2, 20)))
    shape = set_of(0, template(256, *PLAIN, (10, 4)))
    data = set_of(256, *(RECORD + struct.pack("!I", number) for number in (2, 1, 3)))
    assert rates(read(v9(told, set_of(300, interface), shape, data))) == [20, 10, None]


def test_a_record_knows_best() -> None:
    told = set_of(1, options_9(300, ((1, 4),), (34, 4)))
    shape = set_of(0, template(256, *PLAIN, (34, 4)))
    data = set_of(256, RECORD + struct.pack("!I", 7), RECORD + bytes(4))
    assert rates(read(v9(told, set_of(300, struct.pack("!II", 0, 100)), shape, data))) == [7, 100]


def test_the_header_of_version_5_tells_too_but_0_tells_nothing() -> None:
    assert rates(read(v5(record_5(), sampling=0x4000 | 100), v5(record_5()))) == [100, None]


def test_when_an_exporter_started_is_told_by_scope() -> None:
    state = State()
    told = set_of(3, options_10(300, 1, (149, 4), (160, 8)))
    batch = read(v10(told, set_of(300, struct.pack("!IQ", 7, 1234))), state=state)
    at = np.array([0])
    assert batch.told.at(BOOTED, at, at, np.array([1])).tolist() == [1234]
    assert batch.told.at(BOOTED, at, at, np.array([0])).tolist() == [0]
    assert batch.told.at(BOOTED, at, at + 1, np.array([1])).tolist() == [0]
    assert Told(state, batch.since.scopes).at(BOOTED, at, at, at).tolist() == [1234]
