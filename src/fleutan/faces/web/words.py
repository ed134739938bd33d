# SPDX-License-Identifier: Apache-2.0
"""Query strings as parameters, decoded as forms are (RFC 1866 8.2.1): %XX, and '+' for a blank.

Metroflux's parser did the same, and its times go on to take a blank for a plus.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from fleutan.errors import UsageError

#: So many parameters are read; there are fewer.
MOST = 100
_HALF = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def words_of(query: bytes) -> dict[str, str]:
    """The parameters by name; one without '=' has the value ''.

    Raises UsageError for a '%' without two digits, octets that are not UTF-8, a parameter that is
    given twice, and too many of them.
    """
    parts = [part for part in query.split(b"&") if part]
    if len(parts) > MOST:
        raise UsageError(f"{len(parts)} parameters are too many")
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        key = _decoded(name)
        if key in found:
            raise UsageError(f"{key[:40]!r} is given twice: which is meant?")
        found[key] = _decoded(value)
    return found


def _decoded(octets: bytes) -> str:
    if _HALF.search(octets):
        raise UsageError(f"in {_shown(octets)} a '%' is not followed by two hexadecimal digits; '%25' is a '%'")
    try:
        text = unquote_to_bytes(octets.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{_shown(octets)} is not UTF-8") from None
    if "\0" in text:
        raise UsageError(f"{_shown(octets)} has a character 0, which no parameter has")
    return text


def _shown(octets: bytes) -> str:
    return repr(octets[:40].decode("ascii", "replace"))
