# SPDX-License-Identifier: Apache-2.0
"""Beside the trace that comes with the algorithm's first implementation, and what must hold under any key."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleutan.protocols import anonymising
from fleutan.protocols.anonymising import Anonymiser

#: The key of that trace, and addresses of it with what they became.
KEY = bytes.fromhex("1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202")
TRACE = """
    128.11.68.132=135.242.180.132 129.118.74.4=134.136.186.123 130.132.252.244=133.68.164.234
    141.223.7.43=141.167.8.160 141.233.145.108=141.129.237.235 152.163.225.39=151.140.114.167
    156.29.3.236=147.225.12.42 165.247.96.84=162.9.99.234 166.107.77.190=160.132.178.185
    192.102.249.13=252.138.62.131 192.215.32.125=252.43.47.189 192.41.57.43=252.222.221.184
    205.188.147.153=242.96.16.101 205.188.248.25=242.96.88.27 24.0.250.221=100.15.198.226
    24.5.0.80=100.9.15.210 38.15.67.68=64.3.66.187 4.3.88.225=124.60.155.63 63.97.7.140=95.97.9.123
    64.14.118.196=0.255.183.58 64.39.15.238=0.219.7.41
"""
#: IPv6 under the same key, as several implementations agree.
SIX = """
    ::1=78ff:f001:9fc0:20df:8380:b1f1:704:ed ::2=78ff:f001:9fc0:20df:8380:b1f1:704:ef
    ::ffff=78ff:f001:9fc0:20df:8380:b1f1:704:f838 2001:db8::1=4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e
    2001:db8::2=4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c
