# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.linux.host.identity import identifier


def test_with_dashes_and_without() -> None:
    expected = bytes(range(16))
    assert identifier("000102030405060708090a0b0c0d0e0f\n") == expected
    assert identifier("00010203-0405-0607-0809-0A0B0C0D0E0F") == expected


@pytest.mark.parametrize("text", ["", "uninitialized\n", "0" * 32, "f" * 32, "0" * 31, "é" * 32, "00 " * 16])
def test_what_is_none(text: str) -> None:
    assert identifier(text) is None
