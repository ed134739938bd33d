# SPDX-License-Identifier: Apache-2.0
"""What a daemon is told by signals: to end in order, or to read its configuration again."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from types import FrameType
from typing import Self

_ENDING = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """While it is entered: ``stopped`` after SIGINT or SIGTERM, ``asked`` after SIGHUP until ``reloaded`` is called.

    A second signal to end acts as it did before.  For the main thread only, where Python handles
    signals.
    """

    def __init__(self) -> None:
        self.stopped = False
        self.asked = False
        self._held = ExitStack()

    def __enter__(self) -> Self:
        for number in _ENDING:
            self._held.callback(signal.signal, number, signal.signal(number, self._stop))
        self._held.callback(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, self._ask))
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def came(self) -> bool:
        """Whether what goes on has to end."""
        return self.stopped or self.asked

    def reloaded(self) -> None:
        """What SIGHUP asked for is done."""
        self.asked = False

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stopped = True
        signal.signal(number, signal.SIG_DFL)

    def _ask(self, *_: object) -> None:
        self.asked = True
