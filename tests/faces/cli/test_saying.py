# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
from contextlib import suppress

import pytest

from fleutan.faces.cli.saying import say, say_notes, say_warnings


def test_each_note_is_a_line_that_a_terminal_can_show(capsys: pytest.CaptureFixture[str]) -> None:
    say("ready\x1b[2J")
    say_notes(["one", "two", "one"])
    assert capsys.readouterr().err == "fleutan: ready\\x1b[2J\nfleutan: note: one\nfleutan: note: two\n"


def test_warnings_of_any_part_are_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.Logger("apart")
    monkeypatch.setattr(logging, "root", root)
    say_warnings()
    root.info("not this")
    root.warning("%s: no room", "Ring")
    assert capsys.readouterr().err == "fleutan: Ring: no room\n"


def test_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with suppress(BrokenPipeError), open(writer, "w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        for _ in range(3000):
            say("x" * 100)
        os.set_blocking(reader, False)
        heard = os.read(reader, 1 << 20)
        assert heard.startswith(b"fleutan: xxx")
        assert len(heard) < 3000 * 100, "what has no room is not said"
        say("again")
        assert os.read(reader, 1 << 10) == b"fleutan: again\n"
        os.close(reader)
        say("to nobody")
