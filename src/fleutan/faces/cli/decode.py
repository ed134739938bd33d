# SPDX-License-Identifier: Apache-2.0
"""``fleutan decode``: options, and which source and form they mean."""

from __future__ import annotations

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
@click.option("-r", "--read", metavar="FILE", help="Read a capture file (pcap, pcapng); '-' for standard input.")
@click.option("-P", "--playback", is_flag=True, help="Play the file in its own time.")
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
    """
    if words["playback"] and not words["read"]:
        raise UsageError("-P plays a file: name one with -r")
    if not words["collector"]:
        for option, name in (("-d", "collector_port"), ("-N", "netflow"), ("-s", "no_scale")):
            if words[name]:
                raise UsageError(f"{option} says how records are sent on: name a collector with -c")
    if words["columns"] and words["form"]:
        raise UsageError(f"-L and --{words['form']} are different forms")
    if words["summary"] and (words["form"] or words["columns"]):
        raise UsageError("--summary is a form of its own: leave the other out")
    if words["interval"] and not words["summary"]:
        raise UsageError("-i goes with --summary")
    if words["key"] and not words["anonymise"]:
        raise UsageError("--key is for -x")
    from fleutan.faces.cli.decoding import decode

    decode(words)
