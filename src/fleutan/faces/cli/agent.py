# SPDX-License-Identifier: Apache-2.0
"""``fleutan agent``: options.  What runs is imported when it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import configured

_FILE = click.Path(dir_okay=False, path_type=Path)
#: Of these at most one is meant.
WAYS = ("check", "once", "status")


class _Alone(click.Command):
    """A command without threads that others begin by themselves: they would keep the privileges that it gives up.

    numpy does, for matrices, which nobody multiplies here, and reading the configuration imports it.
    """

    def make_context(self, *words: Any, **more: Any) -> click.Context:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        return super().make_context(*words, **more)


@click.command("agent", cls=_Alone, short_help="Export this host as sFlow, IPFIX and NetFlow.")
@click.option("-c", "--collector", "collectors", multiple=True, metavar="HOST[:PORT]",
              help="Where sFlow goes; again for more.  [default port: 6343]")  # fmt: skip
@click.option("-f", "--hsflowd", "file", type=_FILE, help="A configuration of Host sFlow (hsflowd.conf), as it is.")
@click.option("--polling", type=click.IntRange(0, 3600), metavar="SECS",
              help="Counters are told so often; 0: never.  [default: 30]")  # fmt: skip
@click.option("--sampling", type=click.IntRange(0, 10_000_000), metavar="N",
              help="One packet in N, whatever a device's speed; 0: none.")  # fmt: skip
@click.option("--device", "devices", multiple=True, metavar="PATTERN",
              help="Devices whose packets are sampled; again for more.  [default: those with hardware]")  # fmt: skip
@click.option("--packets", type=click.Choice(["auto", "none", "bpf", "socket", "psample", "nflog"]),
              help="Where sampled packets come from.")  # fmt: skip
@click.option("--header", type=click.IntRange(0, 1024), metavar="OCTETS",
              help="Octets of each sampled packet.  [default: 128]")  # fmt: skip
@click.option("--address", metavar="ADDR", help="The agent's own address.  [default: elected]")
@click.option("--drops/--no-drops", default=None, help="Whether dropped packets are told.  [default: they are]")
@click.option(
    "--metrics", metavar="[ADDR:]PORT", help="Serve metrics there for Prometheus too.  [default address: loopback]"
)
@click.option("--ipfix", multiple=True, metavar="HOST[:PORT]",
              help="Where sampled packets go as flows of IPFIX; again for more.  [default port: 4739]")  # fmt: skip
@click.option("--netflow9", multiple=True, metavar="HOST[:PORT]",
              help="The same as NetFlow 9.  [default port: 2055]")  # fmt: skip
@click.option("--check", is_flag=True, help="Say what would be exported and why, and what stands in the way.")
@click.option("--once", is_flag=True, help="Print one round of counters as collectors would read it.")
@click.option("--status", is_flag=True, help="Say how the agents of this host are, and what they cost.")
@click.option("--json", "as_json", is_flag=True, help="With --check or --status: as JSON, one a line.")
@configured.option
@click.pass_context
def command(context: click.Context, /, **words: Any) -> None:
    """Export this host as hsflowd does, for any sFlow collector: counters of the host, its interfaces, and packets.

    Without a collector on the command line it is configured by [agent] of the file, or by
    hsflowd.conf.  SIGHUP has it read that again, SIGTERM ends it.

    \b
    fleutan agent -c 192.0.2.1
    fleutan agent -f /etc/hsflowd.conf --check
    fleutan agent --once
    fleutan agent --status
    """
    check(words)
    from fleutan.faces.cli import exporting

    if words["status"]:
        exporting.tell_status(words["as_json"])
    elif words["check"]:
        exporting.tell_check(exporting.in_force(context, words), words["as_json"])
    elif words["once"]:
        exporting.tell_once(exporting.in_force(context, words))
    else:
        exporting.exports(exporting.in_force(context, words))


def check(words: Mapping[str, Any]) -> None:
    """Raises UsageError where options contradict each other."""
    asked = [f"--{name}" for name in WAYS if words[name]]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} each ask for something else: say one")
    if words["as_json"] and not (words["check"] or words["status"]):
        raise UsageError("--json goes with --check or --status")
