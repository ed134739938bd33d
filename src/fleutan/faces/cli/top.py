# SPDX-License-Identifier: Apache-2.0
"""``fleutan top``: options, and that there is a terminal to show anything on.

What is shown is the business of ``faces.tui``; options that choose flows are those of ``flows``.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import flows

if TYPE_CHECKING:
    from fleutan.live import Question

#: The options of ``fleutan flows`` that choose flows and how they are read; they mean the same here.
SHARED = (
    *("filter", "tcp", "udp", "ipv4", "ipv6", "all_states", "listening", "process", "resolve"),
    *("netns", "source", "threshold"),
)
_STREAMS = {"input": "stdin", "output": "stdout", "error": "stderr"}


def _shared() -> list[click.Parameter]:
    return [parameter for parameter in flows.command.params if parameter.name in SHARED]


@click.command("top", params=_shared(), short_help="Watch the flows of this host live.")
@click.option(
    *("-i", "--interval"),
    type=click.FloatRange(min=0.1, max=flows.DAY),
    default=1.0,
    show_default=True,
    metavar="SECS",
    help="Time between two readings.",
)
@click.option(
    "--paths",
    type=click.FloatRange(min=1, max=flows.DAY),
    metavar="SECS",
    help="Trace the flows' paths so often, for a tab of them (as 'fleutan paths' does).",
)
def command(interval: float, paths: float | None, **words: Any) -> None:
    """Watch the flows of this host live.

    Rates, their trend, and what limits each flow, every second.  FILTER chooses flows as in
    'fleutan flows'.  Tabs show processes, units, peers and CPUs; Enter shows the history of
    one flow; '?' tells every key.

    \b
    fleutan top
    fleutan top tcp and dst 10/8
    fleutan top -p nginx -i 0.5
    """
    if not interval <= flows.DAY:  # nan
        raise UsageError(f"-i {interval:g}: say seconds")
    _require_terminal()
    question = _question(words)
    from fleutan.sources.capture import Reader

    with Reader(words["netns"], words["source"], "bpf") as reader:
        pending = reader.begin()  # the kernel is read while textual is imported
        from fleutan.faces.tui.run import run

        sys.exit(run(reader, question, pending, interval, words["resolve"], words["netns"], paths))


def _require_terminal() -> None:
    """Keys come from standard input; textual draws on standard error."""
    for name, stream in _STREAMS.items():
        if not getattr(sys, stream).isatty():
            raise UsageError(
                f"'fleutan top' needs a terminal, and standard {name} is none: "
                "use 'fleutan flows --watch' in pipes and files"
            )
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("'fleutan top' needs a terminal that can be written over (TERM): use 'fleutan flows --watch'")


def _question(words: dict[str, Any]) -> Question:
    """What 'fleutan flows' would ask with these options."""
    from fleutan.faces.cli.plans import plan

    if words["ipv4"] and words["ipv6"]:
        raise UsageError("-4 and -6 exclude each other: leave both out for all")
    unset = flows.command.make_context("flows", []).params
    planned = plan(flows.Options(**{**unset, **words, "watch": True}))
    return replace(planned.question, demanded=frozenset())
