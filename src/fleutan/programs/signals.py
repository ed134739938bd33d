# SPDX-License-Identifier: Apache-2.0
"""What a daemon is told while it runs: to end in order, or to read its configuration again."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from types import FrameType
from typing import Self

_ENDING = (signal.SIGINT, signal.SIGTERM)


class Orders:
    """``stopped`` once it has to end; ``asked`` from ``reload`` until ``reloaded``: its configuration is another.

    One thread may tell, another look.
    """

    def __init__(self) -> None:
        self.stopped = False
        self.asked = False

    @property
    def came(self) -> bool:
        """Whether what goes on has to end."""
        return self.stopped or self.asked

    def stop(self) -> None:
        """Has it end."""
        self.stopped = True

    def reload(self) -> None:
        """Has it read its configuration again."""
        self.asked = True

    def reloaded(self) -> None:
        """What was asked for is done."""
        self.asked = False


class Signals(Orders):
    """While it is entered SIGINT and SIGTERM stop, SIGHUP reloads.

    A second signal to end acts as it did before.  For the main thread only, where Python handles
    signals.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        for number in _ENDING:
            self._held.callback(signal.signal, number, signal.signal(number, self._stop))
        self._held.callback(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, self._ask))
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stop()
        signal.signal(number, signal.SIG_DFL)

    def _ask(self, *_: object) -> None:
        self.reload()
