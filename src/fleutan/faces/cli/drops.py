# SPDX-License-Identifier: Apache-2.0
"""``fleutan drops``: options, and which question they make.

Options that choose, order and write are those of ``flows``.
"""

from __future__ import annotations

from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import flows

#: The options of ``fleutan flows`` that mean the same here.
SHARED = (
    *("filter", "tcp", "udp", "ipv4", "ipv6", "process", "resolve", "netns", "group", "fields", "sort"),
    *("top", "every", "header", "utc", "watch", "count", "form"),
)


def _shared() -> list[click.Parameter]:
    return [parameter for parameter in flows.command.params if parameter.name in SHARED]


@click.command("drops", params=_shared(), short_help="Show what is dropped, sent again or reset, and why.")
@click.option(
    *("-i", "--interval"),
    type=click.FloatRange(min=0.01, max=flows.DAY),
    default=2.0,
    show_default=True,
    metavar="SECS",
    help="How long to count.",
)
def command(interval: float, **words: Any) -> None:
    """Show what this host drops, sends again and resets: which flow, whose, where and why.

    Counted in the kernel for so many seconds.  FILTER chooses rows by event, reason, function
    and what is known of the flow.  Not every row is a loss: see 'meaning'.

    \b
    fleutan drops -i 10
    fleutan drops event = retransmit -g peer
    fleutan drops 'reason = NETFILTER_DROP or reason ~ TCP_.*' --watch
    fleutan drops -N all -g reason,dev
    """
    if words["ipv4"] and words["ipv6"]:
        raise UsageError("-4 and -6 exclude each other: leave both out for all")
    unset = flows.command.make_context("flows", []).params
    options = flows.Options(**{**unset, **words, "interval": interval})
    from fleutan.faces.cli.asking import run_drops
    from fleutan.sources.capture import Reader

    with Reader(options.netns) as reader:
        run_drops(options, reader)
