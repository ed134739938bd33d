# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleutan.errors import UsageError
from fleutan.faces.web.words import MOST, words_of


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (b"", {}),
        (b"&&", {}),
        (b"time=-10h:0", {"time": "-10h:0"}),
        (b"time=@093000:+10m&format=gnuplot", {"time": "@093000: 10m", "format": "gnuplot"}),
        (b"filter=tcp+and+src+192.168.159.243", {"filter": "tcp and src 192.168.159.243"}),
        (b"filter=a%20%3D+b%2Bc", {"filter": "a = b+c"}),
        (b"use-src&topn=5", {"use-src": "", "topn": "5"}),
        (b"filter=x=1", {"filter": "x=1"}),
        (b"filter=%C3%A9", {"filter": "é"}),
    ],
)
def test_words_are_decoded_as_forms_are(query: bytes, words: dict[str, str]) -> None:
    assert words_of(query) == words


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (b"a=%", "two hexadecimal digits"),
        (b"a=%zz", "two hexadecimal digits"),
        (b"a=%ff", "not UTF-8"),
        (b"a=%00", "character 0"),
        (b"a=1&a=2", "given twice"),
        (b"&".join(b"p%d=1" % number for number in range(MOST + 1)), "too many"),
    ],
)
def test_what_cannot_be_decoded_is_said(query: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        words_of(query)


@given(st.binary(max_size=60))
def test_any_octets_are_words_or_an_error(query: bytes) -> None:
    found: dict[str, str] = {}
    said = ""
    try:
        found = dict(words_of(query))
    except UsageError as error:
        said = str(error)
    assert "\n" not in said
    assert all("\0" not in name + value for name, value in found.items())
