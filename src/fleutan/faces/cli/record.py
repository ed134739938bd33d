# SPDX-License-Identifier: Apache-2.0
"""``fleutan record``: options, and what they have recorded.

The loop is the business of ``programs.recording``, what is kept on disk that of the lake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import completion, configured
from fleutan.faces.cli.flows import DAY
from fleutan.faces.cli.lakes import SYSTEM

if TYPE_CHECKING:
    from fleutan.programs.recording.settings import Settings


@click.command("record", short_help="Keep what this host's kernel sees.")
@click.option(
    "--lake",
    "root",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help=f"Where it is kept.  [default: {SYSTEM} as root, else $XDG_STATE_HOME/fleutan/lake]",
)
@click.option(
    *("-i", "--interval"),
    type=click.FloatRange(min=0.1, max=DAY),
    default=10.0,
    show_default=True,
    metavar="SECS",
    help="How long an interval is.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0.1), metavar="SECS", help="End by itself after so long.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End by itself after N intervals.")
@click.option("--once", is_flag=True, help="End by itself after one interval.")
@click.option(
    *("-N", "--netns"),
    metavar="NAME|PID|all",
    default="all",
    show_default=True,
    shell_complete=completion.namespaces,
    help="One network namespace, or all of them.",
)
@click.option(
    "--source",
    type=click.Choice(["auto", "netlink", "bpf"]),
    default="auto",
    help="How sockets are read; auto takes what is allowed and cheaper.",
)
@click.option(
    "--paths", type=click.FloatRange(min=0.1), metavar="MINUTES", help="Trace the paths to new peers every so often."
)
@click.option(
    "--packets", type=click.IntRange(1, 4096), metavar="OCTETS", help="Keep the first octets of some packets."
)
@click.option(
    "--one-in", type=click.IntRange(1), metavar="N", help="Of one in N packets, drawn by lot.  [default: 1000]"
)
@configured.option
@click.pass_context
def command(context: click.Context, /, **words: Any) -> None:
    """Keep what this host's kernel sees: every flow with its owner, what was dropped and why, what queues carried.

    Each interval gives a row a flow that had packets, short-lived ones too; beginnings and ends of
    connections are kept with their own times.  It takes root, or CAP_BPF and CAP_PERFMON, to see
    all; what it lacks it says at its start.  SIGTERM ends it in order, SIGHUP has it open the lake anew.

    \b
    fleutan record
    fleutan record -i 60 --lake /srv/lake
    fleutan record --for 300 -N web
    """
    settings(words)  # what contradicts itself is said before anything is imported
    from fleutan.faces.cli.recording import records
    from fleutan.programs.signals import Signals
    from fleutan.sources.service import Service

    with Signals() as signals:
        records(configured.held(context, words), signals, Service())


def settings(words: dict[str, Any]) -> Settings:
    """What the options ask for.  Raises UsageError where they contradict each other."""
    from fleutan.programs.recording.settings import Settings

    if words["one_in"] and words["packets"] is None:
        raise UsageError("--one-in says of how many packets one is kept: say how much of it with --packets")
    count = intervals(words)
    return Settings(
        *(words["interval"], words["netns"], words["source"], count, count is None, words["paths"], words["packets"]),
        one_in=words["one_in"] or Settings.one_in,
    )


def intervals(words: dict[str, Any]) -> int | None:
    """How many intervals there will be; None: without end.  Raises UsageError where that is said in several ways."""
    given = [f"--{name}" for name in ("once", "count", "for") if words["seconds" if name == "for" else name]]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} both say when to end: one is enough")
    if words["seconds"]:
        return max(1, round(float(words["seconds"]) / float(words["interval"])))
    count: int | None = words["count"]
    return 1 if words["once"] else count
