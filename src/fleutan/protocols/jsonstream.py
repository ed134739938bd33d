# SPDX-License-Identifier: Apache-2.0
"""JSON objects one behind the other in a stream, with or without white space between them.

What lives here finds where objects begin and end, and does not look at what they say.  Each octet is
looked at once.
"""

from __future__ import annotations

import re

#: What matters within a string, which has no line's end in it, and outside.
_WITHIN, _OUTSIDE = re.compile(rb'["\\\n]'), re.compile(rb'["{}]')


class Objects:
    """Takes a stream in pieces; gives its objects as they are whole, none longer than ``most`` octets.

    ``passed_over`` counts octets that are of no object and no white space, and those of longer ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = b""
        self._at = self._depth = 0
        self._is_text = False
        self.passed_over = 0

    def add(self, piece: bytes) -> list[bytes]:
        """The objects that are whole with this piece."""
        self._held += piece
        found, begun = [], 0
        while match := (_WITHIN if self._is_text else _OUTSIDE).search(self._held, self._at):
            self._at = match.end()
            word = match[0]
            if word == b"\\":
                self._at += 1
            elif word in b'"\n':
                self._is_text = not self._is_text
            elif word == b"{":
                if not self._depth:
                    self._pass(self._held[begun : match.start()])
                    begun = match.start()
                self._depth += 1
            elif self._depth:
                self._depth -= 1
                if not self._depth:
                    found.append(self._held[begun : match.end()])
                    begun = match.end()
        self._keep(begun)
        for one in found:
            if len(one) > self._most:
                self._pass(one)
        return [one for one in found if len(one) <= self._most]

    def _keep(self, begun: int) -> None:
        """Keeps what may become an object."""
        held = self._held[begun:]
        if self._depth and len(held) <= self._most:
            self._held, self._at = held, max(self._at, len(self._held)) - begun
        else:
            self._pass(held)
            self._held, self._at, self._depth, self._is_text = b"", 0, 0, False

    def _pass(self, octets: bytes) -> None:
        self.passed_over += len(octets.strip())
