# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fleutan.analysis import advice
from fleutan.analysis.advice import Advice, Host
from fleutan.analysis.cpus import by_process, crossings
from fleutan.analysis.queues import with_loads
from fleutan.column import Column, text_column
from fleutan.table import Reading, Table

FOUR = Host({0: 0, 1: 0, 2: 1, 3: 1})
PLAIN = Host({0: None, 1: None, 2: None, 3: None}, 4096)
SETTINGS = {
    "netns": "host",
    "dev": "eth0",
    "direction": "rx",
    "queue": 0,
    "qdisc": None,
    "qdisc_bytes": None,
    "numa_node": None,
    "xps_cpus": None,
    "rps_cpus": "",
    "rps_flow_cnt": 0,
    "irqs": None,
    "irq_cpus": None,
    "irq_effective_cpus": None,
    "channels": None,
    "channels_max": None,
}
TEXTS = ("netns", "dev", "direction", "qdisc", "xps_cpus", "rps_cpus", "irq_cpus", "irq_effective_cpus", "channels")
COUNTED = ("netns", "dev", "direction", "queue", "cpu", "sport", "packets", "pids", "proc")


def column(name: str, values: Sequence[Any]) -> Column:
    if name in (*TEXTS, "proc"):
        return text_column(values)
    known = np.array([value is not None for value in values], np.bool_)
    if name in ("irqs", "pids"):
        words = tuple(dict.fromkeys(value for value in values if value is not None))
        return Column(np.array([-1 if v is None else words.index(v) for v in values], np.int32), None, words)
    return Column(np.array([value or 0 for value in values], np.int64), known)


def queue_table(*rows: dict[str, Any]) -> Table:
    full = [SETTINGS | row for row in rows]
    return Table("queues", {name: column(name, [row[name] for row in full]) for name in SETTINGS})


def traffic(*rows: Sequence[Any]) -> Table:
    """Rows of COUNTED from ``direction`` on, of eth0 on the host."""
    full = [("host", "eth0", *row, *((None, None) if len(row) == 5 else ())) for row in rows]
    return Table("traffic", {name: column(name, [row[place] for row in full]) for place, name in enumerate(COUNTED)})


def advised(queues: Table, counted: Table, host: Host = PLAIN) -> list[Advice]:
    return advice.of_queues(with_loads(queues, counted), counted, host)


def receivers(count: int, **settings: Any) -> Table:
    return queue_table(*({"queue": number, **settings} for number in range(count)))


def senders(count: int, **settings: Any) -> Table:
    return queue_table(*({"direction": "tx", "queue": number, "xps_cpus": "", **settings} for number in range(count)))


#: Two flows that CPU 2 receives by queue 0.
ON_ONE = traffic(("rx", 0, 2, 5, 700), ("rx", 0, 2, 6, 800))


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [((), "0"), ((0, 1), "3"), ((31,), "80000000"), ((32,), "1,00000000"), ((0, 35, 64), "1,00000008,00000001")],
)
def test_masks_as_the_kernel_reads_them(cpus: tuple[int, ...], expected: str) -> None:
    assert advice.mask(cpus) == expected


def test_commands_for_another_namespace() -> None:
    assert advice.within("host", "tc qdisc") == "tc qdisc"
    assert advice.within("web", "tc qdisc") == "ip netns exec web tc qdisc"
    assert advice.within("web", "echo 1 > /sys/x") == "ip netns exec web sh -c 'echo 1 > /sys/x'"


def test_several_queues_behind_one_discipline() -> None:
    counted = traffic(("tx", 0, 0, 5, 900), ("tx", 1, 1, 6, 900))
    [found] = advised(senders(2, qdisc="pfifo_fast", xps_cpus="0"), counted)
    assert found.commands == ("tc qdisc replace dev eth0 root mq",)
    assert "all 2 tx queues of eth0 wait behind one pfifo_fast" in found.reason
    for settings in ({"qdisc": "htb"}, {"qdisc": "pfifo_fast", "qdisc_bytes": 5}, {"qdisc": None}):
        assert advised(senders(2, xps_cpus="0", **settings), counted) == []


def test_queues_by_the_cpu_that_sends() -> None:
    counted = traffic(*(("tx", 1, cpu, cpu, 500) for cpu in range(4)))
    [found] = advised(senders(2), counted)
    assert found.commands == (
        "echo 5 > /sys/class/net/eth0/queues/tx-0/xps_cpus",
        "echo a > /sys/class/net/eth0/queues/tx-1/xps_cpus",
    )
    assert found.reason.startswith("eth0 tx: queue 1 carries 100% of the packets")
    assert found.reason.endswith("by CPU (XPS) the busiest would carry 50%")


