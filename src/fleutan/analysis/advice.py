# SPDX-License-Identifier: Apache-2.0
"""What is worth doing about uneven queues and CPUs: why, and the exact commands that would change it.

Commands are composed from what was read and measured; nothing here runs them.  Each rule looks at
one device and direction, or at one process, and stays silent where little was carried or where
a change would not help.  Facts: Documentation/networking/scaling.rst, tc-mq(8), ethtool(8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from fleutan.analysis.cpus import listed
from fleutan.analysis.figures import numbers
from fleutan.analysis.queues import QUEUE, Balance, balance, keys_of, placed
from fleutan.analysis.totals import totals
from fleutan.column import text_column
from fleutan.table import Reading, Table

#: Fewer packets than these are not worth a change.
FEW = 1000
#: A process of which more than this share of packets crosses is worth one.
CROSSING = 0.5
#: By so much the busiest has to come nearer to an even part.
BETTER = 0.25
#: Flows that RFS keeps, as the kernel's documentation suggests for a moderately busy host.
RFS_FLOWS = 32768
#: Disciplines of a whole device that shape nothing: mq may take their place.
_PLAIN = ("pfifo_fast", "pfifo", "bfifo", "fq_codel", "fq", "codel", "sfq")


class Advice(NamedTuple):
    """What is worth doing: why, and root's commands for it."""

    reason: str
    commands: tuple[str, ...]


def table(found: Sequence[Advice], reading: Reading) -> Table:
    """The Table ``advice``: a row for each command, those of one piece of advice behind each other."""
    rows = [(each.reason, command) for each in found for command in each.commands]
    columns = {
        "advice": text_column([reason for reason, _ in rows]),
        "remedy": text_column([command for _, command in rows]),
    }
    return Table("advice", columns, replace(reading, notes=()))


@dataclass(frozen=True)
class Host:
    """What the rules know of the host: the NUMA node of every online CPU, and the size of RFS's table."""

    nodes: Mapping[int, int | None]
    rps_sock_flow_entries: int | None = None

    def near(self, node: int | None) -> tuple[int, ...]:
        """The CPUs of a node; all where it is unknown or has none."""
        there = tuple(sorted(cpu for cpu, other in self.nodes.items() if node is not None and other == node))
        return there or tuple(sorted(self.nodes))


@dataclass(frozen=True)
class _Side:
    """The queues of one device in one direction, what they carried by CPU, and in how many flows."""

    netns: str
    dev: str
    direction: str
    rows: Sequence[Mapping[str, Any]]
    by_cpu: Mapping[int, float]
    flows: int

    @property
    def here(self) -> str:
        return placed(self.netns, self.dev)

    @property
    def packets(self) -> float:
        return float(sum(row["packets"] or 0 for row in self.rows))

    def spread(self) -> Balance | None:
        """How evenly the queues carry."""
        return balance({row["queue"]: row["packets"] or 0 for row in self.rows})

    def all(self, name: str, value: Any) -> bool:
        """Whether a field has this value in all queues."""
        return all(row[name] == value for row in self.rows)

    def writing(self, file: str, values: Iterable[tuple[int, str]]) -> tuple[str, ...]:
        """Commands that write values to a file of each queue."""
        folder = f"/sys/class/net/{self.dev}/queues/{self.direction}-"
        return tuple(within(self.netns, f"echo {value} > {folder}{queue}/{file}") for queue, value in values)


def within(netns: str, command: str) -> str:
    """The command as it is given from the host; ip-netns(8) mounts the namespace's own /sys."""
    if netns == "host":
        return command
    return f"ip netns exec {netns} " + (f"sh -c '{command}'" if ">" in command else command)


def mask(cpus: Iterable[int]) -> str:
    """CPUs as the kernel reads a mask: hexadecimal, with a comma every 32 bits."""
    bits = sum(1 << cpu for cpu in set(cpus))
    words = [bits >> shift & 0xFFFF_FFFF for shift in range(0, max(bits.bit_length(), 1), 32)]
    return ",".join([f"{words[-1]:x}", *(f"{word:08x}" for word in reversed(words[:-1]))])


def of_queues(loads: Table, traffic: Table, host: Host) -> list[Advice]:
    """What is worth doing about the queues of each device.

    ``loads`` is the table ``queues`` ``with_loads`` of the traffic.  Devices in a namespace
    without a name are left out: no command line could name it.
    """
    if len(host.nodes) < 2:
        return []
    found = (rule(side, host) for side in _sides(loads, traffic) for rule in _RULES.get(side.direction, ()))
    return [advice for advice in found if advice is not None]


