# SPDX-License-Identifier: Apache-2.0
"""``fleutan decode``: options, and which source and form they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from fleutan.errors import UsageError

#: The forms, as options: name, its letter, and what it gives.
FORMS: tuple[tuple[str, str, str], ...] = (
    ("lines", "-l", "A line of twenty comma-separated columns a sample, as sflowtool -l."),
    ("grep", "-g", "Text whose every line says time, agent, sequence and source, for grep."),
    ("jsonl", "-j", "JSON, a datagram a line."),
    ("json", "-J", "JSON, indented."),
    ("http", "-H", "HTTP samples as lines of the combined log format, as sflowtool -H."),
    ("samples", "-t", "Sampled packets as a capture file (pcap)."),
    ("discards", "-T", "Discarded packets as a capture file (pcap)."),
    ("datagrams", "-M", "The datagrams themselves as a capture file (pcap)."),
    ("flows", "", "Normalised records of every protocol, a JSON object a line."),
    ("csv", "", "The same as CSV."),
)
#: An option, another that it makes no sense without, and what is said of it.
NEEDS: tuple[tuple[str, str, str], ...] = (
    ("key", "anonymise", "--key is for -x"),
    ("playback", "read", "-P plays a file: name one with -r"),
    ("sample", "read", "-R samples the packets of a file: name one with -r"),
    ("agent", "sample", "--agent says who samples: name a rate with -R"),
    ("seed", "sample", "--seed says which packets are sampled: name a rate with -R"),
    ("collector_port", "collector", "-d is a collector's port: name the collector with -c"),
    ("netflow", "collector", "-N says as what records are sent: name a collector with -c"),
    ("no_scale", "collector", "-s says how records are sent: name a collector with -c"),
    ("interval", "summary", "-i goes with --summary"),
    ("keep_source", "targets", "--keep-source says how datagrams are sent on: name a target with -f"),
)
#: Options that cannot be together.
APART: tuple[tuple[str, str, str], ...] = (
    ("sample", "ports", "-R samples all packets of the file: choose what is shown of them by FILTER, not by -p"),
    ("columns", "form", "-L and --{form} are different forms"),
    ("summary", "form", "--summary is a form of its own: leave the other out"),
    ("summary", "filter", "--summary accounts for all datagrams: leave the filter out"),
    ("sockets", "read", "--sockets is for ports; a file is read as it is"),
    ("summary", "columns", "--summary is a form of its own: leave the other out"),
)


def _forms(function: Any) -> Any:
    for name, letter, text in reversed(FORMS):
        names = (letter, f"--{name}") if letter else (f"--{name}",)
        function = click.option(*names, "form", flag_value=name, help=text)(function)
    return function


@click.command("decode", short_help="Show the sFlow, NetFlow and IPFIX that exporters send.")
@click.argument("filter", nargs=-1)
@click.option("-p", "--port", "ports", type=click.IntRange(1, 65535), multiple=True, metavar="PORT",
              help="UDP port to listen at, repeatable; with -r: only datagrams to it.  [default: 6343]")  # fmt: skip
@click.option("-b", "--bind", "addresses", multiple=True, metavar="ADDR",
              help="Address to listen at, repeatable; '::' for all.  [default: loopback only]")  # fmt: skip
@click.option("--sockets", type=click.IntRange(1, 64), metavar="N",
              help="Sockets that share each port (SO_REUSEPORT), each with room of its own.  [default: 1]")  # fmt: skip
@click.option("-r", "--read", metavar="FILE", help="Read a capture file (pcap, pcapng); '-' for standard input.")
@click.option("-P", "--playback", is_flag=True, help="Play the file in its own time.")
@click.option("-R", "--sample", type=click.IntRange(1, (1 << 32) - 1), metavar="N",
              help="With -r: sample one of N of the file's packets, of all kinds, as an sFlow agent does.")  # fmt: skip
@click.option("--agent", metavar="ADDR", help="That agent's address.  [default: 127.0.0.1]")
@click.option("--seed", type=click.IntRange(min=0), metavar="NUMBER",
              help="Another choice of packets; the same number makes the same one.  [default: 0]")  # fmt: skip
@_forms
@click.option("-L", "columns", metavar="FIELDS", help="A line of these comma-separated fields of the text a sample.")
@click.option(
    "--summary",
    is_flag=False,
    flag_value="text",
    type=click.Choice(["text", "json", "csv"]),
    metavar="[text|json|csv]",
    help="Who sends what: exporters, versions, rates, gaps, losses, what could not be read.",
)
@click.option("-i", "--interval", type=click.FloatRange(min=0.1), metavar="SECS",
              help="Give the summary so often, not only at the end.")  # fmt: skip
@click.option("-o", "--fields", metavar="FIELDS", help="Fields of --flows and --csv, see 'fleutan fields'.")
@click.option("--scale", is_flag=True, help="Multiply counts by the sampling rate (--flows, --csv).")
@click.option("--compat", is_flag=True, help="sFlow exactly as sflowtool 6.11 writes it, where that is wrong too.")
@click.option("-f", "--forward", "targets", multiple=True, metavar="HOST/PORT",
              help="Send each datagram on, unchanged; repeatable.")  # fmt: skip
@click.option("--keep-source", is_flag=True, help="Send on with the senders' addresses (needs CAP_NET_RAW); with -f.")
@click.option("-c", "--collector", metavar="HOST",
              help="Send records to it as NetFlow or IPFIX; without a form nothing is written.")  # fmt: skip
@click.option("-d", "--collector-port", type=click.IntRange(1, 65535), metavar="PORT",
              help="Its port.  [default: 2055, of IPFIX 4739]")  # fmt: skip
@click.option("-N", "--netflow", type=click.Choice(["5", "9", "10"]), metavar="5|9|10",
              help="As which version; 10 is IPFIX, 5 has IPv4 only.  [default: 5]")  # fmt: skip
@click.option("-s", "--no-scale", is_flag=True, help="With -c: counts as sampled, and the sampling rate beside them.")
@click.option("-x", "--anonymise", is_flag=True,
              help="Replace addresses in every output; what may hold others is left out.")  # fmt: skip
@click.option("--key", metavar="FILE", help="Key of -x: any file; the same one gives the same addresses.")
@click.option("--utc", is_flag=True, help="Times in UTC.")
def command(**words: Any) -> None:
    """Show what exporters send: sFlow 2, 4 and 5, NetFlow 1, 5, 7 and 9, and IPFIX, told by content.

    FILTER chooses records and samples by what is known of them: 'src 10/8 and dport = 443'.
    The text is sflowtool's; the protocol is told from the datagrams, so one port may carry all.

    \b
    fleutan decode
    fleutan decode -b :: -p 6343 -p 2055 --flows
    fleutan decode -r exporters.pcap --summary
    fleutan decode -r exporters.pcap -l 'proto = tcp and dst in 192.0.2.0/24'
    fleutan decode -f 192.0.2.9/6343 --csv -o src,dst,bytes,sampling_rate
    fleutan decode -b :: -c 192.0.2.9 -N 10
    fleutan decode -r exporters.pcap -x --key secret -M > anonymous.pcap
    fleutan decode -r packets.pcap -R 100 -f 192.0.2.9/6343
    """
    check(words)
    # Nothing here multiplies matrices, and threads that numpy keeps for it cost as much as a hundred thousand samples.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from fleutan.faces.cli.decoding import decode

    decode(words)


def check(words: Mapping[str, Any]) -> None:
    """Raises UsageError where one option lacks another or cannot be beside it."""
    for name, other, why in NEEDS:
        if _given(words[name]) and not _given(words[other]):
            raise UsageError(why)
    for name, other, why in APART:
        if _given(words[name]) and _given(words[other]):
            raise UsageError(why.format(**words))


def _given(value: Any) -> bool:
    """Whether an option was; 0 is a value like others."""
    return value is not None and value is not False and value != ()
