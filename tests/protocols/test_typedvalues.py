# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.protocols.sflow.encoder import encode_sample, sample
from fleutan.protocols.sflow.layouts import ATTRIBUTE, METRIC, RTFLOW
from fleutan.protocols.typedvalues import TEXT, packed, typed

KINDS = {name: kind for _, name, kind in (*METRIC.cases, *ATTRIBUTE.cases)}
NUMBERS = {name: number for number, name, _ in ATTRIBUTE.cases}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("string", "ü", "ü".encode()),
        ("string", "\ud800", b"?"),
        ("string", "", b""),
        ("counter32", 7, 7),
        ("counter32", (1 << 32) + 7, 7),
        ("counter64", "0x10", 16),
        ("counter64", "010", 10),
        ("gauge32", 3.0, 3),
        ("gauge32", (1 << 32) - 1, (1 << 32) - 1),
        ("gauge64", "18446744073709551615", (1 << 64) - 1),
        ("gaugeFloat", "1.5", 1.5),
        ("gaugeDouble", 1e300, 1e300),
        ("gaugeDouble", 7, 7.0),
        ("int32", -1, (1 << 32) - 1),
        ("int64", "-2", (1 << 64) - 2),
        ("mac", "020304050607", bytes(range(2, 8))),
        ("mac", "02:03:04:05:06:07", bytes(range(2, 8))),
        ("ip", "192.0.2.1", bytes([192, 0, 2, 1])),
        ("ip6", "::1", bytes(15) + b"\1"),
    ],
)
def test_values_are_as_their_type_has_them(name: str, value: Any, expected: Any) -> None:
    assert typed(name, KINDS[name], value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("string", 7),
        ("string", None),
        ("counter32", -1),
        ("counter32", 1.5),
        ("counter32", True),
        ("counter64", float("inf")),
        ("counter64", "many"),
        ("counter64", "nan"),
        ("gauge32", 1 << 32),
        ("gauge32", -1),
        ("gaugeFloat", 1e39),
        ("gaugeFloat", None),
        ("gaugeDouble", float("nan")),
        ("gaugeDouble", 10**400),
        ("int32", 1 << 32),
        ("int32", -(1 << 31) - 1),
        ("mac", "02030405060"),
        ("mac", 7),
        ("ip", "::1"),
        ("ip6", "192.0.2.1"),
        ("ip", 3221225985),
    ],
)
def test_what_is_none_is_said_without_the_value(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^a value is no {name}$"):
        typed(name, KINDS[name], value)


def test_a_text_has_an_end() -> None:
    assert typed("string", KINDS["string"], "x" * TEXT) == b"x" * TEXT
    with pytest.raises(ValueError, match=r"^a string is longer than 255 octets$"):
        typed("string", KINDS["string"], "ü" * 128)


def test_what_is_no_address_has_no_octets() -> None:
    assert packed("192.0.2") == packed(None) == packed("") == b""


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))


@given(st.sampled_from([*NUMBERS]), ANYTHING)
def test_whatever_is_taken_can_be_written(name: str, value: Any) -> None:
    try:
        found = typed(name, KINDS[name], value)
    except ValueError:
        return
    attributes = [(b"x", (NUMBERS[name], found))]
    values = {"datasource": b"", "sampling_rate": 1, "sample_pool": 0, "attributes": attributes}
    assert b"x" in encode_sample(sample(RTFLOW, values))
