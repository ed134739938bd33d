# SPDX-License-Identifier: Apache-2.0
"""Fields of what others say in JSON: what is missing, or of another type, is None."""

from __future__ import annotations

import json
from typing import Any

#: The longest text of others that is of use.
_LONGEST = 255


def read(octets: bytes) -> Any:
    """What the octets say.  Raises ValueError for what is no JSON, or nested beyond reason."""
    try:
        return json.loads(octets)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def at(told: Any, *names: str) -> Any:
    """The field of an object's object; None where there is none."""
    for name in names:
        told = told.get(name) if isinstance(told, dict) else None
    return told


def items(told: Any) -> list[Any]:
    """The items of a list; none of what is no list."""
    return told if isinstance(told, list) else []


def text(told: Any) -> str | None:
    """A text, cut, and without what would break a line or a terminal; None for an empty one."""
    if not isinstance(told, str):
        return None
    return "".join(character for character in told[:_LONGEST] if character.isprintable()) or None
