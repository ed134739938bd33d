# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Self

import pytest
from tests.programs.agent.opening.settings import opening

from fleutan.errors import FleutanError
from fleutan.programs.agent.explaining import Lack


class Source:
    def __init__(self) -> None:
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        self.closed = True

    def notes(self) -> list[str]:
        return ["one is not known"]


def test_what_cannot_be_opened_is_a_lack_and_the_rest_goes_on() -> None:
    def system() -> str:
        raise OSError(24, "Too many open files")

    def ours() -> str:
        raise FleutanError("there is none")

    def wrong() -> str:
        raise ZeroDivisionError

    with opening({}) as made:
        assert made.tried("first", lambda: "there") == "there"
        assert made.tried("second", system) is None
        assert made.tried("gpus", ours) is None
        assert made.lacks == {"second": Lack((), "[Errno 24] Too many open files"), "gpus": Lack((), "there is none")}
        assert made.notes() == ["second: [Errno 24] Too many open files"], "that a host has no GPU is no problem"
        with pytest.raises(ZeroDivisionError):
            made.tried("third", wrong)


def test_sources_are_held_and_their_notes_heard() -> None:
    with opening({}) as made:
        source = Source()
        assert made.entered("one", source) is source
        assert (made.notes(), source.closed) == (["one is not known"], False)
    assert source.closed
