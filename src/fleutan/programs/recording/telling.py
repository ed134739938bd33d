# SPDX-License-Identifier: Apache-2.0
"""What whoever started a recording is told: what it lacks, and what went wrong, once each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

#: Kinds of notes that are remembered as told.
MOST = 1_000


class Telling:
    """Tells each note once; notes that differ in their numbers only are the same."""

    def __init__(self, say: Callable[[str], object], most: int = MOST) -> None:
        self._say, self._most = say, most
        self._told: set[str] = set()

    def tell(self, notes: Iterable[str]) -> None:
        """Tells those that were not told yet."""
        for note in notes:
            kind = re.sub(r"\d+", "0", note)
            if kind not in self._told and len(self._told) < self._most:
                self._told.add(kind)
                self._say(note)


def lacking(uncounted: str, undropped: str, hidden: Sequence[str]) -> str:
    """What is not recorded, why, and what would give it, in one line; empty where nothing is missing.

    ``uncounted`` says why packets are not counted, ``undropped`` why drops are not, ``hidden`` what
    of others may not be seen.
    """
    parts = []
    if uncounted:
        parts.append(
            "by netlink alone, without short-lived connections, packets of flows (UDP's are unknown) and drops: "
            + uncounted
        )
    elif undropped:
        parts.append(f"without drops: {undropped}")
    parts += hidden
    return f"recording {'; '.join(parts)}" if parts else ""
