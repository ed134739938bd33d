# SPDX-License-Identifier: Apache-2.0
"""The host as /proc and /sys show it: texts of the kernel, read by its words.

What lives here takes texts, opens no file, and never raises: what a text does not tell is None.
"""

from __future__ import annotations

from collections.abc import Sequence

#: The most digits that a number of the kernel's has (2**64 - 1).
_DIGITS = 20


def whole(word: bytes) -> int | None:
    """A number without a sign; None for what is none."""
    return int(word) if word.isdigit() and len(word) <= _DIGITS else None


def word(words: Sequence[bytes], place: int) -> int | None:
    """The number at a place; None where there is none."""
    return whole(words[place]) if place < len(words) else None