def test_more_queues_than_cpus_leaves_some_without() -> None:
    counted = traffic(*(("tx", 1, cpu, cpu, 500) for cpu in range(4)))
    [found] = advised(senders(6), counted)
    assert found.commands[-1] == "echo 8 > /sys/class/net/eth0/queues/tx-3/xps_cpus"
    assert len(found.commands) == 4


def test_xps_would_not_help_one_sending_cpu() -> None:
    assert advised(senders(2), traffic(("tx", 1, 0, 5, 2000))) == []
    assert advised(senders(2), traffic(("tx", 1, 9, 5, 2000))) == []
    assert advised(senders(2, xps_cpus="0-3"), traffic(*(("tx", 1, cpu, 5, 500) for cpu in range(4)))) == []
    assert advised(senders(2), traffic(*(("tx", cpu % 2, cpu, 5, 500) for cpu in range(4)))) == []


def test_a_device_that_could_have_more_queues() -> None:
    [found] = advised(receivers(1, channels="combined", channels_max=16), ON_ONE)
    assert found.commands == ("ethtool -L eth0 combined 4",)
    assert found.reason == "CPU 2 receives 100% of the packets of eth0, which has 1 of 16 queues"


def test_a_device_that_has_all_its_queues_is_spread_by_rps() -> None:
    [found] = advised(receivers(1, channels="combined", channels_max=1), ON_ONE)
    assert found.commands == ("echo f > /sys/class/net/eth0/queues/rx-0/rps_cpus",)
    assert found.reason == "CPU 2 receives 100% of the packets of eth0; RPS would spread 2 flows"
    [near] = advised(receivers(1, numa_node=1), ON_ONE, FOUR)
    assert near.commands == ("echo c > /sys/class/net/eth0/queues/rx-0/rps_cpus",)
    assert advised(receivers(1, rps_cpus="0-3"), ON_ONE) == []


def test_one_flow_or_an_even_spread_needs_nothing() -> None:
    assert advised(receivers(1), traffic(("rx", 0, 2, 5, 5000))) == []
    assert advised(receivers(1), traffic(*(("rx", 0, cpu, cpu, 500) for cpu in range(4)))) == []
    assert advised(receivers(1), traffic(("rx", 0, 2, 5, 500), ("rx", 0, None, 6, 499))) == []


def test_interrupts_that_all_go_to_one_cpu() -> None:
    rows = [{"queue": number, "irqs": (40 + number,), "irq_effective_cpus": "2"} for number in range(3)]
    [found] = advised(queue_table(*rows), ON_ONE)
    assert found.commands == (
        "echo 0 > /proc/irq/40/smp_affinity_list",
        "echo 1 > /proc/irq/41/smp_affinity_list",
        "echo 2 > /proc/irq/42/smp_affinity_list",
    )
    assert found.reason.startswith("the interrupts of 3 rx queues of eth0 all go to CPU 2;")
    spread = [row | {"irq_effective_cpus": str(row["queue"]), "rps_cpus": "1"} for row in rows]
    assert advised(queue_table(*spread), ON_ONE) == []


def test_what_is_left_alone() -> None:
    assert advised(receivers(1), ON_ONE, Host({0: None})) == []
    assert advised(receivers(1), traffic(("rx", 0, 2, 5, 499), ("rx", 0, 2, 6, 500))) == []
    lost = Table("traffic", {**ON_ONE.columns, "netns": text_column(["4026532468"] * 2)})
    assert advised(receivers(1, netns="4026532468"), lost) == []
    odd = Table("traffic", {**ON_ONE.columns, "direction": text_column(["other"] * 2)})
    assert advised(receivers(1, direction="other"), odd) == []


def runs(*rows: tuple[int, int, int]) -> Table:
    names = ("pid", "cpu", "run_time", "run_time_estimated")
    return Table("runs", {name: column(name, [(*row, 0)[place] for row in rows]) for place, name in enumerate(names)})


def of_processes(queues: Table, counted: Table, ran: Table, host: Host) -> list[Advice]:
    nodes = {cpu: node for cpu, node in host.nodes.items() if node is not None}
    return advice.of_processes(crossings(by_process(ran, counted, nodes)), with_loads(queues, counted), counted, host)


