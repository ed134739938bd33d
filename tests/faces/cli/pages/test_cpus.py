# SPDX-License-Identifier: Apache-2.0
"""Processes and CPUs on pages of every width; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fleutan.analysis import advice
from fleutan.analysis.advice import Advice
from fleutan.analysis.cpus import by_process, crossings, with_serves, with_traffic
from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.cpus import load, processes
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Make = Callable[..., Table]
Rows = list[dict[str, Any]]
Page = Callable[[Table, Look], Iterator[str]]

SECOND = 10**9
NODES = {0: 0, 1: 0, 2: 1, 3: 1}
IPERF, FIREFOX, EVIL = (25726,), (1187, 1190, 1201), (66,)
NAMES = {IPERF: "iperf3(25726)", FIREFOX: "firefox-bin(1187)", EVIL: "ev\x1b[31m\nil(66)"}
PAGES: dict[str, Page] = {"cpus": lambda table, look: processes(table, look, 40), "load": load}
SCREENS = {
    "100": Screen(100),
    "80": Screen(80),
    "40": Screen(40),
    "pipe": Screen(),
    "ascii": Screen(80, blocks=False),
    "colour": Screen(80, colour=True),
}


def _flow(pids: tuple[int, ...] | None, sport: int, remote: str, sent: int, received: int) -> dict[str, Any]:
    dst, dport = remote.split("#")
    owner = {"pids": pids, "proc": NAMES[pids]} if pids else {}
    ends = {"src": "10.9.0.1", "sport": sport, "dst": dst, "dport": int(dport)}
    return {"proto": "tcp", **ends, **owner, "tx_bytes": sent, "rx_bytes": received}


FLOWS: Rows = [
    _flow(FIREFOX, 59780, "2a00:1450:4021:c::b#443", 1_900_000, 48_000_000),
    _flow(FIREFOX, 59774, "2607:f8b0:4006:804::2003#443", 120, 188),
    _flow(FIREFOX, 59001, "203.0.113.7#443", 0, 0),
    _flow(IPERF, 41056, "10.9.0.77#5202", 673_000_000, 9_100_000),
    _flow(IPERF, 41040, "10.9.0.77#5202", 0, 0),
    _flow(EVIL, 65000, "203.0.113.200#65001", 600, 700),
    _flow(None, 22, "10.9.0.2#40000", 0, 0),
]


def _packets(pids: tuple[int, ...] | None, way: str, cpu: int | None, packets: int, **more: Any) -> dict[str, Any]:
    owner = {"pids": pids, "proc": NAMES[pids]} if pids else {}
    place = {"netns": "host", "dev": "eth0", "direction": way, "queue": 0, "cpu": cpu}
    counts = {"packets": packets, "segments": packets * 3, "bytes": packets * 4000, "bdp": packets * 10}
    known = {"proto": "tcp", "src": "10.9.0.1", "sport": 1, "dst": "10.9.0.2", "dport": 2, "netns_inode": 7}
    return {"forwarded": False, **known, **owner, **place, **counts, **more}


TRAFFIC: Rows = [
    _packets(IPERF, "tx", 2, 59_400),
    _packets(IPERF, "tx", 3, 1_450),
    _packets(IPERF, "rx", 0, 107_000),
    _packets(IPERF, "rx", 3, 2_000),
    _packets(FIREFOX, "rx", 0, 5_000),
    _packets(FIREFOX, "tx", 1, 800),
    _packets(EVIL, "rx", 1, 7),
    _packets(EVIL, "tx", None, 6),
    _packets(None, "rx", 0, 8_000, forwarded=True),
    _packets(None, "tx", 0, 7_990, forwarded=True),
    _packets(None, "rx", 1, 12, proto="icmp"),
    _packets(None, "tx", 1, 12, proto="icmp"),
    _packets(None, "rx", None, 2, proto=None, forwarded=None),
]
RUNS: Rows = [
    {"pid": 25726, "proc": NAMES[IPERF], "cpu": 2, "run_time": 905_000, "run_time_estimated": 0},
    {"pid": 1187, "proc": NAMES[FIREFOX], "cpu": 0, "run_time": 30_000, "run_time_estimated": 0},
    {"pid": 1190, "proc": "firefox-bin(1190)", "cpu": 1, "run_time": 15_000, "run_time_estimated": 4_000},
]
SPENT = ((480_000, 1_610_000), (20_000, 300_000), (10_000, 1_150_000), (0, 90_000))
CPUS: Rows = [
    {
        "cpu": cpu,
        "numa_node": NODES[cpu],
        "cpu_softirq": soft,
        "cpu_irq": 10_000 * (cpu == 0),
        "cpu_busy": busy,
        "cpu_idle": 2_000_000 - busy,
        "net_rx": 60_000 // (cpu + 1),
        "time_squeeze": 3 * (cpu == 0),
        "softnet_dropped": 14 * (cpu == 0),
        "received_rps": 0,
    }
    for cpu, (soft, busy) in enumerate(SPENT)
]
_QUEUE = {"netns": "host", "dev": "eth0", "irq_effective_cpus": None, "irq_cpus": None, "packets": 0}
QUEUES: Rows = [
    {**_QUEUE, "direction": "rx", "queue": 0, "bytes": 9, "rps_cpus": "0-1", "rps_flow_cnt": 0, "irq_cpus": "0"},
    {**_QUEUE, "direction": "rx", "queue": 1, "bytes": 0, "rps_cpus": "", "rps_flow_cnt": 0, "irq_cpus": "3"},
    {**_QUEUE, "direction": "tx", "queue": 0, "bytes": 9, "xps_cpus": "0-1"},
    {**_QUEUE, "direction": "tx", "queue": 1, "bytes": 0, "xps_cpus": ""},
]
WORTH = [
    Advice("98% of the packets of iperf3(25726) are received on a CPU where it does not run", ("sysctl -w a=32768",)),
    Advice("CPU 0 receives 98% of the packets of eth0", ("echo f > /sys/class/net/eth0/queues/rx-1/rps_cpus",)),
]


@pytest.fixture
def counted(make: Make) -> Table:
    """Two readings of a small host with two NUMA nodes, as they come with what was counted."""
    flows = make(FLOWS)
    flows = replace(flows, reading=replace(flows.reading, interval_ns=2 * SECOND))
    traffic, queues = make(TRAFFIC), make(QUEUES)
    ran = by_process(make(RUNS), traffic, NODES)
    related = {
        "processes": ran,
        "crossings": crossings(ran),
        "cpus": with_serves(with_traffic(make(CPUS), traffic), queues),
        "queues": queues,
        "traffic": traffic,
        "advice": advice.table(WORTH, flows.reading),
    }
    return replace(flows, related=related)


@pytest.fixture
def uncounted(make: Make, counted: Table) -> Table:
    """The same where packets cannot be counted."""
    unknown = make([{**row, "tx_bytes": None, "rx_bytes": None} for row in FLOWS])
    queues = make([{name: value for name, value in row.items() if name != "bytes"} for row in QUEUES])
    related = {"processes": make(RUNS), "cpus": with_serves(make(CPUS), queues), "queues": queues}
    return replace(unknown, related=related, reading=counted.reading)


def with_related(table: Table, **found: Table) -> Table:
    return replace(table, related={**table.related, **found})


def block(lines: list[str], name: str) -> list[str]:
    """The lines of one process, without the rule."""
    start = lines.index(f"~>{name}")
    return lines[start : next(row for row in range(start, len(lines)) if set(lines[row]) == {"─"})]


# -- both


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", PAGES)
def test_golden(page: str, screen: str, counted: Table, golden: Callable[[str, str], None]) -> None:
    golden(f"{page}-{screen}", "".join(f"{line}\n" for line in PAGES[page](counted, Look(SCREENS[screen]))))


@pytest.mark.parametrize("page", PAGES)
def test_golden_without_counted_packets(page: str, uncounted: Table, golden: Callable[[str, str], None]) -> None:
    golden(f"{page}-uncounted", "".join(f"{line}\n" for line in PAGES[page](uncounted, Look(Screen(80)))))


@pytest.mark.parametrize("width", [20, 24, 30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("page", PAGES)
def test_no_line_is_wider_than_the_screen(page: str, width: int, counted: Table, uncounted: Table) -> None:
    for table in (counted, uncounted):
        for blocks in (True, False):
            lines = list(PAGES[page](table, Look(Screen(width, blocks=blocks))))
            assert [line for line in lines if cell_width(line) > max(width, 24)] == []
            assert blocks or width < 30 or all(line.isascii() for line in lines)
            assert not any("\x1b" in line or "\n" in line for line in lines)


@pytest.mark.parametrize("page", PAGES)
def test_without_headings_only_rows_and_names_stand_there(page: str, counted: Table) -> None:
    text = "\n".join(PAGES[page](counted, Look(Screen(100), heading=False)))
    assert "CPU  NODE" not in text
    assert "PROTO" not in text
    assert "7 flows" not in text


# -- processes


def test_where_it_ran_received_and_sent_stands_side_by_side(counted: Table) -> None:
    lines = block(list(processes(counted, Look(Screen(100)), 40)), "iperf3(25726)")
    rows = [line.split() for line in lines[-6:-2]]
    assert [row[-1] for row in rows] == ["0", "0", "1", "1"]
    assert [row[-2] for row in rows] == ["0", "1", "2", "3"]
    assert rows[0][:3] == ["0", rows[0][1], "107k"]
    assert rows[2][1] == "905ms"
    crossed = " ".join(lines[-2:])
    assert crossed.startswith("crosses: 100% of its packets were received on a CPU where it did not run, 98.2%")


def test_the_order_is_by_packets_and_shared_sockets_are_one(counted: Table) -> None:
    lines = list(processes(counted, Look(Screen(100)), 40))
    names = [line for line in lines if line.startswith("~>")]
    assert names == [
        "~>iperf3(25726)",
        "~>firefox-bin(1187) and 2 more",
        "~>ev\\x1b[31m\\nil(66)",
        "~>without owner",
    ]
    assert any("~15ms" in line for line in block(lines, "firefox-bin(1187) and 2 more"))
    assert sum(line.startswith("~ partly estimated") for line in lines) == 1


def test_flows_that_moved_nothing_are_folded(counted: Table) -> None:
    look = Look(Screen(100))
    lines = block(list(processes(counted, look, 40)), "firefox-bin(1187) and 2 more")
    assert [line.split()[-2:] for line in lines[2:4]] == [["1.90MB", "48MB"], ["120B", "188B"]]
    assert lines[4] == "... 1 more flow that moved nothing: --all shows every one"
    lines = block(list(processes(counted, look, 1)), "iperf3(25726)")
    assert lines[3].startswith("... 1 more flow that moved nothing")
    assert not any("more flow" in line for line in processes(counted, look))


def test_processes_beyond_the_most_are_folded(counted: Table) -> None:
    lines = list(processes(counted, Look(Screen(100)), 1))
    assert "... 2 more processes with 5.81k packets: --all shows every one" in lines
    assert "... 1 more process with 13 packets: --all shows every one" in processes(counted, Look(Screen(100)), 2)
    assert not any("~ partly" in line for line in lines)


def test_busy_flows_beyond_the_most_say_how_much(counted: Table) -> None:
    order = np.array([0, 1, 2])
    lines = list(processes(counted.take(order), Look(Screen(100)), 1))
    found = list(processes(with_related(counted.take(order), processes=only(counted, FIREFOX)), Look(Screen(100)), 1))
    assert "... 2 more flows of 308B or less: --all shows every one" in found
    assert lines[3].startswith("RAN")  # no flow of iperf3 is meant


def only(table: Table, pids: tuple[int, ...]) -> Table:
    found = table.related["processes"]
    return found.take(np.array([held == pids for held in found.columns["pids"].objects()], np.bool_))


def test_what_was_not_seen_to_run_crosses_unknown(counted: Table) -> None:
    lines = block(list(processes(counted, Look(Screen(100)), 40)), "ev\\x1b[31m\\nil(66)")
    assert lines[-1] == "crosses: not known, for it was not seen to run"
    assert [line.split()[-2] for line in lines[4:9]] == ["0", "1", "2", "3", "-"]
    assert all(line.split()[0] == "-" for line in lines[4:9])


@pytest.mark.parametrize(("cross", "said"), [(0.0, ": nothing"), (0.25, "about 25%"), (0.6, "about 60%")])
def test_what_crosses(cross: float, said: str, counted: Table, make: Make) -> None:
    found = make([{"pids": FIREFOX, "rx_packets": 5, "cross_cpu": cross, "cross_numa": None}])
    look = Look(Screen(100, colour=True))
    lines = list(processes(with_related(counted, crossings=found), look, 40))
    (line,) = (line for line in lines if said in line)
    painted = {0.0: "\x1b[2m", 0.25: "crosses", 0.6: "\x1b[33m"}
    assert line.startswith(painted[cross])
    assert "NUMA" not in line


def test_who_only_sends_has_no_line_on_what_crosses(counted: Table) -> None:
    rows = counted.related["traffic"].column("direction").values == 0  # tx
    sent = by_process(
        counted.related["processes"].take(np.zeros(0, np.int64)), counted.related["traffic"].take(rows), {}
    )
    text = "\n".join(processes(with_related(counted, processes=sent), Look(Screen()), 40))
    assert "iperf3" in text
    assert "crosses" not in text


def test_many_cpus_stand_where_something_is(counted: Table, make: Make) -> None:
    many = make([{"cpu": cpu, "numa_node": None, "rx_packets": cpu == 0} for cpu in range(64)])
    lines = list(processes(with_related(counted, cpus=many), Look(Screen(100)), 40))
    assert [line.split()[-1] for line in block(lines, "iperf3(25726)") if line[-2] == " "] == ["0", "2", "3"]
    assert "received: CPU 0 carries 100% of the packets, 64.0 times an even part of 64 CPUs" in lines


def test_evenness_falls_back_to_what_was_sent(counted: Table, make: Make) -> None:
    only_sent = make([{"cpu": cpu, "numa_node": None, "rx_packets": 0, "tx_packets": 5} for cpu in range(2)])
    assert "sent: 2 CPUs carry the packets evenly, at most 50% each" in processes(
        with_related(counted, cpus=only_sent), Look(Screen(100)), 40
    )


def test_a_page_without_any_process(empty: Table, counted: Table) -> None:
    assert list(processes(empty, Look(Screen(30)))) == [
        "0 flows  0 processes",
        "packets not counted",
        "",
        "no process that ran",
        "─" * 30,
    ]
    none = np.zeros(0, np.int64)
    related = {name: found.take(none) for name, found in counted.related.items()}
    lines = list(processes(replace(counted.take(none), related=related), Look(Screen(80)), 40))
    assert lines == [
        "0 flows  0 processes  received 0 packets  sent 0 packets  in 2s",
        "",
        "no process with packets",
        "─" * 80,
    ]


def test_without_counted_packets_the_time_is_what_is_known(uncounted: Table) -> None:
    lines = list(processes(uncounted, Look(Screen(80)), 40))
    assert lines[0] == "7 flows  3 processes  packets not counted  in 2s"
    assert not any(word in line for line in lines for word in ("SENT", "TX BYTES", "crosses"))
    assert len([line for line in block(lines, "firefox-bin(1190)") if line.startswith("tcp")]) == 3
    assert any(line.startswith("█SOFTIRQ") for line in lines)
    few = list(processes(uncounted, Look(Screen(80)), 2))
    assert "... 1 more flow: --all shows every one" in few
    assert "... 1 more process: --all shows every one" in few


# -- load


def test_load_says_both_ways_how_even_it_is(counted: Table) -> None:
    lines = list(load(counted, Look(Screen(100))))
    assert lines[0] == "7 flows  4 CPUs  sent 279MB  received 488MB  in 2s"
    assert "received: CPU 0 carries 98% of the packets, 3.9 times an even part of 4 CPUs" in lines
    assert "sent: CPU 2 carries 85% of the packets, 3.4 times an even part of 4 CPUs" in lines


def test_load_without_anything(empty: Table) -> None:
    assert list(load(empty, Look(Screen(80)))) == ["0 flows  0 CPUs  packets not counted", "", "no CPU"]
