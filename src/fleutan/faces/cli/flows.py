# SPDX-License-Identifier: Apache-2.0
"""``fleutan flows``: options, and which question they make.

How the answer is found is the business of ``live``, how it is drawn that of ``pages``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import completion

#: What --bins is unless it is set.
BINS = "log"
#: The longest interval, in seconds.
DAY = 86_400


class Options:
    """The command line, word for word."""

    def __init__(self, **words: Any) -> None:
        self.__dict__.update(words)

    filter: tuple[str, ...]
    tcp: bool
    udp: bool
    ipv4: bool
    ipv6: bool
    all_states: bool
    listening: bool
    process: tuple[str, ...]
    resolve: bool
    netns: str | None
    source: str
    lat: bool
    vol: bool
    limits: bool
    cpu: str | None = None
    qdisc: bool = False
    group: str | None
    thresh: str
    bins: str
    threshold: tuple[str, ...]
    fields: str | None
    sort: str | None
    top: int | None
    every: bool
    header: bool
    utc: bool
    interval: float | None
    watch: bool
    count: int | None
    form: str
    at: str | None = None
    during: str | None = None
    lake: str | None = None


#: What --cpu can be about; the first unless it is said.
CPU = ("flows", "load")


class _Command(click.Command):
    """``--cpu`` takes a word of its own or none: what else follows belongs to the filter."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(joined(args)))


def joined(args: Sequence[str]) -> Iterator[str]:
    """``--cpu load`` as ``--cpu=load``, and ``--cpu`` before anything else as ``--cpu=flows``."""
    words = iter(enumerate(args))
    for place, word in words:
        if word == "--":
            yield from args[place:]
            return
        if word != "--cpu":
            yield word
        elif place + 1 < len(args) and args[place + 1] in CPU:
            yield f"--cpu={next(words)[1]}"
        else:
            yield f"--cpu={CPU[0]}"


