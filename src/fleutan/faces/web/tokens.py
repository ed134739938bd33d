# SPDX-License-Identifier: Apache-2.0
"""Bearer tokens (RFC 6750) of a file: who may ask."""

from __future__ import annotations

import hmac
import re
from pathlib import Path

from fleutan.errors import UsageError

#: What a token may be made of (RFC 6750 2.1).
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SCHEME = b"bearer "


class Tokens:
    """The tokens of a file, one ``name:token`` a line; lines that begin with '#' say nothing.

    Raises UsageError for a file that cannot be read, has none, or a line that is not written so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokens = read(path)

    def again(self) -> None:
        """Reads the file again; where that fails the old ones stay.  Raises UsageError then."""
        self._tokens = read(self._path)

    def name_of(self, authorization: bytes) -> str | None:
        """Whose token an ``Authorization`` header has; None for nobody's.

        Every token is compared, each in a time that does not tell how much of it is right.
        """
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return None
        said = authorization[len(_SCHEME) :].strip()
        found = [name for name, token in self._tokens.items() if hmac.compare_digest(token, said)]
        return found[0] if found else None


def read(path: Path) -> dict[str, bytes]:
    """The tokens of a file by name."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"cannot read the tokens in {path}: {why}") from None
    found: dict[str, bytes] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        name, colon, token = line.partition(":")
        if not (colon and name.strip() and _TOKEN.fullmatch(token.strip())):
            raise UsageError(f"{path}, line {number}: a token is written NAME:TOKEN, of letters, digits and -._~+/=")
        if name.strip() in found:
            raise UsageError(f"{path}, line {number}: {name.strip()} has a token already")
        found[name.strip()] = token.strip().encode()
    if not found:
        raise UsageError(f"{path} has no token: write NAME:TOKEN, a line each")
    return found