def _sides(loads: Table, traffic: Table) -> list[_Side]:
    """The sides of devices that carried enough to be worth a change."""
    columns = {name: column.objects() for name, column in loads.columns.items()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    grouped: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["netns"], row["dev"], row["direction"]), []).append(row)
    cpus, flows = _by_cpu(traffic), _flows(traffic)
    sides = [_Side(*key, found, cpus.get(key, {}), flows.get(key, 0)) for key, found in grouped.items()]
    return [side for side in sides if side.packets >= FEW and not (side.netns or "0").isdecimal()]


def _by_cpu(traffic: Table) -> dict[tuple[str, str, str], dict[int, float]]:
    sums = totals(traffic, (*QUEUE[:3], "cpu"), ("packets",))
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    packets = np.nan_to_num(numbers(sums, "packets")).tolist()
    for (*side, cpu), amount in zip(keys_of(sums, (*QUEUE[:3], "cpu")), packets, strict=True):
        netns, dev, direction = side
        if cpu is not None:
            found.setdefault((netns, dev, direction), {})[cpu] = amount
    return found


def _flows(traffic: Table) -> dict[tuple[str, str, str], int]:
    flow = ("proto", "src", "sport", "dst", "dport", "cookie")
    found: dict[tuple[str, str, str], int] = {}
    for netns, dev, direction in keys_of(totals(traffic, (*QUEUE[:3], *flow), ()), QUEUE[:3]):
        found[netns, dev, direction] = found.get((netns, dev, direction), 0) + 1
    return found


def _one_lock(side: _Side, _: Host) -> Advice | None:
    """Several tx queues behind one discipline that shapes nothing: mq gives each its own."""
    kind = side.rows[0]["qdisc"]
    shared = len(side.rows) > 1 and kind in _PLAIN and side.all("qdisc_bytes", None)
    if not shared:
        return None
    command = within(side.netns, f"tc qdisc replace dev {side.dev} root mq")
    return Advice(f"all {len(side.rows)} tx queues of {side.here} wait behind one {kind} and its lock", (command,))


def _xps(side: _Side, host: Host) -> Advice | None:
    """Uneven tx queues that no XPS assigns, where the sending CPUs are less uneven."""
    now = side.spread()
    if now is None or not now.uneven or not side.all("xps_cpus", ""):
        return None
    cpus = sorted(host.nodes)
    queues = [row["queue"] for row in side.rows]
    chosen = {cpu: queues[place % len(queues)] for place, cpu in enumerate(cpus)}
    after = dict.fromkeys(queues, 0.0)
    for cpu, packets in side.by_cpu.items():
        after[chosen.get(cpu, queues[0])] += packets
    then = balance(after)
    if then is None or then.ratio > now.ratio - BETTER:
        return None
    masks = {queue: mask(cpu for cpu in cpus if chosen[cpu] == queue) for queue in queues}
    values = [(queue, text) for queue, text in masks.items() if text != "0"]
    reason = (
        f"{now.sentence(f'{side.here} tx', 'queue', 'packets')}; by CPU (XPS) the busiest would carry {then.share:.0%}"
    )
    return Advice(reason, side.writing("xps_cpus", values))


def _concentrated(side: _Side, host: Host) -> tuple[int, float] | None:
    """The CPU that receives far more than its part of several flows, and its share."""
    cpus = host.near(side.rows[0]["numa_node"])
    spread = balance({**dict.fromkeys(cpus, 0.0), **side.by_cpu})
    return (spread.busiest, spread.share) if spread and spread.uneven and side.flows > 1 else None


def _more_queues(side: _Side, host: Host) -> Advice | None:
    """One CPU that receives for a device which could have more queues."""
    found = _concentrated(side, host)
    row = side.rows[0]
    count = min(row["channels_max"] or 0, len(host.nodes))
    if found is None or count <= len(side.rows):
        return None
    command = within(side.netns, f"ethtool -L {side.dev} {row['channels']} {count}")
    return Advice(
        f"CPU {found[0]} receives {found[1]:.0%} of the packets of {side.here}, "
        f"which has {len(side.rows)} of {row['channels_max']} queues",
        (command,),
    )


def _rps(side: _Side, host: Host) -> Advice | None:
    """One CPU that receives for a device which cannot have more queues."""
    found = _concentrated(side, host)
    if found is None or _more_queues(side, host) or _gathered(side, host) or not side.all("rps_cpus", ""):
        return None
    cpus = mask(host.near(side.rows[0]["numa_node"]))
    return Advice(
        f"CPU {found[0]} receives {found[1]:.0%} of the packets of {side.here}; RPS would spread {side.flows} flows",
        side.writing("rps_cpus", [(row["queue"], cpus) for row in side.rows]),
    )


