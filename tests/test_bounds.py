# SPDX-License-Identifier: Apache-2.0
"""The page of bounds says what the program has."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleutan.programs.agent.outputs import flowtable
from fleutan.programs.collecting import backlog, stages
from fleutan.protocols import anonymising, sequences
from fleutan.protocols.anonymous import held
from fleutan.protocols.anonymous import packets as anonymous_packets
from fleutan.protocols.capture import fragments, pcap, pcapng
from fleutan.protocols.netflow import encoding, shapes, values
from fleutan.protocols.netflow.exporters import state, waiting
from fleutan.protocols.netflow.wire import sets, templates
from fleutan.protocols.packet import decode, link, tunnels
from fleutan.protocols.sflow.columns import problems
from fleutan.sources import exporters, ifnames, remembered

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "bounds.md"
SECOND = 10**9
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
