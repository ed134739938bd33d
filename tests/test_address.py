# SPDX-License-Identifier: Apache-2.0
import ipaddress
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan import address

ADDRESSES = st.ip_addresses()


def halves_of(*texts: str) -> np.ndarray:
    packed = [
        socket.inet_pton(socket.AF_INET6, text if ":" in text else f"::ffff:{text}").ljust(16, b"\0") for text in texts
    ]
    return np.frombuffer(b"".join(packed), ">i8").astype(np.int64).reshape(-1, 2)


def test_kernel_words_of_both_families_become_halves() -> None:
    words = np.frombuffer(
        socket.inet_pton(socket.AF_INET, "192.0.2.1") + b"\xff" * 12 + socket.inet_pton(socket.AF_INET6, "2001:db8::1"),
        np.uint32,
    ).reshape(2, 4)
    found = address.halves_of_words(words, np.array([True, False]))
    assert address.texts(found) == ["192.0.2.1", "2001:db8::1"]


@given(st.lists(ADDRESSES))
def test_text_is_that_of_the_standard_library(values: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    mapped = {
        str(value.ipv4_mapped) if isinstance(value, ipaddress.IPv6Address) and value.ipv4_mapped else str(value)
        for value in values
    }
    texts = address.texts(halves_of(*map(str, values)))
    assert {str(ipaddress.ip_address(text)) for text in texts} == mapped


@given(st.lists(ADDRESSES))
def test_octets_are_those_of_the_network(values: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    mapped = [getattr(value, "ipv4_mapped", None) or value for value in values]
    assert address.packed(halves_of(*map(str, values)).reshape(-1, 2)) == [value.packed for value in mapped]


def test_distinct_addresses_are_told_once_in_any_order() -> None:
    words, codes = address.distinct(halves_of("10.0.0.2", "2001:db8::1", "10.0.0.2", "10.0.0.1"))
    assert [words[code] for code in codes] == ["10.0.0.2", "2001:db8::1", "10.0.0.2", "10.0.0.1"]
    assert len(words) == 3
    assert address.distinct(np.empty((0, 2), np.int64))[0] == []


@given(ADDRESSES, ADDRESSES, st.data())
def test_a_prefix_holds_what_the_standard_library_says(
    inside: ipaddress.IPv4Address, other: ipaddress.IPv6Address, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, inside.max_prefixlen))
    network = ipaddress.ip_network(f"{inside}/{length}", strict=False)
    bounds = address.parse_prefix(f"{inside}/{length}")

    def held(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        high, low = halves_of(str(value))[0].tolist()
        return bool(bounds.hi_first <= high <= bounds.hi_last and bounds.lo_first <= low <= bounds.lo_last)

    assert held(inside)
    assert held(network[0])
    assert held(network[-1])
    if other.version == network.version:
        assert held(other) == (other in network)


@pytest.mark.parametrize(
    ("short", "full"),
    [("10/8", "10.0.0.0/8"), ("10.1/16", "10.1.0.0/16"), ("[2001:db8::]/32", "2001:db8::/32"), (" ::1 ", "::1/128")],
)
def test_short_forms(short: str, full: str) -> None:
    assert address.parse_prefix(short) == address.parse_prefix(full)


@pytest.mark.parametrize("wrong", ["", "10", "10.0.0.0/33", "300.1.1.1", "2001:db8::/129", "host.example", "1.2.3.4/x"])
def test_what_is_no_prefix_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        address.parse_prefix(wrong)
