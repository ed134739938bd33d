# SPDX-License-Identifier: Apache-2.0
"""The page of bounds says what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleutan.config import agentkeys
from fleutan.exports import openmetrics, statsd
from fleutan.linux import discards, netlink
from fleutan.linux.packets import bpf as packets_bpf
from fleutan.linux.packets import socket as packets_socket
from fleutan.programs.agent import applications, listening, running
from fleutan.programs.agent.outputs import flowtable, metrics, queue
from fleutan.programs.collecting import backlog, stages
from fleutan.protocols import anonymising, sequences
from fleutan.protocols import applications as messages
from fleutan.protocols.anonymous import held
from fleutan.protocols.anonymous import packets as anonymous_packets
from fleutan.protocols.capture import fragments, pcap, pcapng
from fleutan.protocols.netflow import encoding, shapes, values
from fleutan.protocols.netflow.exporters import state, waiting
from fleutan.protocols.netflow.wire import sets, templates
from fleutan.protocols.packet import decode, link, tunnels
from fleutan.protocols.sflow.columns import problems
from fleutan.sources import exporters, ifnames, remembered
from fleutan.sources.counters.entities import finding, indexes, network
from fleutan.sources.packets import deltas, owning

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "bounds.md"
SECOND = 10**9
BPF = Path(__file__).parents[1] / "src" / "fleutan" / "linux" / "bpf"


def in_kernel(program: str, name: str) -> int:
    """Rows or octets of a map, as the program declares it."""
    (found,) = re.findall(rf"max_entries, ([0-9 <]+)\);[^}}]*}} {name} SEC", (BPF / f"{program}.bpf.c").read_text())
    number, _, shift = found.partition("<<")
    return int(number) << int(shift or 0)


BOUNDS = {
    "octets of datagrams that wait to be decoded, unless `--queue` says": backlog.ROOM,
    "datagrams that are decoded at once": backlog.ROWS,
    "exporters that the status tells of": stages.EXPORTERS,
    "exporters (observation domains) whose templates are known": state.DOMAINS,
    "templates of one exporter": state.TEMPLATES,
    "values that option data of one exporter told": state.TOLD,
    "octets of all templates": state.OCTETS,
    "fields of a template": templates.FIELDS,
    "octets of the shortest record": templates.SHORTEST,
    "sets of a datagram": sets.SETS,
    "how long records wait for their template": waiting.NS / SECOND,
    "octets that wait for templates, in all": waiting.OCTETS,
    "octets that wait for templates of one exporter": waiting.OCTETS_OF_ONE,
    "lists in lists in records": values.LEVELS,
    "how long ago the last template of an exporter may have come": remembered.LIFETIME_NS / SECOND,
    "names of exporters' interfaces, in all": ifnames.NAMES,
    "unknown structures that are named, of a batch": problems.NAMED,
    "exporters whose sequence numbers are followed": sequences.EXPORTERS,
    "streams of datagrams (exporter, protocol, domain) that have a row": exporters.STREAMS,
    "kinds of problems that are named": exporters.PROBLEMS,
    "sampling rates of a stream": exporters.RATES,
    "VLAN tags": link.MOST_TAGS,
    "MPLS labels": link.MOST_LABELS,
    "headers that may repeat (802.2, IPv6's extensions), of each kind": decode.MOST_REPEATED,
    "extension headers of GTP-U": tunnels.MOST_GTP_EXTENSIONS,
    "octets of a frame": pcap.LONGEST,
    "octets of a block of pcapng": pcapng.LONGEST_BLOCK,
    "interfaces of a section of pcapng": pcapng.MOST_INTERFACES,
    "datagrams whose fragments are awaited": fragments.MOST_WAITING,
    "how long fragments are awaited": fragments.LONGEST_NS / SECOND,
    "fragments of a datagram": fragments.MOST_PARTS,
    "addresses that are remembered with their replacements, of each version of IP": anonymising.MOST,
    "octets of datagrams that are held until their template comes": held.OCTETS,
    "how long they are held": held.NS / SECOND,
    "tunnels within tunnels whose headers stay": anonymous_packets.DEPTH,
    "collectors of each kind": agentkeys.COLLECTORS,
    "octets of sampled packets that wait in the kernel, by BPF": packets_bpf.RING,
    "octets of sampled packets that wait at each device's packet socket": packets_socket.ROOM,
    "devices that BPF samples at a time": packets_bpf._PLACES,
    "octets that wait in a socket of netlink (psample, nflog, drop monitor)": netlink.ROOM,
    "octets of dropped packets that wait in the kernel": discards._MOST_ROOM,
    "interfaces whose dropped packets that were not told are counted apart": in_kernel("discards", "suppressed"),
    "places in the kernel that `drops.hide` passes over": discards.HIDDEN,
    "sockets whose owners are remembered": owning.MOST,
    "connections whose sample before is remembered": deltas.MOST,
    "control groups whose traffic the kernel counts": in_kernel("units", "units"),
    "units, containers and pods that are told": finding.MOST,
    "numbers of units, containers and pods": indexes.COUNT,
    "network namespaces whose ways out are remembered": network.MOST,
    "applications that tell of themselves": applications.MOST,
    "octets of an application's message": messages.LONGEST,
    "octets of applications' messages that wait in the kernel": listening.WAITING,
    "messages of applications that are read at a time": listening.MESSAGES,
    "series of a metric at the endpoint": openmetrics.SERIES,
    "connections to the endpoint at a time": metrics.CONNECTIONS,
    "octets of a question to the endpoint": metrics.OCTETS,
    "octets that wait for a server of an output (InfluxDB, Elasticsearch, Graphite)": queue.ROOM,
    "counters whose last value StatsD's output remembers": statsd.MOST,
    "notes that are remembered, so that each is said once": running.NOTES,
    "flows that are not sent yet, of each form": flowtable.MOST,
    "shapes of flows that have a template, of each form": encoding.SHAPES,
    "octets of a text in a record": shapes.LONGEST,
}


def rows() -> dict[str, str]:
    cells = (line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| "))
    return {what.strip(): bound.strip() for what, bound, _ in cells if what.strip() != "What"}


def test_every_bound_is_on_the_page_and_no_other() -> None:
    assert rows().keys() == BOUNDS.keys()


@pytest.mark.parametrize("what", BOUNDS)
def test_the_page_says_each_bound(what: str) -> None:
    assert rows()[what] in (str(BOUNDS[what]), f"{BOUNDS[what]:g} s")


def test_the_page_says_when_exporters_make_room() -> None:
    assert f"none for {state.IDLE_NS // SECOND} s" in PAGE.read_text()
