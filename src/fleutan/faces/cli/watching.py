# SPDX-License-Identifier: Apache-2.0
"""The live display: the newest answer in place of the one before, until interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NoReturn

from rich.console import Console
from rich.live import Live
from rich.text import Text as Drawn

from fleutan.faces.cli.answers import Text

#: What ends the program otherwise leaves the terminal without a cursor, on its other screen.
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def show(answers: Iterable[Text], console: Console | None = None) -> None:
    """Shows each answer as it comes; of a page longer than the screen the rest is left out.

    Where the answers come to an end, the last one stays.
    """
    console = console or Console(highlight=False)
    last = Drawn()
    live = Live(
        console=console,
        screen=True,
        auto_refresh=False,
        vertical_overflow="crop",
        redirect_stdout=False,  # its stand-in for standard output knows no encoding
        redirect_stderr=False,
    )
    with _ending_in_order(), live:
        for answer in answers:
            room = max(console.size.height - len(answer.foot), 1)
            page = "\n".join([*islice(answer.body, room), *answer.foot])
            last = Drawn.from_ansi(page, no_wrap=True, overflow="crop")
            live.update(last, refresh=True)
    console.print(last, no_wrap=True, crop=True, overflow="crop")


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Signals that end the program let it put the terminal back first."""

    def leave(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
