# SPDX-License-Identifier: Apache-2.0
"""Queues of devices as a Table: how they are set up, who serves them, which discipline feeds them.

One look at the network namespaces that were asked for.  What lies between two looks is computed
in ``analysis.queues``; queueing disciplines become a Table in ``qdiscs``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fleutan.column import Column, text_column
from fleutan.errors import FleutanError
from fleutan.linux import namespaces
from fleutan.linux import qdiscs as tc
from fleutan.linux import queues as net
from fleutan.linux.cpus import cpus_of_mask, list_of_cpus
from fleutan.linux.namespaces import Namespace
from fleutan.linux.qdiscs import TC_H_ROOT, Qdisc
from fleutan.linux.queues import Channels, Device, Interrupt, Queue
from fleutan.sources import qdiscs as disciplines
from fleutan.sources.qdiscs import Placed, whole
from fleutan.table import Reading, Table

_SOURCE = "rtnetlink, sysfs, /proc/interrupts"
_INTERRUPTED = "queueing disciplines changed while they were read, again and again: some may be missing or double"
#: Kinds that have a discipline of its own for every tx queue, at class queue + 1.
_MULTIQUEUE = ("mq", "mqprio", "taprio")


@dataclass(frozen=True)
class Space:
    """What one network namespace has; ``interfaces`` are names by index."""

    namespace: Namespace
    interfaces: Mapping[int, str]
    qdiscs: Sequence[Qdisc] = ()
    devices: Sequence[Device] = ()
    channels: Mapping[str, Channels | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """All that was read: ``at_ns`` by the wall clock, ``steady_ns`` by one that nobody sets."""

    at_ns: int
    steady_ns: int
    spaces: Sequence[Space]
    interrupts: Sequence[Interrupt]
    notes: Sequence[str]


class Kernel(NamedTuple):
    """What is asked of Linux; whoever has figures of another origin puts them in its place."""

    qdiscs: Callable[[], tc.Dump] = tc.dump
    sysfs: Callable[[], AbstractContextManager[str]] = net.sysfs
    devices: Callable[[str], list[Device]] = net.devices
    channels: Callable[[str], Channels | None] = net.channels
    interrupts: Callable[[], list[Interrupt]] = net.interrupts
    affine: Callable[[Interrupt], Interrupt] = net.affine
    current: Callable[[], Namespace] = namespaces.current
    find: Callable[[str], Namespace] = namespaces.find
    every: Callable[[], tuple[list[Namespace], list[str]]] = namespaces.every
    entered: Callable[[Namespace], AbstractContextManager[None]] = namespaces.entered
    interfaces: Callable[[], dict[int, str]] = namespaces.interface_names


LINUX = Kernel()


def prepare() -> None:
    """Loads what the first look would load, so that it takes no longer than the next one."""
    with suppress(FleutanError):  # the look says what is missing
        tc.library()


def take(netns: str | None = None, kernel: Kernel = LINUX) -> Snapshot:
    """Reads the queues and disciplines of a namespace: a name, ``all``, or None for the current one.

    The calling thread must have no event loop running.  What cannot be read is missing, and the
    notes say so; raises FleutanError where the one namespace asked for cannot be entered.
    """
    if netns == "all":
        spaces, notes = kernel.every()
    else:
        spaces, notes = [kernel.current() if netns is None else kernel.find(netns)], []
    at_ns, steady_ns = time.time_ns(), time.monotonic_ns()
    found: list[Space] = []
    said = [*notes]
    for space in spaces:
        try:
            with kernel.entered(space):
                found.append(_space(space, said, kernel))
        except FleutanError as error:
            if len(spaces) == 1:
                raise
            said.append(str(error))
    return Snapshot(at_ns, steady_ns, found, _interrupts(found, said, kernel), tuple(dict.fromkeys(said)))


def _space(space: Namespace, notes: list[str], kernel: Kernel) -> Space:
    """What the calling thread's namespace has."""
    interfaces = kernel.interfaces()
    try:
        dump = kernel.qdiscs()
    except FleutanError as error:
        dump = tc.Dump([], False)
        notes.append(str(error))
    if dump.interrupted:
        notes.append(_INTERRUPTED)
    try:
        with kernel.sysfs() as root:
            devices = kernel.devices(root)
    except FleutanError as error:
        devices = []
        notes.append(str(error))
    channels = {device.name: kernel.channels(device.name) for device in devices}
    return Space(space, interfaces, dump.qdiscs, devices, channels)


def _interrupts(spaces: Sequence[Space], notes: list[str], kernel: Kernel) -> list[Interrupt]:
    """The interrupts of the queues, with the CPUs that they go to."""
    if all(device.irqs is None for space in spaces for device in space.devices):
        return []
    try:
        found = kernel.interrupts()
    except (OSError, ValueError) as error:
        notes.append(f"interrupts of the queues are unknown: /proc/interrupts: {error}")
        return []
    served = (net.serving(device, found) for space in spaces for device in space.devices)
    numbers = {interrupt.irq for places in served for some in places.values() for interrupt in some}
    return [kernel.affine(interrupt) for interrupt in found if interrupt.irq in numbers]


def qdiscs(snapshot: Snapshot, host: str = "") -> Table:
    """The Table ``qdiscs``: a row for every queueing discipline, then for every class, of each namespace."""
    placed = [
        Placed(space.namespace, space.interfaces.get(qdisc.ifindex, f"if{qdisc.ifindex}"), qdisc)
        for space in snapshot.spaces
        for qdisc in space.qdiscs
    ]
    return Table("qdiscs", disciplines.columns(placed), _reading(snapshot, host))