def _gathered(side: _Side, host: Host) -> Advice | None:
    """Interrupts of several rx queues that go to fewer CPUs than they could."""
    rows = [row for row in side.rows if row["irqs"]]
    cpus = host.near(side.rows[0]["numa_node"])
    taking = {cpu for row in rows for cpu in listed(row["irq_effective_cpus"] or row["irq_cpus"])}
    if not taking or len(taking) >= min(len(rows), len(cpus)):
        return None
    commands = tuple(
        f"echo {cpus[place % len(cpus)]} > /proc/irq/{irq}/smp_affinity_list"
        for place, row in enumerate(rows)
        for irq in row["irqs"]
    )
    where = "CPU " + " and ".join(map(str, sorted(taking)))
    return Advice(
        f"the interrupts of {len(rows)} rx queues of {side.here} all go to {where}; "
        "irqbalance, where it runs, would move them back",
        commands,
    )


_RULES = {"tx": (_one_lock, _xps), "rx": (_more_queues, _gathered, _rps)}


def of_processes(crossings: Table, loads: Table, traffic: Table, host: Host) -> list[Advice]:
    """What is worth doing about packets that are received where their process does not run.

    ``crossings`` and ``loads`` are those tables of ``analysis``.  RFS takes packets to the CPU
    where the process reads; across NUMA nodes the process is better moved to its device's node.
    """
    found: list[Advice] = []
    names = ("pid", "pids", "proc", "rx_packets", "cross_cpu", "cross_numa")
    crossing: list[tuple[str, float]] = []
    for pid, pids, proc, packets, cross_cpu, cross_numa in keys_of(crossings, names):
        if packets < FEW or cross_cpu is None:
            continue
        if cross_cpu > CROSSING:
            crossing.append((proc or str(pid), cross_cpu))
        if cross_numa is not None and cross_numa > CROSSING and (node := _node_of(pids, loads, traffic)) is not None:
            cpus = ",".join(map(str, host.near(node)))
            told = (
                f"{proc or pid} runs away from NUMA node {node}, where its device is: {cross_numa:.0%} of its packets"
            )
            found.append(Advice(f"{told} cross", tuple(f"taskset -acp {cpus} {each}" for each in pids)))
    return [*found, *_rfs(crossing, loads, host)]


def _node_of(pids: tuple[int, ...], loads: Table, traffic: Table) -> int | None:
    """The NUMA node of the device by which most packets came to the processes; None where it has none."""
    known = keys_of(loads, (*QUEUE[:2], "numa_node"))
    nodes = {(netns, dev): node for netns, dev, node in known if node is not None}
    owner = "pids" if "pids" in traffic.columns else "pid"
    sums = totals(traffic, (owner, *QUEUE[:3]), ("packets",))
    packets = np.nan_to_num(numbers(sums, "packets")).tolist()
    found: dict[tuple[str, str], float] = {}
    for (held, netns, dev, direction), amount in zip(keys_of(sums, (owner, *QUEUE[:3])), packets, strict=True):
        if direction == "rx" and held in (pids, *pids[:1]):
            found[netns, dev] = found.get((netns, dev), 0) + amount
    return nodes.get(max(found, key=lambda key: found[key])) if found else None


def _rfs(crossing: Sequence[tuple[str, float]], loads: Table, host: Host) -> list[Advice]:
    """One piece of advice for all processes whose packets cross: RFS is the host's."""
    columns = {name: loads.columns[name].objects() for name in (*QUEUE, "rps_flow_cnt", "packets")}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    rows = [row for row in rows if row["direction"] == "rx" and not (row["netns"] or "0").isdecimal()]
    # Software devices do not say through which queue a packet came: it may be any of them.
    anywhere = {(row["netns"], row["dev"]): row["packets"] or 0 for row in rows if row["queue"] is None}
    without = [
        row
        for row in rows
        if row["rps_flow_cnt"] == 0
        if max(row["packets"] or 0, anywhere.get((row["netns"], row["dev"]), 0)) >= FEW
    ]
    if not crossing or not without:
        return []
    each = 1 << max(RFS_FLOWS // len(without), 1).bit_length() - 1  # the kernel takes powers of two
    commands = [] if host.rps_sock_flow_entries else [f"sysctl -w net.core.rps_sock_flow_entries={RFS_FLOWS}"]
    for row in without:
        file = f"/sys/class/net/{row['dev']}/queues/rx-{row['queue']}/rps_flow_cnt"
        commands.append(within(row["netns"], f"echo {each} > {file}"))
    who, share = max(crossing, key=lambda found: found[1])
    others = f" and {len(crossing) - 1} more" if len(crossing) > 1 else ""
    reason = (
        f"{share:.0%} of the packets of {who}{others} are received on a CPU where it does not run; RFS would follow it"
    )
    return [Advice(reason, tuple(commands))]