@click.command("flows", cls=_Command, short_help="Show the flows of this host.")
@click.argument("filter", nargs=-1, shell_complete=completion.words)
@click.option("-t", "--tcp", is_flag=True, help="Only TCP (and MPTCP).")
@click.option("-u", "--udp", is_flag=True, help="Only UDP (and UDP-Lite).")
@click.option("-4", "ipv4", is_flag=True, help="Only IPv4, of IPv4-mapped sockets too.")
@click.option("-6", "ipv6", is_flag=True, help="Only IPv6.")
@click.option("-a", "--all-states", is_flag=True, help="Every state: listening, closing and unconnected too.")
@click.option("-l", "--listening", is_flag=True, help="Only sockets that wait for others.")
@click.option("-p", "--process", multiple=True, metavar="PID|NAME", help="Only of this process; may be repeated.")
@click.option("-n", "resolve", flag_value=False, default=False, help="Addresses and ports as numbers (the default).")
@click.option("-r", "--resolve", "resolve", flag_value=True, help="Names for addresses and ports where they come soon.")
@click.option(
    *("-N", "--netns"),
    metavar="NAME|PID|all",
    shell_complete=completion.namespaces,
    help="Another network namespace, or all of them.",
)
@click.option(
    "--source",
    type=click.Choice(["auto", "netlink", "bpf"]),
    default="auto",
    help="How the kernel is read; auto takes what is allowed and cheaper.",
)
@click.option("--lat", is_flag=True, help="Latency: the distribution of round-trip times, and every flow by it.")
@click.option("--vol", is_flag=True, help="Volume: bandwidth-delay products, bytes and segments each way.")
@click.option("--limits", is_flag=True, help="Why each flow is no faster: a verdict, its evidence, a hint.")
@click.option(
    "--cpu",
    is_flag=False,
    flag_value="flows",
    type=click.Choice(CPU),
    metavar="[flows|load]",
    help="On which CPUs processes run, receive and send; or what each CPU carries.",
)
@click.option("-q", "--qdisc", is_flag=True, help="What each queue of each device carries, and what feeds it.")
@click.option(
    *("-g", "--group"),
    metavar="FIELD[,FIELD]",
    shell_complete=completion.fields,
    help="One row a group: peer, proc, user, unit, port, cong ...",
)
@click.option("--thresh", default="10,20,100", metavar="MS,MS,MS", show_default=True, help="Colour steps of --lat.")
@click.option(
    "--bins",
    default=BINS,
    metavar="KIND[:N]",
    show_default=True,
    shell_complete=completion.bins,
    help="Bins of --lat: log, quantile or linear.",
)
@click.option(
    "--threshold",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completion.thresholds,
    help="Sets a threshold of --limits; see the manual.",
)
@click.option(
    "--fields",
    metavar="FIELD,...",
    shell_complete=completion.fields,
    help="These fields; 'all' for every one ('fleutan fields' lists them).",
)
@click.option(
    "--sort",
    metavar="FIELD[:asc|:desc]",
    shell_complete=completion.fields,
    help="Sort by a field; figures descend unless told.",
)
@click.option(
    "--top", type=click.IntRange(min=0), metavar="N", help="Only the first N (of --lat the slowest); 0 for all."
)
@click.option("--all", "every", is_flag=True, help="Fold nothing, however many there are.")
@click.option("-H", "--no-header", "header", flag_value=False, default=True, help="No heading and no footer.")
@click.option("--utc", is_flag=True, help="Times in UTC.")
@click.option(
    "-i", "--interval", type=click.FloatRange(min=0.01), metavar="SECS", help="Two readings: rates in between."
)
@click.option("--watch", is_flag=True, help="Repeat until interrupted (every -i seconds, or 2).")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Repeat N times.")
@click.option("--at", metavar="TIME", help="The flows as 'fleutan record' kept them then: '03:12', 'yesterday 14:00'.")
@click.option("--during", metavar="A..B", help="The flows of a time: 'yesterday 03:00..03:10', a day.")
@click.option("--lake", metavar="DIR", help="With --at and --during: the lake's directory.")
@click.option("--json", "form", flag_value="json", help="One JSON document.")
@click.option("--jsonl", "form", flag_value="jsonl", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a heading.")
@click.option("--text", "form", flag_value="text", default="text", help="Text for eyes (the default).")
def command(**words: Any) -> None:
    """Show the flows of this host: who owns each, where it goes, how it fares.

    FILTER chooses flows, as one or several words in the manner of ss and tcpdump:

    \b
    fleutan flows tcp and dst 10/8 and dport 443
    fleutan flows 'rtt > 50ms or retrans > 0'
    fleutan flows --limits -p nginx
    fleutan flows --lat -g peer
    fleutan flows -i 5 --sort tx_rate --top 10
    fleutan flows --cpu -i 5 port 443
    fleutan flows --at 'yesterday 03:12' dst 192.0.2.0/24

    Sockets that listen, are closing or have no peer are shown with -a, -l, or when the filter
    names a state.
    """
    options = Options(**words)
    _check(options)
    if options.at or options.during:
        from fleutan.faces.cli.recalling import recall

        recall(options)
        return
    from fleutan.sources.capture import Reader

    with Reader(options.netns, options.source) as reader:  # type: ignore[arg-type]
        # A crowded host is read by BPF anyway: begin before numpy and DuckDB are imported.
        pending = reader.begin() if reader.way == "bpf" else None
        from fleutan.faces.cli.asking import run

        run(options, reader, pending)


def _check(options: Options) -> None:
    views = [f"--{name}" for name in ("lat", "vol", "limits", "cpu", "qdisc") if getattr(options, name)]
    if len(views) > 1:
        raise UsageError(f"{' and '.join(views)} are different questions: ask one at a time")
    if options.ipv4 and options.ipv6:
        raise UsageError("-4 and -6 exclude each other: leave both out for all")
    if options.at or options.during:
        _check_past(options)
    elif options.lake:
        raise UsageError("--lake says where the past is: say --at or --during")
    timed = options.interval is not None or options.watch or options.cpu or options.qdisc
    if options.count and not timed:
        raise UsageError("--count goes with -i or --watch")
    if options.interval is not None and not options.interval <= DAY:
        raise UsageError(f"-i {options.interval:g}: say seconds, {DAY} at most")


def _check_past(options: Options) -> None:
    """Raises UsageError for what goes with the present only."""
    if options.at and options.during:
        raise UsageError("--at and --during both say a time: leave one out")
    for name in ("interval", "watch", "count", "cpu", "qdisc", "listening", "netns"):
        if getattr(options, name):
            raise UsageError(f"--{name} is of the present: leave it out, or --at and --during")
