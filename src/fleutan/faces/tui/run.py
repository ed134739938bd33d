# SPDX-License-Identifier: Apache-2.0
"""Puts the parts of ``fleutan top`` together, and runs them until a key or a signal ends them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from fleutan.errors import FleutanError
from fleutan.faces.cli import figures
from fleutan.faces.cli.terminal import screen
from fleutan.faces.tui.app import Top
from fleutan.faces.tui.dropped import Dropped
from fleutan.faces.tui.model import Model
from fleutan.faces.tui.places import Places
from fleutan.faces.tui.sampling import Feed, Sampler
from fleutan.live import Question
from fleutan.live.events import KINDS, Events
from fleutan.sources.capture import Pending, Reader
from fleutan.sources.counting import Meters
from fleutan.table import Table


def run(
    reader: Reader,
    question: Question,
    pending: Pending,
    seconds: float,
    resolve: bool,
    netns: str | None = None,
    traced_every: float | None = None,
) -> int:
    """The exit status: 0, 130 after an interrupt, 128 and the number of a signal that ended it.

    With ``traced_every`` the flows' paths are traced so often, in seconds.  What is wrong with the
    first reading is raised before anything is drawn.
    """
    with ExitStack() as held:
        beside = dropping(reader, netns, held) | tracing(question, netns, traced_every, held)
        sampler = Sampler(reader, question, beside, meters=counting(held), places=Places(netns))
        model = Model()
        model.take(sampler.first(pending))
        app = Top(
            model,
            lambda post: Feed(sampler, seconds, post),
            screen(sys.stdout).blocks,
            _names() if resolve else None,
        )
        status = app.run(mouse=False)
        app.control.feed.join()
    return status if status is not None else app.return_code or 0


def counting(held: ExitStack) -> Meters | None:
    """What counts packets from now on, while ``held`` lasts; None where they cannot be counted."""
    try:
        return held.enter_context(Meters(costs=True))
    except FleutanError:  # the flows are shown without
        return None


def dropping(reader: Reader, netns: str | None, held: ExitStack) -> dict[str, Callable[[], Table]]:
    """What is dropped from now on, counted while ``held`` lasts; nothing where it cannot be counted."""
    try:
        counted = held.enter_context(Events(Question(), reader, KINDS["drops"], every=netns == "all"))
    except FleutanError:  # the tab says what it takes
        return {}
    return {"drops": Dropped(counted.read).table}


def tracing(
    question: Question, netns: str | None, seconds: float | None, held: ExitStack
) -> dict[str, Callable[[], Table]]:
    """The paths of the flows that are watched at first, traced while ``held`` lasts; none unless asked for."""
    if seconds is None:
        return {}
    from fleutan.faces.tui.traced import Traced
    from fleutan.live.paths import ask

    reader = held.enter_context(Reader(netns))
    return {"paths": held.enter_context(Traced(lambda: ask(question, reader), seconds)).table}


def _names() -> figures.Names:
    """Names as they come: nothing waits for them."""
    from fleutan.sources.names import Names, service_name

    hosts = Names()
    return figures.Names(hosts.get, service_name, partial(hosts.wait, 0))
