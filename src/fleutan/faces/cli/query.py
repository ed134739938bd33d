# SPDX-License-Identifier: Apache-2.0
"""``fleutan query``: options, and which parameters they mean.  What runs them is imported then."""

from __future__ import annotations

from typing import Any

import click

from fleutan.faces.cli import configured

#: Options that are parameters of the same name: letter or none, name, metavar, help.
WORDS: tuple[tuple[str, str, str, str], ...] = (
    ("", "time", "A:B", "Time range as Metroflux has it: -1h:0, @093000:+10m, -1h:20m."),
    ("", "start", "UNIX", "Beginning, as unix time."),
    ("", "end", "UNIX", "End, as unix time."),
    ("", "during", "A..B", "Time range as people write it: 'yesterday 14:00..15:00', a day."),
    ("", "from", "TIME", "Beginning: 'yesterday 14:00', 2026-11-25T14:00Z, '3h ago'.  [default: an hour ago]"),
    ("", "to", "TIME", "End.  [default: now]"),
    ("", "since", "TIME", "The same as --from: 3h, 90m, 2d."),
    ("-i", "interval", "TIME", "Measurement interval: seconds, or 5m, 1h."),
    ("", "granularity", "N", "So many intervals become one."),
    ("", "source", "tuple|trace", "Ask flow records, or packet samples.  [default: what is there]"),
    ("-n", "topn", "N", "So many are told; 0: all."),
    ("-k", "keys", "FIELDS", "What talkers, owners and limits tell apart: src, 'proto,dport', node ..."),
    ("-m", "measures", "FIELDS", "What talkers add up: flows, packets, bytes, start, end ..."),
    ("", "order", "FIELD", "The measure that talkers are sorted by."),
    ("", "jobid", "ID", "Only the nodes and the time of a job."),
    ("", "gridjobid", "ID", "The same of a grid job."),
    ("", "include", "PROTOS", "protocol: what is told apart besides tcp, udp, icmp and esp: 'gre,ospf'."),
    ("", "url", "URL", "Where addresses lead in topaddr's HTML."),
)


def _options(function: Any) -> Any:
    for letter, name, metavar, text in reversed(WORDS):
        names = (letter, f"--{name}") if letter else (f"--{name}",)
        function = click.option(*names, name.replace("-", "_"), metavar=metavar, help=text)(function)
    return function


@click.command("query", short_help="Ask a lake what was: traffic, talkers, owners, drops.")
@click.argument("module")
@click.argument("filter", nargs=-1)
@_options
@click.option("--use-src", is_flag=True, help="topaddr: rank sources.")
@click.option("--use-dst", is_flag=True, help="topaddr: rank destinations.  [default]")
@click.option("-f", "--format", "form", metavar="FORMAT",
              help="plain, pretty, gnuplot, html, sidebox, mbps, pcap, pcapng (as the module has them); "
              "json, jsonl, csv, parquet, text.")  # fmt: skip
@click.option("--plot", is_flag=True, help="Draw it in the terminal.")
@click.option("--wait", is_flag=True, help="Go on, interval by interval, until --end or --to; without one for ever.")
@click.option(
    "--settle", metavar="TIME", help="With --wait: how long after its end an interval is told.  [default: 10s]"
)
@click.option("--utc", is_flag=True, help="Times in UTC.")
@click.option("--lake", metavar="DIR", help="The lake's directory.")
@click.option("--engine", default="duckdb", show_default=True, metavar="ENGINE",
              help="What reads the lake: duckdb, clickhouse://HOST:PORT, clickhouse://local, spark://HOST:PORT, "
              "spark://local[2]; ?files= behind it says where the lake is for that engine.")  # fmt: skip
@click.option("--memory", default="1GB", show_default=True, metavar="SIZE", help="What the question may take.")
@configured.option
def command(**words: Any) -> None:
    """Ask a lake, which 'fleutan record' and 'fleutan collect' fill, what was.

    MODULE is one of trace, traffic, tuple, topaddr, topports, flowcount, protocol, ethtypes as
    Metroflux has them, flow-reassembly, or talkers, owners, drops, limits, counters, paths, exporters.
    FILTER chooses records: 'tcp and src 10.0.0.0/8 and dport 5000:6000'.

    \b
    fleutan query traffic --since 3h
    fleutan query traffic --time @093000:+10m -f gnuplot | gnuplot > traffic.eps
    fleutan query topaddr --time -1h:0 --use-src
    fleutan query talkers -k src,dport -m flows,bytes 'dst 192.0.2.0/24'
    fleutan query tuple --during 'yesterday 03:00..03:10' 'host 192.0.2.7'
    fleutan query owners --since 1d -k unit
    fleutan query traffic --wait -i 10 'host 192.0.2.7'
    """
    from fleutan.faces.cli.querying import query

    query(words)


@click.command("sql", short_help="Ask a lake in SQL.")
@click.argument("statement")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json", "jsonl", "csv"]), default="text",
              show_default=True, help="How the answer is written.")  # fmt: skip
@click.option("--from", "from_", metavar="TIME", help="Only rows from then on.  [default: all]")
@click.option("--to", metavar="TIME", help="Only rows until then.")
@click.option("--lake", metavar="DIR", help="The lake's directory.")
@click.option("--memory", default="1GB", show_default=True, metavar="SIZE", help="What the question may take.")
@configured.option
def sql(**words: Any) -> None:
    """Ask the lake's tables, read-only, in DuckDB's SQL: records, samples, flows, counters, exporters ...

    Addresses are text there (src, dst); inside(src, '192.0.2.0/24') asks for a prefix.  The table
    live_flows is this host now.

    \b
    fleutan sql "SELECT src, sum(bytes) FROM records GROUP BY src ORDER BY 2 DESC LIMIT 10"
    """
    from fleutan.faces.cli.selecting import select

    select(words)
