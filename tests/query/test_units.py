# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleutan.fields import FIELDS, require
from fleutan.query.units import COUNT, DIMENSIONS, SHARE, dimension, number, to_float, to_int


def whole(text: str, field: str, operator: str = "=") -> int:
    return to_int(number(text, require(field)), operator, require(field))


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("50ms", "rtt", 50_000),
        ("50000", "rtt", 50_000),
        ("1.5ms", "rtt", 1500),
        (".5s", "rtt", 500_000),
        ("3000ns", "rtt", 3),
        ("7us", "rtt", 7),
        ("7µs", "rtt", 7),
        ("7μs", "rtt", 7),
        ("2m", "rtt", 120_000_000),
        ("2min", "last_ack_recv", 120_000),
        ("1h", "last_ack_recv", 3_600_000),
        ("1d", "timer_expires", 86_400_000),
        ("2sec", "rto", 2_000_000),
        ("1e3ms", "rtt", 1_000_000),
        ("25e-1ms", "rtt", 2500),
        ("10MB", "bytes_sent", 10_000_000),
        ("10M", "bytes_sent", 10_000_000),
        ("1KB", "sndbuf", 1000),
        ("1kB", "sndbuf", 1000),
        ("1k", "sndbuf", 1000),
        ("1KiB", "sndbuf", 1024),
        ("1.5Ki", "sndbuf", 1536),
        ("2GiB", "sndbuf", 2 << 30),
        ("1TiB", "sndbuf", 1 << 40),
        ("12B", "sndbuf", 12),
        ("100bps", "delivery_rate", 100),
        ("1kbit", "delivery_rate", 1000),
        ("1kbps", "delivery_rate", 1000),
        ("2.5Mbps", "delivery_rate", 2_500_000),
        ("2mbit", "delivery_rate", 2_000_000),
        ("1Gbit/s", "delivery_rate", 10**9),
        ("1Gb/s", "delivery_rate", 10**9),
        ("1G", "delivery_rate", 10**9),
        ("10MB/s", "delivery_rate", 80_000_000),
        ("1KiB/s", "delivery_rate", 8192),
        ("3B/s", "delivery_rate", 24),
        ("1MBps", "delivery_rate", 8_000_000),
        ("10k", "segs_out", 10_000),
        ("1M", "reord_seen", 1_000_000),
        ("0x10", "mark", 16),
        ("0XfF", "tos", 255),
        ("-5", "priority", -5),
        ("+5", "priority", 5),
        ("-0x1", "priority", -1),
        ("9223372036854775807", "cookie", (1 << 63) - 1),
        ("-9223372036854775808", "cookie", -(1 << 63)),
    ],
)
def test_numbers_are_converted_to_the_unit_of_their_field(text: str, field: str, value: int) -> None:
    assert whole(text, field) == value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [("2%", "retrans_share", 0.02), ("0.25", "dctcp_alpha", 0.25), ("1.5k", "retrans_rate", 1500.0)],
)
def test_floats(text: str, field: str, value: float) -> None:
    assert to_float(number(text, require(field))) == value


@pytest.mark.parametrize(
    ("operator", "fraction", "integer"), [(">", "0.5us", 0), ("<=", "0.5us", 0), (">=", "0.5us", 1), ("<", "0.5us", 1)]
)
def test_an_order_with_a_fraction_is_one_with_an_integer(operator: str, fraction: str, integer: int) -> None:
    assert whole(fraction, "rtt", operator) == integer


@settings(derandomize=True)
@given(
    st.sampled_from(["<", "<=", ">", ">="]),
    st.integers(-10_000, 10_000),
    st.integers(-3, 3),
)
def test_every_order_with_a_fraction_keeps_its_truth(operator: str, thousandths: int, x: int) -> None:
    compare = {"<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}[operator]
    truth = {"<": Fraction.__lt__, "<=": Fraction.__le__, ">": Fraction.__gt__, ">=": Fraction.__ge__}[operator]
    text = f"{'-' if thousandths < 0 else ''}{abs(thousandths) // 1000}.{abs(thousandths) % 1000:03}"
    assert compare(x, whole(text, "rtt", operator)) == truth(Fraction(x), Fraction(thousandths, 1000))


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("10MB", "rtt", "'10MB' does not fit rtt, a time: use ns, us, ms, s, m, h or d (a bare number is in us)"),
        ("5ms", "bytes_sent", "'5ms' does not fit bytes_sent, an amount of bytes: use B, KB, MB"),
        ("10mb", "bytes_sent", "'10mb' does not fit"),
        ("5ms", "delivery_rate", "a rate: use bps, kbps, Mbps"),
        ("5%", "pid", "'5%' does not fit pid, a plain number: use k, M, G or T"),
        ("5ms", "retrans_share", "a ratio: use %"),
        ("5%", "segs_out_rate", "a plain number"),
        ("1e400", "rtt", "'1e400' does not fit rtt"),
        ("abc", "rtt", "'abc' is not a number; rtt is a time"),
        ("", "rtt", "'' is not a number"),
        ("ms", "rtt", "'ms' is not a number"),
        ("1.2.3", "rtt", "is not a number"),
        ("1_000", "rtt", "does not fit"),
        ("٣", "rtt", "is not a number"),
        ("0x", "mark", "does not fit"),
        ("1" * 40, "rtt", "is not a number"),
    ],
)
def test_what_is_no_fitting_number_is_refused(text: str, field: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the message is compared below
        number(text, require(field))
    assert message in str(caught.value)


@pytest.mark.parametrize("operator", ["=", "!="])
def test_an_integer_never_equals_a_fraction(operator: str) -> None:
    with pytest.raises(ValueError, match="rtt is counted in whole us"):
        whole("0.5us", "rtt", operator)
    with pytest.raises(ValueError, match="cpu is counted in whole numbers"):
        whole("0.5", "cpu", operator)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "99999999999999T"])
def test_what_64_bits_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        whole(text, "cookie", ">")


def test_every_unit_of_the_catalogue_is_known() -> None:
    assert {field.unit for field in FIELDS} <= set(DIMENSIONS)
    assert dimension(require("retrans_share"))[0] is SHARE
    assert dimension(require("pid"))[0] is COUNT
