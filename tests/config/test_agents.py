# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.config.agents import (
    Place,
    application_name,
    bits,
    device_name,
    domain_name,
    expression,
    host_name,
    prefix,
    span,
)

FAST = (1 << 63) - 1

READ: list[tuple[Callable[[Any], Any], str, Any]] = [
    (bits, "10G", 10**10),
    (bits, "2.5g", 2_500_000_000),
    (bits, "100000000", 10**8),
    (bits, "1.5K", 1500),
    (bits, "9P", 9 * 10**15),
    (span, "1G-10G", (10**9, 10**10)),
    (span, "1G-", (10**9, FAST)),
    (span, "10G", (10**10, 10**10)),
    (host_name, "2001:DB8::1", "2001:db8::1"),
    (host_name, "fe80::1%eth0", "fe80::1%eth0"),
    (host_name, "_x.a-b.example.org.", "_x.a-b.example.org."),
    (device_name, "eth0.5", "eth0.5"),
    (application_name, "app.Shop_1-x", "app.Shop_1-x"),
    (domain_name, ".mycompany.com", "mycompany.com"),
    (domain_name, "", ""),
    (domain_name, ".", ""),
]


@pytest.mark.parametrize(("read", "text", "expected"), READ)
def test_what_is_meant_is_read(read: Callable[[Any], Any], text: str, expected: Any) -> None:
    assert read(text) == expected


REFUSED: list[tuple[Callable[[Any], Any], list[Any]]] = [
    (bits, ["", "G", "10X", "1.23456789011G", "1.5", "9999999999P", "-1G"]),
    (span, ["2G-1G", "-1G", "1G-2G-3G", 7]),
    (host_name, ["", "a b", "a..b", "x" * 64, "a." * 130, "-a", "[::1]", 7]),
    (device_name, ["", "a/b", "a b", "a" * 16, "a:1", 7]),
    (application_name, ["", "a b", "a\nb", "a=b", "x" * 256, 7]),
    (domain_name, ["a..b", 7]),
    (prefix, ["", "!", "10.0.0.0/33", "x", 7]),
    (expression, ["", "(", "a{99999999999}", 7]),
]


@pytest.mark.parametrize(("read", "said"), [(read, one) for read, several in REFUSED for one in several])
def test_what_is_not_is_refused_in_one_line(read: Callable[[Any], Any], said: Any) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        read(said)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "!10.0.0.0/8", "!2001:db8::/32"])
def test_a_prefix_is_written_as_it_is_read(text: str) -> None:
    assert str(prefix(text)) == text


def test_bits_of_a_host_in_a_prefix_are_passed_over() -> None:
    assert str(prefix("!10.1.2.3/8")) == "!10.0.0.0/8"


def test_a_place_is_written_as_people_write_it() -> None:
    assert [str(Place("127.0.0.1", 1)), str(Place("::1", 2))] == ["127.0.0.1:1", "[::1]:2"]


def test_an_expression_is_found_anywhere() -> None:
    assert expression("th[0-9]+").search("eth12")


@given(st.sampled_from([read for read, *_ in REFUSED]), st.text(max_size=12))
def test_any_text_is_read_or_refused(read: Callable[[Any], Any], text: str) -> None:
    message = ""
    try:
        read(text)
    except ValueError as error:
        message = str(error)
    assert len(message) < 300
