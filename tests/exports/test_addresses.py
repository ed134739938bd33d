# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ipaddress

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleutan import address
from fleutan.exports import addresses


def halves(numbers: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    octets = b"".join(number.to_bytes(16) for number in numbers)
    return np.frombuffer(octets, ">i8").astype(np.int64).reshape(-1, 2)


def texts(matrix: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> list[str]:
    return [row.tobytes().replace(b"\0", b"").decode() for row in matrix]


def groups() -> st.SearchStrategy[int]:
    """Addresses of eight groups, of which many are zero."""
    group = st.one_of(st.just(0), st.just(0), st.integers(0, 0xFFFF), st.integers(0, 15))
    return st.lists(group, min_size=8, max_size=8).map(
        lambda some: int.from_bytes(b"".join(one.to_bytes(2) for one in some))
    )


def test_an_ipv4_address_has_dots() -> None:
    out = np.zeros((3, 4), np.uint32)
    addresses.write_ipv4(np.array([5, 0x0A00_01FF, (0xFFFF << 32) + 0xFFFF_FFFF]), out)
    assert texts(out.view(np.uint8)) == ["0.0.0.5", "10.0.1.255", "255.255.255.255"]


@given(st.lists(groups(), min_size=1, max_size=20))
def test_an_ipv6_address_is_what_everybody_writes(numbers: list[int]) -> None:
    some = halves(numbers)
    some = some[~address.is_ipv4(some)]
    assert texts(addresses.ipv6_texts(some)) == address.texts(some)


def test_of_equal_runs_of_zeros_the_first_is_left_out() -> None:
    words = ["1::2:0:0:3:4", "::", "::1", "1::", "0:1:1:1:1:1:1:1", "1:1:1:1:1:1:1:0", "1::1:0:0:0", "::1.2.3.4"]
    some = halves([int(ipaddress.ip_address(word)) for word in words])
    assert texts(addresses.ipv6_texts(some)) == address.texts(some)


@given(st.lists(groups(), min_size=1, max_size=9))
def test_eight_groups_have_four_digits_each(numbers: list[int]) -> None:
    found = texts(addresses.ipv6_groups(halves(numbers)))
    assert found == [ipaddress.IPv6Address(number).exploded for number in numbers]


def test_no_address_is_no_text() -> None:
    assert addresses.ipv6_texts(halves([])).shape == (0, addresses.IPV6_WIDTH)
    assert addresses.ipv6_groups(halves([])).shape == (0, addresses.IPV6_WIDTH)
