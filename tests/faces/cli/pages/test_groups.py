# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from fleutan.analysis.groups import MEASURES as KNOWN
from fleutan.analysis.groups import group
from fleutan.faces.cli.figures import Names
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.groups import MEASURES, ORDERS, page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

WIDE = Look(Screen(120))
STEPS = (10.0, 20.0, 100.0)


def drawn(table: Table, view: str, *by: str, top: int = 0, look: Look = WIDE) -> list[str]:
    return list(page(group(table, by, ORDERS[view], top), view, look, STEPS, {"dst": "PEER"}))


def test_every_measure_is_known() -> None:
    known = {measure.heading.key for measure in KNOWN}
    assert {name for names in MEASURES.values() for name in names} <= known


def test_headings_are_as_the_user_called_the_keys(flows: Table) -> None:
    heading = drawn(flows, "flows", "peer", "proc")[0]
    assert heading.split() == ["PEER", "OWNER", "FLOWS", "TX", "RX", "RTT", "P50", "RTT", "MAX", "RETRANS"]


def test_a_row_a_group_and_one_for_the_others(flows: Table) -> None:
    lines = drawn(flows, "flows", "proc", "state", top=2)
    assert len(lines) == 4
    assert lines[-1].split()[:3] == ["(6", "more)", "6"]
    assert lines[1].split()[:3] == ["firefox-bin(1187)", "estab", "2"]


def test_a_folded_group_of_unknown_figures(flows: Table) -> None:
    unknown = flows.take(flows["dport"] == 0)
    other = flows.take(flows["dport"] == 53)
    assert drawn(unknown, "flows", "proc")[1].split() == ["-", "1", "-", "-", "-", "-", "-"]
    assert drawn(other, "flows", "proc", top=1)[1].split()[:2] == ["dnsmasq(53)", "1"]
    both = flows.take((flows["dport"] == 0) | (flows["dport"] == 53))
    assert drawn(both, "flows", "dport", top=1)[-1].split() == ["(1", "more)", "1", "-", "-", "-", "-", "-"]


def test_rates_where_there_are_rates(changed: Table) -> None:
    assert "TX RATE" in drawn(changed, "flows", "proc")[0]
    assert "TX RATE" not in drawn(changed, "latency", "proc")[0]


def test_latency_has_a_bar_for_the_median(flows: Table) -> None:
    lines = drawn(flows.take(flows.column("rtt").mask()), "latency", "peer", look=Look(Screen(80, colour=True)))
    assert lines[0].startswith("\x1b[1m  ")
    assert lines[1].startswith("\x1b[31m████████████████\x1b[0m   127ms")
    assert lines[-1].startswith("\x1b[32m▏\x1b[0m")


@pytest.mark.parametrize("interval", [False, True])
def test_volume_has_a_bar_for_both_directions(interval: bool, flows: Table, changed: Table) -> None:
    lines = drawn(changed if interval else flows, "volume", "proc", look=Look(Screen(80), heading=False))
    assert any(line.startswith("▒" * 16) for line in lines)
    assert any(line.startswith("█") for line in lines)


def test_names_of_addresses_and_ports(flows: Table) -> None:
    names = Names(
        {"10.9.0.2": "ns.example"}.get,
        lambda port, proto: {(53, "udp"): "domain", (443, "tcp"): "https"}.get((port, proto)),
    )
    lines = drawn(flows, "flows", "peer", "dport", look=Look(Screen(), names=names))
    found = {tuple(line.split()[:2]) for line in lines[1:]}
    assert {("ns.example", "domain"), ("10.9.0.77", "5202")} <= found
    assert any(port == "https" for _, port in found)
