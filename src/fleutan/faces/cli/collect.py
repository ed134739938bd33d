# SPDX-License-Identifier: Apache-2.0
"""``fleutan collect``: options, and what they have collected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from fleutan.errors import UsageError
from fleutan.faces.cli import configured

#: Options that make no sense beside another, and what is said of them.
APART: tuple[tuple[str, str, str], ...] = (
    ("addresses", "read", "-b is for ports; a file is read as it is"),
    ("sockets", "read", "--sockets is for ports; a file is read as it is"),
    ("queue", "read", "--queue is for ports; a file is read no faster than it is written"),
    ("read", "status", "--status asks those that run: leave -r out"),
    ("ports", "status", "--status asks those that run: leave -p out"),
)


@click.command("collect", short_help="Keep the sFlow, NetFlow and IPFIX that exporters send.")
@click.option("-p", "--port", "ports", type=click.IntRange(1, 65535), multiple=True, metavar="PORT",
              help="UDP port to listen at, repeatable; of a file those to it. [default: 6343, 2055, 4739]")  # fmt: skip
@click.option("-b", "--bind", "addresses", multiple=True, metavar="ADDR",
              help="Address to listen at, repeatable; '::' for all.  [default: loopback only]")  # fmt: skip
@click.option("--sockets", type=click.IntRange(1, 64), metavar="N",
              help="Sockets that share each port (SO_REUSEPORT), each with room of its own.  [default: 1]")  # fmt: skip
@click.option("--lake", metavar="DIR", help="The lake's directory.")
@click.option("--headers", type=click.IntRange(0, 65535), default=128, show_default=True, metavar="OCTETS",
              help="Keep so much of each sampled packet's header; 0: what is decoded of it only.")  # fmt: skip
@click.option("--queue", metavar="SIZE", help="Memory for datagrams that wait to be decoded.  [default: 128MB]")
@click.option("-r", "--read", metavar="FILE", help="Import a capture file (pcap, pcapng); '-' for standard input.")
@click.option("--status", is_flag=True, help="Say how those that collect into the lake are.")
@click.option("--json", "as_json", is_flag=True, help="With --status: as JSON, a process a line.")
@configured.option
@click.pass_context
def command(context: click.Context, /, **words: Any) -> None:
    """Keep what exporters send in a lake: sFlow 2, 4 and 5, NetFlow 1, 5, 7 and 9, and IPFIX, told by content.

    Flow records, packet samples with what their headers say, discarded packets, and counters of
    interfaces and hosts; ask for them with 'fleutan query'.  SIGTERM ends it when all that came is
    written.

    \b
    fleutan collect
    fleutan collect -b :: -p 6343 -p 2055 --lake /srv/lake
    fleutan collect -r exporters.pcap
    fleutan collect --status
    """
    check(
        {
            **words,
            **{name: configured.given(context, words)[name] for name in ("ports", "addresses", "sockets", "queue")},
        }
    )
    # Nothing here multiplies matrices, and numpy's threads for it cost as much as a hundred thousand samples.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from fleutan.faces.cli import collecting

    if words["status"]:
        collecting.tell_status(words)
    elif words["read"]:
        collecting.imports(words, configured.given(context, words)["ports"] or ())
    else:
        from fleutan.programs.signals import Signals
        from fleutan.sources.service import Service

        with Signals() as signals:
            collecting.collects(configured.held(context, words), signals, Service())


def check(words: Mapping[str, Any]) -> None:
    """Raises UsageError where one option lacks another or cannot be beside it."""
    if words["as_json"] and not words["status"]:
        raise UsageError("--json goes with --status")
    for name, other, why in APART:
        if words[name] and words[other]:
            raise UsageError(why)
