# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.linux.jsonfields import at, items, read, text


def test_what_is_there_and_what_is_not() -> None:
    told = read(b'{"a": {"b": [1, "x"]}, "c": null}')
    assert items(at(told, "a", "b")) == [1, "x"]
    assert at(told, "a", "x", "y") is None
    assert at(told, "c", "d") is None
    assert items(at(told, "a")) == []


@pytest.mark.parametrize("octets", [b"", b"{", b"\xff\xfe", b"[" * 1_000_000])
def test_what_is_no_json(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(octets)


def test_texts_cannot_break_a_line() -> None:
    assert text("we\x1b[31mb\n") == "we[31mb"
    assert text("x" * 999) == "x" * 255
    assert text("") is None
    assert text("\n") is None
    assert text(7) is None
