# SPDX-License-Identifier: Apache-2.0
"""A source whose datagrams are anonymised before anybody sees them, and the key under which they are."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from fleutan.errors import UsageError
from fleutan.protocols.anonymising import KEY, Anonymiser
from fleutan.protocols.anonymous import Remembered, anonymised, rest
from fleutan.protocols.datagrams import Datagrams
from fleutan.sources.datagrams import Account, Source

#: Says what a key is for, so that no other use of the same file has the same.
_PURPOSE = b"fleutan anonym"
#: No file of a key is longer.
_MOST = 1 << 20


class Anonymous:
    """The datagrams of a source, anonymised under a key (None: a random one that nobody keeps)."""

    def __init__(self, source: Source, key: bytes | None = None) -> None:
        self._source, self._kept = source, key is not None
        self._anonymiser = Anonymiser(key or secrets.token_bytes(KEY))
        self._remembered = Remembered()

    def batches(self, seconds: float | None = None) -> Iterator[Datagrams]:
        """Batches as they come, and at the end what was held."""
        for datagrams in self._source.batches(seconds):
            yield anonymised(datagrams, self._remembered, self._anonymiser)
        if (held := rest(self._remembered, self._anonymiser)) is not None:
            yield held

    def stop(self) -> None:
        """Ends ``batches`` after the batch that is worked on."""
        self._source.stop()

    def accounts(self) -> list[Account]:
        """What came so far."""
        return self._source.accounts()

    def notes(self) -> Iterator[str]:
        """Which key it was, if nobody named one, and what was left out because it may hold addresses."""
        if not self._kept:
            yield "anonymised under a random key that is gone now; --key FILE gives the same addresses again"
        for reason, many in sorted(self._remembered.removed.items()):
            if many:
                yield f"anonymised: left out {many} x {reason}"


def key_of(path: str) -> bytes:
    """The key that a file of any content stands for.  Raises UsageError for one that cannot be read, or is empty."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"--key {path}: {(error.strerror or 'cannot be read').lower()}") from None
    if not content:
        raise UsageError(f"--key {path}: the file is empty")
    if len(content) > _MOST:
        raise UsageError(f"--key {path}: more than {_MOST} octets")
    return hashlib.blake2b(content, digest_size=KEY, person=_PURPOSE).digest()