def test_packets_that_arrive_where_the_process_does_not_run() -> None:
    counted = traffic(("rx", 0, 1, 5, 3000, (7,), "web(7)"), ("rx", 1, 1, 6, 1500, (8,), "db(8)"))
    [found] = of_processes(receivers(2), counted, runs((7, 0, 90), (8, 0, 10)), Host({0: None, 1: None}, 0))
    assert found.commands == (
        "sysctl -w net.core.rps_sock_flow_entries=32768",
        "echo 16384 > /sys/class/net/eth0/queues/rx-0/rps_flow_cnt",
        "echo 16384 > /sys/class/net/eth0/queues/rx-1/rps_flow_cnt",
    )
    assert found.reason.startswith("100% of the packets of web(7) and 1 more are received on a CPU")
    [again] = of_processes(receivers(1), counted, runs((7, 0, 90), (8, 1, 10)), PLAIN)
    assert again.commands == ("echo 32768 > /sys/class/net/eth0/queues/rx-0/rps_flow_cnt",)
    assert "and 1 more" not in again.reason


def test_packets_of_which_no_queue_is_known_may_have_come_through_any() -> None:
    counted = traffic(("rx", None, 1, 5, 3000, (7,), "web(7)"))
    [found] = of_processes(receivers(2), counted, runs((7, 0, 90)), Host({0: None, 1: None}, 32768))
    assert found.commands == (
        "echo 16384 > /sys/class/net/eth0/queues/rx-0/rps_flow_cnt",
        "echo 16384 > /sys/class/net/eth0/queues/rx-1/rps_flow_cnt",
    )


def test_the_rows_of_advice_are_its_commands() -> None:
    told = [Advice("because", ("do this", "and that")), Advice("else", ("other",))]
    found = advice.table(told, Reading("mine", notes=("a note",)))
    assert list(found.rows()) == [
        {"advice": "because", "remedy": "do this"},
        {"advice": "because", "remedy": "and that"},
        {"advice": "else", "remedy": "other"},
    ]
    assert (found.kind, found.reading.host, found.reading.notes) == ("advice", "mine", ())
    assert len(advice.table([], Reading())) == 0


def test_a_process_away_from_its_devices_node() -> None:
    counted = traffic(("rx", 0, 3, 5, 3000, (7, 8), "web(7)"), ("tx", 0, 3, 5, 9000, (7, 8), "web(7)"))
    found = of_processes(receivers(1, numa_node=1, rps_flow_cnt=64), counted, runs((7, 0, 90), (8, 1, 10)), FOUR)
    assert found == [
        Advice(
            "web(7) runs away from NUMA node 1, where its device is: 100% of its packets cross",
            ("taskset -acp 2,3 7", "taskset -acp 2,3 8"),
        )
    ]
    assert of_processes(receivers(1, rps_flow_cnt=64), counted, runs((7, 0, 90)), FOUR) == []


def test_processes_that_are_left_alone() -> None:
    few = traffic(("rx", 0, 1, 5, 999, (7,), "web(7)"))
    assert of_processes(receivers(1), few, runs((7, 0, 90)), PLAIN) == []
    many = traffic(("rx", 0, 1, 5, 9999, (7,), "web(7)"))
    assert of_processes(receivers(1), many, runs((9, 0, 90)), PLAIN) == []
    assert of_processes(receivers(1), many, runs((7, 1, 90)), PLAIN) == []
    assert of_processes(receivers(1, rps_flow_cnt=5), many, runs((7, 0, 90)), PLAIN) == []
    sent = traffic(("tx", 0, 1, 5, 9999, (7,), "web(7)"))
    assert of_processes(receivers(1), sent, runs((7, 0, 90)), PLAIN) == []


def test_the_node_of_a_process_known_by_its_number_only() -> None:
    counted = traffic(("rx", 0, 3, 5, 3000, (7,), "web(7)"))
    alone = Table("traffic", {**counted.columns, "pid": column("pid", [7])})
    bare = Table("traffic", {name: found for name, found in alone.columns.items() if name not in ("pids", "proc")})
    [found] = of_processes(receivers(1, numa_node=1, rps_flow_cnt=64), bare, runs((7, 0, 90)), FOUR)
    assert found.commands == ("taskset -acp 2,3 7",)
    assert found.reason.startswith("7 runs away from NUMA node 1")
