# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.netflow.making import (
    SECONDS,
    UPTIME_MS,
    options_10,
    read,
    record_5,
    set_of,
    template,
    v5,
    v9,
    v10,
)

from fleutan.protocols.netflow.flows import flows
from fleutan.protocols.netflow.times import ntp
from fleutan.records import Records

NOW = SECONDS * 10**9
#: The same time in NTP's seconds and fractions, with a quarter of a second.
NTP = (SECONDS + 2_208_988_800) << 32 | 1 << 30


def times(*fields: tuple[int, int, int]) -> dict[str, int]:
    """``start`` and ``end`` of a flow of these elements, octets and values, as far as they are known."""
    shape = template(256, *((number, size) for number, size, _ in fields))
    record = b"".join((value & (1 << 8 * size) - 1).to_bytes(size) for _, size, value in fields)
    return known(flows(read(v10(set_of(2, shape), set_of(256, record)))))


def known(found: Records) -> dict[str, int]:
    return {name: int(found.values[name][0]) for name in ("start", "end") if name in found.values}


@pytest.mark.parametrize(
    ("start", "end", "size", "value", "expected"),
    [
        (150, 151, 4, SECONDS, NOW),
        (152, 153, 8, SECONDS * 1000 + 5, NOW + 5_000_000),
        (154, 155, 8, NTP, NOW + 250_000_000),
        (156, 157, 8, NTP, NOW + 250_000_000),
        (158, 159, 4, 1_500_000, NOW - 1_500_000_000),
        (22, 21, 4, 5, None),
    ],
)
def test_times_in_all_units(start: int, end: int, size: int, value: int, expected: int | None) -> None:
    assert times((start, size, value)).get("start") == expected
    assert times((end, size, value)).get("end") == expected


@pytest.mark.parametrize(
    ("number", "size", "value"), [(322, 4, SECONDS), (323, 8, SECONDS * 1000), (325, 8, NTP - (1 << 30))]
)
def test_what_was_observed_at_one_time_began_and_ended_then(number: int, size: int, value: int) -> None:
    assert times((number, size, value)) == {"start": NOW, "end": NOW}


def test_an_event_is_the_end_of_a_flow_whose_start_is_told() -> None:
    # Cisco ASA: flow_start_msec and event_time_msec.
    assert times((152, 8, SECONDS * 1000), (323, 8, SECONDS * 1000 + 7)) == {"start": NOW, "end": NOW + 7_000_000}


def test_a_duration_gives_one_end_of_the_other() -> None:
    assert times((152, 8, SECONDS * 1000), (161, 4, 1500)) == {"start": NOW, "end": NOW + 1_500_000_000}
    assert times((151, 4, SECONDS), (162, 4, 1500)) == {"start": NOW - 1_500_000, "end": NOW}
    assert times((161, 4, 1500), (1, 4, 9)) == {}


def test_a_duration_says_more_than_the_time_of_observation() -> None:
    found = times((152, 8, SECONDS * 1000), (161, 4, 1500), (323, 8, SECONDS * 1000 + 7))
    assert found["end"] == NOW + 1_500_000_000


def test_the_finer_of_two_times_is_taken() -> None:
    assert times((150, 4, SECONDS), (152, 8, SECONDS * 1000 + 5))["start"] == NOW + 5_000_000


def test_uptime_of_the_header_in_version_9() -> None:
    batch = read(
        v9(set_of(0, template(256, (22, 4), (21, 4))), set_of(256, struct.pack("!II", UPTIME_MS - 2000, UPTIME_MS)))
    )
    assert known(flows(batch)) == {"start": NOW - 2_000_000_000, "end": NOW}


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31) + 1, 2**31 - 1))
def test_the_count_of_milliseconds_begins_again_at_32_bits(uptime: int, ago: int) -> None:
    first = (uptime - ago) & 0xFFFF_FFFF
    octets = bytearray(v5(record_5(first=first)))
    octets[4:8] = uptime.to_bytes(4)
    assert flows(read(bytes(octets))).values["start"][0] == NOW + 5 - ago * 10**6


def test_uptime_in_ipfix_counts_from_what_the_record_says() -> None:
    booted = SECONDS * 1000 - UPTIME_MS
    assert times((160, 8, booted), (22, 4, UPTIME_MS - 2000)) == {"start": NOW - 2_000_000_000}


def test_uptime_in_ipfix_counts_from_what_option_data_told() -> None:
    booted = SECONDS * 1000 - UPTIME_MS
    told = set_of(3, options_10(300, 1, (149, 4), (160, 8)))
    shape = set_of(2, template(256, (22, 4)))
    data = set_of(256, struct.pack("!I", UPTIME_MS - 2000))
    found = flows(read(v10(shape, data, told, set_of(300, struct.pack("!IQ", 7, booted)), data)))
    assert found.known["start"].tolist() == [False, True]
    assert found.values["start"].tolist() == [0, NOW - 2_000_000_000]


def test_ntp_goes_on_after_2036() -> None:
    # RFC 5905 figure 4: the first second of era 1 is 7 February 2036, 06:28:16.
    assert ntp(np.array([0])).tolist() == [2_085_978_496 * 10**9]
    assert ntp(np.array([2_208_988_800 << 32], np.uint64).view(np.int64)).tolist() == [0]