"""
MAPPED = 0xFFFF << 32
EVERY = Anonymiser(KEY)
OTHER = Anonymiser(bytes(range(32)))
fours = st.integers(1, 2**32 - 1).map(lambda number: MAPPED | number)
sixes = st.one_of(
    st.integers(1, 2**128 - 1),
    st.builds(lambda net, low: 0x20010DB8 << 96 | net << 64 | low, st.integers(0, 7), st.integers(0, 2**64 - 1)),
    st.integers(1, 2**40),
).filter(lambda number: number >> 32 != 0xFFFF)


def halves(numbers: list[int]) -> NDArray[np.int64]:
    parts = [(number >> 64, number & (1 << 64) - 1) for number in numbers]
    return np.array(parts, np.uint64).reshape(-1, 2).view(np.int64)


def numbers(found: NDArray[np.int64]) -> list[int]:
    return [high << 64 | low for high, low in found.view(np.uint64).tolist()]


def number(text: str) -> int:
    address = ip_address(text)
    return int(address) | (MAPPED if address.version == 4 else 0)


def images(those: list[int], under: Anonymiser = EVERY) -> list[int]:
    return numbers(under.anonymised(halves(those)))


def inverse(image: int, bits: int, under: Anonymiser) -> int:
    """The address that the published algorithm maps to this, found bit by bit; by what the class does not do itself."""
    version = under._versions[4 if bits == 32 else 6]
    found = 0
    for place in reversed(range(bits)):
        trial = found | (MAPPED if bits == 32 else 0)
        turned = numbers(version._mapped_once(halves([trial])))[0] ^ image
        found |= turned & 1 << place
    return found


@pytest.mark.parametrize("known", [TRACE, SIX])
def test_known_answers(known: str) -> None:
    pairs = [pair.split("=") for pair in known.split()]
    assert images([number(address) for address, _ in pairs]) == [number(image) for _, image in pairs]


def test_another_implementations_answers_under_another_key() -> None:
    under = Anonymiser(b"32-char-str-for-AES-key-and-pad.")
    assert images([number("192.0.2.1")], under) == [number("192.0.125.244")]


def common(one: int, other: int) -> int:
    return 128 - (one ^ other).bit_length()


@given(st.lists(st.one_of(fours, sixes), min_size=2, max_size=20))
def test_prefixes_in_common_stay_as_long_as_they_were(addresses: list[int]) -> None:
    found = images(addresses)
    for version in (True, False):
        pairs = [(one, image) for one, image in zip(addresses, found, strict=True) if (one >> 32 == 0xFFFF) is version]
        for one, its in pairs:
            for other, theirs in pairs:
                assert common(one, other) == common(its, theirs)
    assert [one >> 32 == 0xFFFF for one in addresses] == [one >> 32 == 0xFFFF for one in found]


@given(st.lists(st.one_of(fours, sixes), max_size=30))
def test_an_answer_depends_on_key_and_address_only(addresses: list[int]) -> None:
    found = images(addresses, Anonymiser(KEY))
    assert images(addresses) == found
    assert images(addresses[::-1]) == found[::-1]
    assert [images([one])[0] for one in addresses[:5]] == found[:5]


def test_another_key_gives_other_addresses() -> None:
    addresses = [MAPPED | 0x0A000000 + 65537 * one for one in range(200)]
    assert sum(one == other for one, other in zip(images(addresses), images(addresses, OTHER), strict=True)) < 5


def test_a_whole_prefix_is_mapped_onto_a_whole_prefix() -> None:
    for base in (MAPPED | 192 << 24 | 168 << 16, MAPPED | 0xFFFF << 16, 0x20010DB8 << 96):
        found = images([base | low for low in range(1 << 14)])
        assert len(set(found)) == 1 << 14
        assert len({one >> 14 for one in found}) == 1


def test_what_is_no_address_stays_and_nothing_else_becomes_it() -> None:
    nothing = [MAPPED, 0]
    assert images(nothing) == nothing
    for under in (EVERY, OTHER):
        for bits, none in ((32, MAPPED), (128, 0)):
            lost = inverse(none, bits, under) | (MAPPED if bits == 32 else 0)
            [published] = numbers(under._versions[4 if bits == 32 else 6]._mapped_once(halves([none])))
            assert images([lost], under) == [published]


def test_no_ipv6_address_becomes_an_ipv4_one() -> None:
    lost = [inverse(MAPPED | low, 128, EVERY) for low in (0, 1, 0xC0000201, 0xFFFFFFFF)]
    found = images([*lost, number("2001:db8::1")])
    assert len(set(found)) == 5
    assert not any(one >> 32 == 0xFFFF or one == 0 for one in found)
    once = EVERY._versions[6]._mapped_once
    assert found[:4] == numbers(once(once(halves(lost))))


def test_special_addresses_are_replaced_like_any_other() -> None:
    special = [number(text) for text in ("127.0.0.1", "224.0.0.1", "255.255.255.255", "::1", "ff02::1", "fe80::1")]
    assert all(one != image for one, image in zip(special, images(special), strict=True))


def test_shapes_of_nothing_and_of_many() -> None:
    assert EVERY.anonymised(np.zeros((0, 2), np.int64)).shape == (0, 2)
    many = halves([MAPPED | one * 99991 % 2**32 for one in range(5000)] * 2)
    found = Anonymiser(KEY).anonymised(many)
    assert found.dtype == np.int64
    assert (found[:5000] == found[5000:]).all()
    assert (found == EVERY.anonymised(np.asfortranarray(many))).all()


@settings(max_examples=20)
@given(st.lists(st.lists(sixes, min_size=1, max_size=8), max_size=8))
def test_what_is_remembered_is_bounded(batches: list[list[int]]) -> None:
    small = Anonymiser(KEY, most=10)
    for batch in batches:
        assert images(batch, small) == images(batch)
        assert sum(small.remembered.values()) <= 10


def test_what_was_replaced_is_known_again_in_few_runs() -> None:
    one = Anonymiser(KEY)
    for batch in range(40):
        one.anonymised(halves([MAPPED | batch * 7 + low for low in range(10)]))
    assert one.remembered == {4: 39 * 7 + 10, 6: 0}
    assert len(one._versions[4].replaced._runs) < 10


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_keys_of_another_length(size: int) -> None:
    with pytest.raises(ValueError, match=f"32 octets, this one {size}"):
        Anonymiser(bytes(size))


def test_the_largest_addresses() -> None:
    last = int(IPv6Address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
    found = images([last, last - 1, 1 << 127, (1 << 127) - 1])
    assert common(found[0], found[1]) == 127
    assert common(found[0], found[2]) == 1
    assert common(found[2], found[3]) == 0
    assert anonymising.KEY == 32
