# SPDX-License-Identifier: Apache-2.0
"""The parts of an agent are opened, each by a function of its kind: counters, where packets come from, outputs.

Nothing that is missing keeps the rest from being opened: it is named, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from fleutan.config import Agent
from fleutan.errors import FleutanError
from fleutan.programs.agent.explaining import Lack

#: How often devices, addresses and rates are looked at again, in seconds.
REFRESH = 2.0
Notes = Callable[[], list[str]]


class Noted(Protocol):
    """What says itself what it cannot know."""

    def notes(self) -> list[str]:
        """What is not known, and why; one line each."""


T = TypeVar("T")
N = TypeVar("N", bound=Noted)


@dataclass
class Opening:
    """What an agent has open, ``held`` until it is closed; ``lacks`` are the parts that cannot be had, by name."""

    settings: Agent
    held: ExitStack = field(default_factory=ExitStack)
    lacks: dict[str, Lack] = field(default_factory=dict)
    noted: dict[str, Notes] = field(default_factory=dict)

    def tried(self, name: str, open_: Callable[[], T]) -> T | None:
        """What is opened; None where it cannot be, which is a lack then."""
        try:
            return open_()
        except (FleutanError, OSError) as error:
            self.lacks[name] = Lack((), str(error))
            return None

    def entered(self, name: str, source: AbstractContextManager[N]) -> N:
        """A source from now on, whose notes are heard.  Raises what opening it does."""
        found = self.held.enter_context(source)
        self.noted[name] = found.notes
        return found

    def notes(self) -> list[str]:
        """What cannot be known now, and why, a line each; that a host has no GPU is none."""
        told = [line for notes in self.noted.values() for line in notes()]
        return [*(f"{name}: {lack}" for name, lack in self.lacks.items() if name != "gpus"), *told]
