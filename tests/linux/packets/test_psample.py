# SPDX-License-Identifier: Apache-2.0
"""psample's messages, made by hand as net/psample/psample.c makes them; real ones come in tests/vm."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import NotSupported
from fleutan.linux import attributes as read
from fleutan.linux.attributes import Messages
from fleutan.linux.netlink import Refused, attribute
from fleutan.linux.packets import psample
from fleutan.linux.packets.psample import Psample, Sampled, parse

FAMILY = 34
#: What a number is called here, its attribute and its form.
NUMBERS = {
    "input": (0, "=H"),
    "output": (1, "=H"),
    "length": (2, "=I"),
    "group": (3, "=I"),
    "sequence": (4, "=I"),
    "rate": (5, "=I"),
    "queue": (10, "=H"),
    "depth": (11, "=Q"),
    "latency": (12, "=Q"),
    "at_ns": (13, "=Q"),
    "protocol": (14, "=H"),
}
UNTOLD = ("at_ns", "protocol", "queue", "depth", "latency", "tunnel")
USUAL = {"length": 1514, "group": 1, "sequence": 0, "rate": 100}


def sample(data: bytes = b"frame", more: bytes = b"", **numbers: int | None) -> bytes:
    """The body of a message; a number that is None is left out."""
    told = {**USUAL, **numbers}
    parts = [
        attribute(NUMBERS[name][0], struct.pack(NUMBERS[name][1], value))
        for name, value in told.items()
        if value is not None
    ]
    return struct.pack("=BBH", 0, 1, 0) + b"".join(parts) + attribute(6, data) + more


def without(name: str) -> bytes:
    numbers: dict[str, Any] = {name: None}
    return sample(**numbers)


def messages(*bodies: bytes, kind: int = FAMILY) -> Messages:
    datagrams = [struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body for body in bodies]
    sizes = np.array([len(one) for one in datagrams], np.int64)
    return read.messages(np.frombuffer(b"".join(datagrams), np.uint8), np.cumsum(sizes) - sizes, sizes)


def data_of(found: Sampled) -> list[bytes]:
    spans = zip(found.starts.tolist(), found.sizes.tolist(), strict=True)
    return [found.octets[start : start + size].tobytes() for start, size in spans]


def test_everything_that_is_told_is_read() -> None:
    numbers: dict[str, Any] = {
        "input": 3,
        "output": 4,
        "length": 9000,
        "group": 7,
        "sequence": 4_000_000_000,
        "rate": 512,
    }
    numbers |= {"queue": 5, "depth": 1 << 40, "latency": 12_345, "at_ns": 1_700_000_000_000_000_000, "protocol": 0x800}
    found = parse(messages(sample(b"x" * 128, attribute(8, b""), **numbers)), FAMILY)
    assert {name: getattr(found, name).tolist() for name in numbers} == {
        name: [value] for name, value in numbers.items()
    }
    assert data_of(found) == [b"x" * 128]
    assert found.tunnel.tolist() == [0]


def test_what_older_kernels_do_not_tell_is_not_known() -> None:
    found = parse(messages(sample(), sample(input=70_000 & 0xFFFF)), FAMILY)
    assert [getattr(found, name).tolist() for name in UNTOLD] == [[-1, -1]] * 6
    assert found.input.tolist() == [0, 4464]


def test_interfaces_may_have_32_bits() -> None:
    wide = attribute(0, struct.pack("=I", 70_000)) + attribute(1, struct.pack("=I", 70_001))
    found = parse(messages(sample(more=wide)), FAMILY)
    assert (found.input.tolist(), found.output.tolist()) == ([70_000], [70_001])


def test_a_rate_may_be_told_as_a_probability() -> None:
    likely = [sample(rate=rate, more=attribute(16, b"")) for rate in (0, (1 << 32) - 1, (1 << 32) // 400)]
    found = parse(messages(*likely, sample(rate=0)), FAMILY)
    assert found.rate.tolist() == [(1 << 32) - 1, 1, 400, 1]


def test_what_is_no_sample_is_left_out() -> None:
    command = struct.pack("=BBH", 2, 1, 0) + sample()[4:]
    found = parse(messages(sample(sequence=1), command, b"\0", *(without(name) for name in USUAL)), FAMILY)
    assert found.sequence.tolist() == [1]
    assert parse(messages(sample(), kind=16), FAMILY).rate.tolist() == []
    assert parse(messages(), FAMILY).rate.tolist() == []


def test_a_sample_may_have_no_octets() -> None:
    body = sample()[: -len(attribute(6, b"frame"))]
    assert data_of(parse(messages(body), FAMILY)) == [b""]


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_any_octets_are_samples_or_none(bodies: list[bytes]) -> None:
    found = parse(messages(*bodies), FAMILY)
    assert (found.starts + found.sizes <= len(found.octets)).all()


@given(st.integers(0, 200), st.integers(0, 7))
def test_flipped_bits_raise_nothing(place: int, bit: int) -> None:
    body = bytearray(sample(b"x" * 60, input=3, at_ns=7, protocol=0x800))
    body[place % len(body)] ^= 1 << bit
    found = parse(messages(bytes(body)), FAMILY)
    assert (found.starts + found.sizes <= len(found.octets)).all()


def test_the_kernel_gives_it_or_says_why_not() -> None:
    try:
        with Psample() as kernel:
            assert kernel.read() is None
    except NotSupported as error:
        pytest.skip(f"needs psample: {error}")


@pytest.mark.parametrize(
    ("number", "reason"), [(2, "does not offer it"), (1, "it takes CAP_NET_ADMIN"), (12, "cannot allocate memory")]
)
def test_each_refusal_has_a_reason(number: int, reason: str) -> None:
    assert reason in psample._not_supported(Refused(psample.WHAT, number)).reason
