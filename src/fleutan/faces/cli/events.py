# SPDX-License-Identifier: Apache-2.0
"""``fleutan drops`` and ``fleutan lifecycle``: options, and which question they make.

Options that choose, order and write are those of ``flows``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import flows

#: The options of ``fleutan flows`` that mean the same here.
SHARED = (
    *("filter", "tcp", "udp", "ipv4", "ipv6", "process", "resolve", "netns", "group", "fields", "sort"),
    *("top", "every", "header", "utc", "watch", "count", "form"),
)


def _counting(name: str, short_help: str, left: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], click.Command]:
    """A command that counts for an interval, with the options of flows but those that are left out."""

    def made(function: Callable[..., None]) -> click.Command:
        shared = [found for found in flows.command.params if found.name in SHARED and found.name not in left]
        every = click.option(
            *("-i", "--interval"),
            type=click.FloatRange(min=0.01, max=flows.DAY),
            default=2.0,
            show_default=True,
            metavar="SECS",
            help="How long to count.",
        )
        return click.command(name, params=shared, short_help=short_help)(every(function))

    return made


@_counting("drops", "Show what is dropped, sent again or reset, and why.")
def drops(**words: Any) -> None:
    """Show what this host drops, sends again and resets: which flow, whose, where and why.

    Counted in the kernel for so many seconds.  FILTER chooses rows by event, reason, function
    and what is known of the flow.  Not every row is a loss: see 'meaning'.

    \b
    fleutan drops -i 10
    fleutan drops event = retransmit -g peer
    fleutan drops 'reason = NETFILTER_DROP or reason ~ TCP_.*' --watch
    fleutan drops -N all -g reason,dev
    """
    _run("drops", words)


@_counting("lifecycle", "Show which connections begin and end, and how.", left=("tcp", "udp"))
def lifecycle(**words: Any) -> None:
    """Show which TCP connections began and ended meanwhile: whose, with whom, how long, and how they ended.

    Every one is seen, however short: with its final counters, round-trip time and duration.
    FILTER chooses rows by outcome, role and what is known of the connection.

    \b
    fleutan lifecycle -i 10
    fleutan lifecycle outcome = refused -g peer
    fleutan lifecycle 'duration > 1s and comm = curl' --watch
    fleutan lifecycle -N all -g proc,outcome
    """
    _run("lifecycle", words)


def _run(kind: str, words: dict[str, Any]) -> None:
    if words["ipv4"] and words["ipv6"]:
        raise UsageError("-4 and -6 exclude each other: leave both out for all")
    if not words["interval"] <= flows.DAY:  # "nan" is in every range
        raise UsageError(f"-i {words['interval']:g}: say seconds, {flows.DAY} at most")
    options = options_of(words)
    from fleutan.faces.cli.asking import run_events
    from fleutan.live.events import KINDS
    from fleutan.sources.capture import Reader

    with Reader(options.netns) as reader:
        run_events(options, reader, KINDS[kind])


def options_of(words: dict[str, Any]) -> flows.Options:
    """The options of flows with these words, the others as they are when not given."""
    return flows.Options(**{**flows.command.make_context("flows", []).params, **words})