def queues(snapshot: Snapshot, host: str = "") -> Table:
    """The Table ``queues``: a row for every queue in use of every device, rx before tx.

    ``qdisc`` and ``handle`` are of the discipline that feeds the tx queue; its counts stand here
    only where it feeds no other queue.  ``numa_node`` is the device's.
    """
    rows = [row for space in snapshot.spaces for row in _rows(space, snapshot.interrupts)]
    queue = [row.queue for row in rows]
    columns = {
        "netns": text_column([row.namespace.name for row in rows]),
        "netns_inode": whole([row.namespace.inode for row in rows]),
        "dev": text_column([row.device.name for row in rows]),
        "numa_node": whole([row.device.numa_node for row in rows]),
        "direction": text_column([found.direction for found in queue]),
        "queue": whole([found.number for found in queue]),
        "qdisc": text_column([row.qdisc.kind if row.qdisc else None for row in rows]),
        "handle": text_column([tc.spelled(row.qdisc.handle) if row.qdisc else None for row in rows]),
        **disciplines.counts([row.qdisc if row.alone else None for row in rows]),
        "bql_limit": whole([found.limit for found in queue]),
        "bql_limit_min": whole([found.limit_min for found in queue]),
        "bql_limit_max": whole([found.limit_max for found in queue]),
        "bql_inflight": whole([found.inflight for found in queue]),
        "xps_cpus": text_column([_listed(found.xps_cpus) for found in queue]),
        "xps_rxqs": text_column([_listed(found.xps_rxqs) for found in queue]),
        "rps_cpus": text_column([_listed(found.rps_cpus) for found in queue]),
        "rps_flow_cnt": whole([found.rps_flow_cnt for found in queue]),
        "irqs": _numbers([tuple(interrupt.irq for interrupt in row.interrupts) for row in rows]),
        "irq_cpus": text_column([_joined([found.affinity for found in row.interrupts]) for row in rows]),
        "irq_effective_cpus": text_column([_joined([found.effective for found in row.interrupts]) for row in rows]),
        "interrupts": whole([sum(found.taken for found in row.interrupts) if row.interrupts else None for row in rows]),
        "channels": text_column([row.channels for row in rows]),
        "channels_max": whole([row.channels_max for row in rows]),
    }
    return Table("queues", columns, _reading(snapshot, host))


class _Row(NamedTuple):
    """A queue with all that belongs to it; ``alone`` where its discipline feeds no other queue."""

    namespace: Namespace
    device: Device
    queue: Queue
    interrupts: Sequence[Interrupt]
    qdisc: Qdisc | None
    alone: bool
    channels: str | None
    channels_max: int | None


def _rows(space: Space, interrupts: Sequence[Interrupt]) -> Iterator[_Row]:
    below: dict[int, dict[int, Qdisc]] = {}
    for qdisc in space.qdiscs:
        if qdisc.layer == "qdisc":
            below.setdefault(qdisc.ifindex, {})[qdisc.parent] = qdisc
    for device in space.devices:
        served = net.serving(device, interrupts)
        senders = sum(queue.direction == "tx" for queue in device.queues)
        for queue in device.queues:
            feeding, alone = _feeding(below.get(device.ifindex, {}), queue, senders)
            channels = _channels(space.channels.get(device.name), queue)
            found = served.get((queue.direction, queue.number), ())
            yield _Row(space.namespace, device, queue, found, feeding, alone, *channels)


def _feeding(by_parent: Mapping[int, Qdisc], queue: Queue, senders: int) -> tuple[Qdisc | None, bool]:
    """The discipline that feeds a tx queue, and whether it feeds that queue alone."""
    root = by_parent.get(TC_H_ROOT)
    if root is None or queue.direction == "rx":
        return None, False
    if root.kind in _MULTIQUEUE:
        own = by_parent.get(root.handle | queue.number + 1)
        return own or root, own is not None
    return root, senders == 1


def _channels(found: Channels | None, queue: Queue) -> tuple[str | None, int | None]:
    """What ``ethtool -L`` calls such queues, and how many there can be."""
    if found is None:
        return None, None
    own = (found.max_rx, found.rx) if queue.direction == "rx" else (found.max_tx, found.tx)
    if found.max_combined and queue.number >= own[1]:
        return "combined", found.max_combined
    return queue.direction, own[0]


def _listed(mask: str | None) -> str | None:
    """A mask as a list; None where it is none."""
    try:
        return None if mask is None else list_of_cpus(cpus_of_mask(mask))
    except ValueError:
        return None


def _joined(lists: Sequence[str | None]) -> str | None:
    """The lists of a queue's interrupts: one where they are alike; None where one is unknown."""
    known = [text for text in lists if text is not None]
    return ",".join(dict.fromkeys(known)) if known and len(known) == len(lists) else None


def _numbers(rows: Sequence[tuple[int, ...]]) -> Column:
    """A column of lists; unknown where there is none."""
    codes: dict[tuple[int, ...], int] = {(): -1}
    values = [codes.setdefault(row, len(codes) - 1) for row in rows]
    return Column(np.array(values, np.int32), None, tuple(codes)[1:])


def _reading(snapshot: Snapshot, host: str) -> Reading:
    names = [space.namespace.name for space in snapshot.spaces]
    return Reading(host, names[0] if len(names) == 1 else "all", snapshot.at_ns, 0, _SOURCE, tuple(snapshot.notes))
