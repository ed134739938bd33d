# SPDX-License-Identifier: Apache-2.0
"""``fleutan paths``: options, and which question they make.

How paths are found is the business of ``live``, how they are drawn that of ``pages``.
"""

from __future__ import annotations

from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import completion, flows

#: The options of ``fleutan flows`` that mean the same here.
SHARED = ("filter", "tcp", "udp", "ipv4", "ipv6", "process", "resolve", "netns", "header", "utc", "top")
#: Seconds over which --load measures what flows carry unless -i says.
LOAD_SECONDS = 2.0
VIEWS = ("delta", "load", "slow")


@click.command(
    "paths",
    params=[found for found in flows.command.params if found.name in SHARED],
    short_help="Trace the way that each flow really takes.",
)
@click.option("-d", "--delta", is_flag=True, help="What differs: paths aligned, and where they part.")
@click.option("-l", "--load", is_flag=True, help="What the flows carry over each router and link.")
@click.option("--slow", is_flag=True, help="Where along each path time and loss come in.")
@click.option(
    "--dsts",
    metavar="ADDR[,ADDR]",
    multiple=True,
    shell_complete=completion.words,
    help="Only to these destinations (addresses or names), traced even without a flow.",
)
@click.option(
    "--method",
    type=click.Choice(["auto", "flow", "syn", "udp", "icmp"]),
    default="auto",
    show_default=True,
    help="flow: inside the connection itself; others beside it. auto takes the best that is possible.",
)
@click.option(
    "--multipath", is_flag=True, help="All ways to each destination, not those of its flows (udp unless --method)."
)
@click.option(
    "--confidence",
    type=click.FloatRange(50, 99.99),
    metavar="PERCENT",
    help="How surely --multipath finds all routers of a hop.  [default: 95]",
)
@click.option("--queries", type=click.IntRange(1, 100), default=3, show_default=True, help="Probes for each hop.")
@click.option("-m", "--last", type=click.IntRange(1, 255), default=30, show_default=True, help="The farthest hop.")
@click.option(
    "-w", "--wait", type=click.FloatRange(0.01, 60), default=1.0, show_default=True, metavar="SECS", help="For answers."
)
@click.option("--pps", type=click.FloatRange(min=0), default=200.0, show_default=True, help="Probes a second; 0: all.")
@click.option("--each", type=click.IntRange(min=1), default=16, show_default=True, help="Connections to one address.")
@click.option(
    *("-i", "--interval"),
    type=click.FloatRange(min=0.01, max=flows.DAY),
    metavar="SECS",
    help="How long --load measures; with --watch, time between two traces.",
)
@click.option(
    "--asn", default="", metavar="FILE", help="Numbers of autonomous systems, from a file in MaxMind's format."
)
@click.option("--geo", default="", metavar="FILE", help="Countries, from a file in MaxMind's format.")
@click.option("--watch", is_flag=True, help="Trace again and again (every -i seconds, or 10), and tell changes.")
@click.option("--since", metavar="FILE", type=click.Path(dir_okay=False), help="What changed since an earlier --json.")
@click.option("--json", "form", flag_value="json", help="One JSON document.")
@click.option("--csv", "form", flag_value="csv", help="Hops as comma-separated values with a heading.")
@click.option("--dot", "form", flag_value="dot", help="A graph for Graphviz.")
@click.option("--mermaid", "form", flag_value="mermaid", help="A graph for Mermaid.")
@click.option("--text", "form", flag_value="text", default="text", help="Text for eyes (the default).")
def command(**words: Any) -> None:
    """Trace the way that each flow of this host really takes.

    Where routers spread flows over several ways, a path to an address is not the path of a flow.
    As root, connections are traced from inside: by segments with their own addresses, ports and
    old sequence numbers, which change nothing and which the far end answers as a keepalive.
    FILTER chooses flows as in 'fleutan flows'.

    \b
    fleutan paths dport 443
    fleutan paths --delta -p nginx
    fleutan paths --dsts 192.0.2.7,example.org --method icmp
    fleutan paths --multipath --dsts 192.0.2.7
    fleutan paths --load -i 5 --dot | dot -Tsvg > paths.svg
    fleutan paths --json > before.json; fleutan paths --since before.json
    """
    views = [f"--{name}" for name in VIEWS if words[name]]
    if len(views) > 1:
        raise UsageError(f"{' and '.join(views)} are different questions: ask one at a time")
    if words["interval"] is not None and not (words["load"] or words["watch"]):
        raise UsageError("-i goes with --load or --watch")
    if words["confidence"] is not None and not words["multipath"]:
        raise UsageError("--confidence goes with --multipath")
    if words["multipath"] and words["load"]:
        raise UsageError("--load tells what flows carry, and --multipath looks at no flow's own way: ask one at a time")
    if words["ipv4"] and words["ipv6"]:
        raise UsageError("-4 and -6 exclude each other: leave both out for all")
    from fleutan.faces.cli.tracing import run

    run(words)
