# SPDX-License-Identifier: Apache-2.0
"""What agents of tests open: nothing but what a test asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fleutan.config import Agent
from fleutan.config.sections import changed
from fleutan.programs.agent.opening import Opening

NOTHING = {"packets.source": ("none",), "drops.on": False, "gpus": False, "systemd": False, "containers": False}


def agent(said: Mapping[str, object]) -> Agent:
    """Settings by their keys."""
    return changed(Agent(), {**NOTHING, **said})


@contextmanager
def opening(said: Mapping[str, object]) -> Iterator[Opening]:
    """Closes what is opened in it."""
    made = Opening(agent(said))
    with made.held:
        yield made
