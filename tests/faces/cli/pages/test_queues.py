# SPDX-License-Identifier: Apache-2.0
"""Queues as a page, from tables made by hand; the golden ones are read by people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fleutan.faces.cli.layout import cell_width
from fleutan.faces.cli.pages import UNFOLDED, Look
from fleutan.faces.cli.pages.queues import page
from fleutan.faces.cli.terminal import Screen
from fleutan.table import Table

Rows = list[dict[str, Any]]
Make = Callable[..., Table]

HOST = {"netns": "host", "netns_inode": 4026531840}
_COUNTS = ("qdisc_bytes", "qdisc_packets", "qdisc_drops", "overlimits", "requeues", "backlog_bytes", "backlog_packets")


def tx(queue: int, qdisc: str, handle: str, carried: int, counts: tuple[int, ...] = (), **more: Any) -> dict[str, Any]:
    told = dict(zip(_COUNTS, counts, strict=False))
    fed = {"direction": "tx", "queue": queue, "qdisc": qdisc, "handle": handle, **told}
    return {**HOST, "dev": "eth0", **fed, "bytes": carried, "packets": carried // 1000, "xps_cpus": "", **more}


def rx(queue: int | None, carried: int, **more: Any) -> dict[str, Any]:
    place = {"direction": "rx", "queue": queue, "bytes": carried, "packets": carried // 1000}
    return {**HOST, "dev": "eth0", **place, "rps_cpus": "", **more}


def fed(layer: str, qdisc: str, handle: str, parent: str, *counts: int, options: str | None = None) -> dict[str, Any]:
    told = dict(zip(_COUNTS, counts, strict=False))
    kind = {"layer": layer, "qdisc": qdisc, "handle": handle, "parent": parent, "qdisc_options": options}
    return {**HOST, "dev": "eth0", **kind, **told}


def flow(place: str, carried: int, remote: str, proc: str = "nginx(812)", **more: Any) -> dict[str, Any]:
    """A flow of ``DEV DIRECTION QUEUE``."""
    dev, direction, queue = place.split()
    where = {"dev": dev, "direction": direction, "queue": None if queue == "-" else int(queue)}
    ends = {"src": "10.9.0.1", "sport": 443, "dst": remote, "dport": 40_000 + carried % 1000, "proto": "tcp"}
    return {**HOST, **where, **ends, "bytes": carried, "packets": max(carried // 1000, 1), "proc": proc, **more}


QUEUES: Rows = [
    {**HOST, "dev": "lo", "direction": "rx", "queue": 0, "bytes": 0, "packets": 0, "rps_cpus": ""},
    {**HOST, "dev": "lo", "direction": "tx", "queue": 0, "bytes": 0, "packets": 0, "qdisc": "noqueue", "handle": "0:"},
    rx(0, 90_000_000, irq_effective_cpus="0"),
    rx(1, 10_000_000, irq_effective_cpus="1", rps_cpus="0-3"),
    tx(
        0, "htb", "10:", 48_000_000, (48_000_000, 48_000, 12, 950, 3, 64_000, 42), bql_limit=130_000, bql_inflight=9_000
    ),
    tx(1, "fq_codel", "20:", 2_000_000, (2_000_000, 2_000, 0, 0, 0, 0, 0), bql_limit=130_000, bql_inflight=0),
    {
        "netns": "shop",
        "netns_inode": 4026532000,
        "dev": "eth\x1b[31m",
        "direction": "tx",
        "queue": 0,
        "bytes": 700,
        "packets": 7,
        "qdisc": "noqueue",
        "handle": "0:",
        "xps_cpus": "",
    },
]
QDISCS: Rows = [
    {**HOST, "dev": "lo", "layer": "qdisc", "qdisc": "noqueue", "handle": "0:", "parent": "root"},
    fed("qdisc", "mq", "8:", "root", 50_000_000, 50_000, 12, 950, 3, 64_000, 42),
    fed("qdisc", "fq_codel", "20:", "8:2", 2_000_000, 2_000, 0, 0, 0, 0, 0, options="limit 10240p target 5ms"),
    fed("qdisc", "htb", "10:", "8:1", 48_000_000, 48_000, 12, 950, 3, 64_000, 42, options="default 20"),
    fed("class", "htb", "10:20", "10:1", 48_000_000, 48_000, 12, 900, 0, 64_000, 42, options="rate 100Mbit ceil 1Gbit"),
    fed("class", "htb", "10:1", "root", 48_000_000, 48_000, 0, 50, 0, 0, 0, options="rate 1Gbit ceil 1Gbit"),
    fed("class", "htb", "10:3", "10:1", 0, 0, 0, 0, 0, 0, 0, options="prio 3 rate 50Mbit ceil 1Gbit"),
]
VOLUMES: Rows = [
    flow("eth0 rx 0", 90_000_000, "10.9.0.77"),
    flow("eth0 rx 1", 10_000_000, "10.9.0.77"),
    flow("eth0 tx 0", 42, "10.9.0.5", ""),
    flow("eth0 tx 0", 7_999_958, "2001:db8::5", "ev\x1b[31m\nil(66)", src="2001:db8::1"),
    flow("eth0 tx 0", 40_000_000, "10.9.0.77"),
    flow("eth0 tx 1", 2_000_000, "10.9.0.78", "日本語(77)"),
    flow("eth\x1b[31m tx -", 700, "10.9.0.79", netns="shop"),
]
ADVICE: Rows = [
    {"advice": "the interrupts of 2 rx queues of eth0 all go to CPU 0", "remedy": "echo 0 > /proc/irq/41/affinity"},
    {"advice": "the interrupts of 2 rx queues of eth0 all go to CPU 0", "remedy": "echo 1 > /proc/irq/42/affinity"},
    {
        "advice": "eth1 in shop waits behind one pfifo_fast and its lock",
        "remedy": "ip netns exec shop tc qdisc replace dev eth1 root mq",
    },
]


@pytest.fixture
def asked(changed: Table, make: Make) -> Callable[..., Table]:
    """Makes flows with these tables beside them; one that is None is not there."""
    given = {"queues": QUEUES, "qdiscs": QDISCS, "volumes": VOLUMES, "advice": ADVICE}

    def table(counted: bool = True, **rows: Rows | None) -> Table:
        related = {kind: make(found) for kind, found in {**given, **rows}.items() if found is not None}
        sums = {"tx_bytes": 50_000_700, "rx_bytes": 100_000_000} if counted else {}
        one = make([{**dict.fromkeys(sums, 0), "tx_rate": 8, "rx_rate": None}, {**sums, "tx_rate": 8}])
        flows = changed.take(np.arange(2)).with_columns(one.columns)
        return replace(flows, related=related)

    return table


def uncounted(rows: Rows = QUEUES) -> Rows:
    return [{name: value for name, value in row.items() if name not in ("bytes", "packets")} for row in rows]


def drawn(table: Table, screen: Screen = Screen(100), most: int | None = None, heading: bool = True) -> list[str]:  # noqa: B008
    return list(page(table, Look(screen, heading), most))


SCREENS = {
    **{str(width): Screen(width) for width in (100, 80, 40)},
    "pipe": Screen(),
    "ascii": Screen(80, blocks=False),
    "colour": Screen(80, colour=True),
}


@pytest.mark.parametrize("name", SCREENS)
def test_golden(name: str, asked: Callable[..., Table], golden: Callable[[str, str], None]) -> None:
    golden(f"queues-{name}", "".join(f"{line}\n" for line in drawn(asked(), SCREENS[name], 2)))


@pytest.mark.parametrize("name", ["80", "pipe"])
def test_golden_without_counted_packets(
    name: str, asked: Callable[..., Table], golden: Callable[[str, str], None]
) -> None:
    table = asked(counted=False, queues=uncounted(), volumes=None, advice=None)
    golden(f"queues-uncounted-{name}", "".join(f"{line}\n" for line in drawn(table, SCREENS[name])))


@pytest.mark.parametrize("width", [24, 30, 40, 57, 80, 100, 137])
@pytest.mark.parametrize("most", [None, 1])
def test_no_line_is_longer_than_the_screen(width: int, most: int | None, asked: Callable[..., Table]) -> None:
    for table in (asked(), asked(counted=False, queues=uncounted(), volumes=None)):
        for line in drawn(table, Screen(width), most):
            assert cell_width(line) <= width
            assert line.isprintable()


def test_without_tables_there_is_a_summary(changed: Table) -> None:
    bare = replace(changed, related={})
    assert drawn(bare) == ["9 flows  0 devices  sent 6.37Mbps  received 49.0Mbps  in 1s", ""]
    assert drawn(bare, heading=False) == []
    assert drawn(bare.take(np.zeros(len(bare), np.bool_)))[0] == "0 flows  0 devices  in 1s"
    assert drawn(replace(bare, reading=replace(bare.reading, interval_ns=0)))[0].endswith("received 49.0Mbps")


def test_the_busiest_device_comes_first_and_what_carried_nothing_last(asked: Callable[..., Table], make: Make) -> None:
    lines = drawn(asked(advice=None))
    assert [line for line in lines if "sent" in line] == [
        "2 flows  2 devices  sent 50.0MB  received 100MB  in 1s",
        "eth0  sent 50MB  received 100MB  dropped 12",
        "eth\\x1b[31m in shop  sent 700B",
    ]
    assert lines[-1] == "nothing by: lo"


def test_a_device_that_drops_all_is_not_silent(asked: Callable[..., Table]) -> None:
    rows = [tx(0, "pfifo", "1:", 0, (0, 0, 7))]
    lines = drawn(asked(queues=rows, qdiscs=[fed("qdisc", "pfifo", "1:", "root", 0, 0, 7)], volumes=[], advice=[]))
    assert lines[2] == "eth0  sent 0  dropped 7"
    assert lines[-2].split() == ["0", "0", "0", "pfifo", "1:", "7", "not", "set"]


def test_a_bar_is_red_where_packets_were_dropped(asked: Callable[..., Table]) -> None:
    lines = drawn(asked(), Screen(80, colour=True))
    assert "\x1b[31m██" in next(line for line in lines if " htb " in line)
    assert "\x1b[32m" in next(line for line in lines if " fq_codel " in line)


def test_evenness_is_told_of_several_queues(asked: Callable[..., Table]) -> None:
    lines = drawn(asked())
    assert "eth0 tx: queue 0 carries 96% of the bytes, 1.9 times an even part of 2 queues" in lines
    assert "eth0 rx: queue 0 carries 90% of the bytes, 1.8 times an even part of 2 queues" in lines
    assert not [line for line in lines if "shop tx:" in line]


def test_packets_of_no_queue_that_is_known(asked: Callable[..., Table]) -> None:
    rows = [rx(0, 0, rps_cpus="0-1"), rx(1, 0), rx(2, 5000), rx(None, 70_000, rps_cpus=None)]
    volumes = [flow("eth0 rx -", 70_000, "10.9.0.77"), flow("eth0 rx 2", 5000, "10.9.0.77")]
    lines = drawn(asked(queues=rows, qdiscs=None, volumes=volumes, advice=None), Screen(80, blocks=False))
    start = lines.index("eth0  received 75kB")
    assert [line.lstrip("# ").split() for line in lines[start + 2 : start + 5]] == [
        ["0", "-", "-", "0-1"],
        ["2", "5kB", "5", "not", "set"],
        ["-", "70kB", "70", "-"],
    ]
    assert lines[start + 5] == "eth0 rx: which queue 70kB went through is not known"
    assert "eth0 rx, queue not known  1 flow  70kB" in lines
    assert lines.index("eth0 rx 2  1 flow  5kB") < lines.index("eth0 rx, queue not known  1 flow  70kB")


def test_an_unknown_queue_of_a_device_with_one_is_that_one(asked: Callable[..., Table]) -> None:
    volumes = [flow("eth0 rx -", 70, "10.9.0.1"), flow("eth0 rx 0", 50, "10.9.0.2"), flow("eth0 rx 0", 90, "10.9.0.3")]
    lines = drawn(asked(queues=[rx(0, 210)], qdiscs=None, volumes=volumes, advice=None))
    start = lines.index("eth0 rx 0  3 flows  210B")
    assert [line.split()[1] for line in lines[start + 1 : start + 4]] == ["50B", "70B", "90B"]


def test_flows_ascend_and_the_smallest_are_folded(asked: Callable[..., Table]) -> None:
    lines = drawn(asked(), Screen(80, blocks=False), most=1)
    start = lines.index("eth0 tx 0  3 flows  48MB")
    assert lines[start + 1] == "... 2 more flows from 42B to 8.00MB: --all shows every one"
    assert lines[start + 2].split()[1] == "40MB"
    every = drawn(asked(), Screen(80, blocks=False))
    start = every.index("eth0 tx 0  3 flows  48MB")
    assert [line.lstrip("# ").split()[0] for line in every[start + 1 : start + 4]] == ["42B", "8.00MB", "40MB"]
    alike = [flow("eth0 rx 0", 60, "10.9.0.77")] * 3
    lines = drawn(asked(volumes=alike), most=1)
    assert "... 2 more flows of 60B: --all shows every one" in lines


def test_of_many_queues_and_devices_some_are_folded(asked: Callable[..., Table]) -> None:
    many = [rx(queue, 1000 * (queue == 55)) for queue in range(60)]
    idle = [rx(0, 0, dev=f"veth{number}") for number in range(50)]
    table = asked(queues=[*many, *idle], qdiscs=None, volumes=None, advice=None)
    lines = drawn(table, most=UNFOLDED)
    assert "... 20 more queues: --all shows every one" in lines
    assert lines[3 + UNFOLDED].split()[1:3] == ["55", "1kB"]
    assert lines[-1] == "... 10 more devices: --all shows every one"
    assert not [line for line in drawn(table) if "more" in line]


def test_without_counted_packets_disciplines_tell(asked: Callable[..., Table]) -> None:
    shared = [tx(queue, "htb", "10:", 0) for queue in range(2)]
    root = [fed("qdisc", "htb", "10:", "root", 9000, 9, 0)]
    lo = [row for row in QUEUES if row["dev"] == "lo"]
    table = asked(counted=False, queues=uncounted([*lo, *shared, rx(0, 0)]), qdiscs=root, volumes=None, advice=None)
    assert drawn(table) == [
        "2 flows  1 device  sent 16bps  in 1s",
        "",
        "eth0  sent 9kB  dropped 0",
        "TX QUEUE  QDISC  HANDLE  XPS CPUS",
        "       0  htb    10:     not set",
        "       1  htb    10:     not set",
        "QDISC  HANDLE  PARENT  BYTES  PACKETS  DROPS",
        "htb    10:     root      9kB        9      0",
        "─" * 100,
        "not known, for nothing counts there: lo",
    ]


def test_without_headings_sections_keep_their_names(asked: Callable[..., Table]) -> None:
    lines = drawn(asked(), heading=False)
    assert lines[0] == "eth0  sent 50MB  received 100MB  dropped 12"
    assert not [line for line in lines if "BYTES" in line]
    assert "eth0 tx 1  1 flow  2MB" in lines


def test_a_device_whose_namespace_is_gone(asked: Callable[..., Table]) -> None:
    lines = drawn(asked(queues=[rx(None, 9000, netns=None, dev=None)], qdiscs=None, volumes=None, advice=None))
    assert lines[2] == "- in -  received 9kB"
