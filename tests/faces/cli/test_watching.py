# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator

import pytest
from rich.console import Console

from fleutan.faces.cli.answers import Text
from fleutan.faces.cli.watching import show

OTHER_SCREEN, THIS_SCREEN, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


def console() -> Console:
    """A terminal of 20 columns and 4 lines."""
    return Console(file=io.StringIO(), force_terminal=True, width=20, height=4, color_system=None, legacy_windows=False)


def written(here: Console) -> str:
    assert isinstance(here.file, io.StringIO)
    return here.file.getvalue()


def page(*lines: str, foot: str = "foot") -> Text:
    return Text(iter(lines), [foot])


def test_the_newest_page_is_shown_and_the_last_one_stays() -> None:
    here = console()
    show([page("first"), page("a", "b", "c", "too long", foot="now")], here)
    shown, _, left = written(here).partition(THIS_SCREEN)
    assert shown.startswith(OTHER_SCREEN)
    assert "first" in shown
    assert left.split() == ["a", "b", "c", "now"]
    assert "too long" not in written(here)


def test_no_answer_leaves_nothing() -> None:
    here = console()
    show([], here)
    assert written(here).partition(THIS_SCREEN)[2].strip() == ""


def test_a_page_in_colour_is_no_trouble() -> None:
    here = console()
    show([page("\x1b[31mred\x1b[0m " + "x" * 40)], here)
    assert "red" in written(here)
    assert "x" * 17 not in written(here)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_terminal_back(number: signal.Signals) -> None:
    def interrupted() -> Iterator[Text]:
        yield page("first")
        os.kill(os.getpid(), number)
        yield page("never")

    here = console()
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        show(interrupted(), here)
    assert ended.value.code == 128 + number
    assert THIS_SCREEN in written(here)
    assert SHOW_CURSOR in written(here)
    assert "never" not in written(here)
    assert signal.getsignal(number) == before


def test_an_interrupt_puts_the_terminal_back() -> None:
    def interrupted() -> Iterator[Text]:
        yield page("first")
        raise KeyboardInterrupt

    here = console()
    with pytest.raises(KeyboardInterrupt):
        show(interrupted(), here)
    assert THIS_SCREEN in written(here)
