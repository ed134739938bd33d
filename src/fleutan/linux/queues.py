# SPDX-License-Identifier: Apache-2.0
"""Queues of network devices as /sys shows them, and the interrupts that serve them.

A mount of sysfs shows the network namespace of whoever mounted it, wherever it is read.  So
``sysfs`` gives one of the calling thread's; every other function takes its root.  Only queues
in use are listed (``real_num_tx_queues``).  Queueing disciplines are read in ``qdiscs``.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from fleutan.errors import NotSupported
from fleutan.linux.cpus import SYS, number, read
from fleutan.linux.proc import PROC

Direction = Literal["rx", "tx"]

#: Numbers of system calls that are the same on every architecture (include/uapi/asm-generic/unistd.h).
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC, _CMD_CREATE = 1, 6
_SIOCETHTOOL, _ETHTOOL_GCHANNELS = 0x8946, 0x3C
_CHANNELS = struct.Struct("=9I")
_BQL = ("limit", "limit_min", "limit_max", "inflight")
#: How the drivers name the interrupts of their queues (lower case): both directions, then either.
_NAMES: tuple[tuple[re.Pattern[str], Direction | None], ...] = (
    (re.compile(r"(?:tx-?rx|rx-?tx|-fp|comp|queue )-?(\d+)"), None),
    (re.compile(r"-q(\d+)-rx|(?:\brx|input)[-._]?(\d+)"), "rx"),
    (re.compile(r"-q(\d+)-tx|(?:\btx|output)[-._]?(\d+)"), "tx"),
)


class Queue(NamedTuple):
    """A queue of a device; None for what it does not have or what may not be read.

    ``rps_cpus`` and ``xps_cpus`` are masks of CPUs, ``xps_rxqs`` of rx queues, as the kernel
    writes them; ``limit`` to ``inflight`` are the byte queue limits (struct dql) in bytes.
    """

    direction: Direction
    number: int
    rps_cpus: str | None = None
    rps_flow_cnt: int | None = None
    xps_cpus: str | None = None
    xps_rxqs: str | None = None
    limit: int | None = None
    limit_min: int | None = None
    limit_max: int | None = None
    inflight: int | None = None


class Device(NamedTuple):
    """A device, its queues, the NUMA node of its bus, and the interrupts of its hardware.

    ``irqs`` is empty where the bus does not tell them, None where there is no hardware.
    """

    name: str
    ifindex: int
    numa_node: int | None
    irqs: frozenset[int] | None
    queues: tuple[Queue, ...]


class Channels(NamedTuple):
    """How many queues a device has and can have (struct ethtool_channels)."""

    max_rx: int
    max_tx: int
    max_other: int
    max_combined: int
    rx: int
    tx: int
    other: int
    combined: int


class Interrupt(NamedTuple):
    """An interrupt: how often it was taken on all CPUs, by whom, and where it may and does go.

    ``affinity`` and ``effective`` are lists such as ``0-3``; None where they may not be read.
    """

    irq: int
    taken: int
    actions: tuple[str, ...]
    affinity: str | None
    effective: str | None


@contextmanager
def sysfs(root: str = SYS) -> Iterator[str]:
    """The root of a sysfs that shows the calling thread's network namespace.

    It is one of our own, mounted nowhere and gone afterwards (fsmount(2), Linux 5.2 and
    CAP_SYS_ADMIN).  Without the privilege it is the mounted one, if its devices are those of the
    namespace: else raises NotSupported.
    """
    mount = _detached()
    if mount is not None:
        try:
            yield f"{PROC}/self/fd/{mount}"
        finally:
            os.close(mount)
        return
    if _listed(root) != {name: index for index, name in socket.if_nameindex()}:
        raise NotSupported(
            "queues of devices", f"{root} shows another network namespace", "run as root, on Linux 5.2 or later"
        )
    yield root


def _detached() -> int | None:
    """A descriptor of a new mount of sysfs; None where the kernel does not give one."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    context = libc.syscall(_FSOPEN, b"sysfs", _CLOEXEC)
    if context < 0:
        return None
    try:
        if libc.syscall(_FSCONFIG, context, _CMD_CREATE, None, None, 0) < 0:
            return None
        mount: int = libc.syscall(_FSMOUNT, context, _CLOEXEC, 0)
        return None if mount < 0 else mount
    finally:
        os.close(context)


def _listed(root: str) -> dict[str, int | None]:
    folder = f"{root}/class/net"
    return {name: number(f"{folder}/{name}/ifindex") for name in _names(folder) if os.path.isdir(f"{folder}/{name}")}


def devices(root: str = SYS) -> list[Device]:
    """Every device with its queues, by interface index; one that goes meanwhile is left out."""
    found = [_device(f"{root}/class/net/{name}", name, index) for name, index in _listed(root).items() if index]
    return sorted(found, key=lambda device: device.ifindex)


def _device(folder: str, name: str, ifindex: int) -> Device:
    hardware = _hardware(folder)
    node = number(f"{hardware}/numa_node")
    irqs = frozenset(map(int, _names(f"{hardware}/msi_irqs"))) or frozenset({number(f"{hardware}/irq") or 0} - {0})
    queues = [_queue(f"{folder}/queues", queue) for queue in _names(f"{folder}/queues")]
    ordered = sorted((queue for queue in queues if queue is not None), key=lambda queue: (queue[0], queue[1]))
    known_node = None if node is None or node < 0 else node  # NUMA_NO_NODE
    return Device(name, ifindex, known_node, irqs if os.path.isdir(hardware) else None, tuple(ordered))


def _hardware(folder: str) -> str:
    """The device on a bus that has the interrupts: of a virtio device the one below it."""
    device = f"{folder}/device"
    try:
        virtio = os.path.basename(os.readlink(f"{device}/subsystem")) == "virtio"
    except OSError:
        virtio = False
    return f"{device}/.." if virtio else device


def _queue(folder: str, name: str) -> Queue | None:
    direction, _, place = name.partition("-")
    path = f"{folder}/{name}"
    if direction == "rx" and place.isdecimal():
        return Queue("rx", int(place), _mask(f"{path}/rps_cpus"), number(f"{path}/rps_flow_cnt"))
    if direction == "tx" and place.isdecimal():
        limit, least, most, inflight = (number(f"{path}/byte_queue_limits/{file}") for file in _BQL)
        cpus, rxqs = (_mask(f"{path}/{file}") for file in ("xps_cpus", "xps_rxqs"))
        return Queue("tx", int(place), None, None, cpus, rxqs, limit, least, most, inflight)
    return None


def _mask(path: str) -> str | None:
    """Of a device with a single queue xps_cpus cannot be read (ENOENT in ``xps_cpus_show``)."""
    try:
        return read(path).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def channels(name: str) -> Channels | None:
    """What the driver of a device of the thread's namespace says of its queues; None where it says nothing."""
    import array
    import fcntl

    answer = array.array("B", _CHANNELS.pack(_ETHTOOL_GCHANNELS, *[0] * 8))
    # struct ifreq: the name, then a pointer in a union of 24 bytes.
    request = struct.pack("16sP16x", name.encode(), answer.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            fcntl.ioctl(asking, _SIOCETHTOOL, request)
    except OSError:
        return None
    return Channels(*_CHANNELS.unpack(answer.tobytes())[1:])


def interrupts(root: str = PROC) -> list[Interrupt]:
    """Every numbered interrupt that someone takes, of the whole host; their CPUs are left to ``affine``."""
    heading, *rows = read(f"{root}/interrupts").decode("utf-8", "replace").splitlines() or [""]
    width = len(heading.split())
    found = (_interrupt(row, width) for row in rows)
    return [interrupt for interrupt in found if interrupt is not None]


def _interrupt(row: str, width: int) -> Interrupt | None:
    """A row of ``show_interrupts``: number, a count for each CPU, chip, and behind two blanks the actions."""
    name, _, rest = row.partition(":")
    words = rest.split(None, width)
    if not name.strip().isdecimal() or len(words) <= width:
        return None
    _, found, actions = words[width].rstrip().rpartition("  ")
    if not found or re.fullmatch(r"\d+(-\w+)?", actions):  # the number at the chip: nobody takes it any more
        return None
    return Interrupt(int(name), sum(map(int, words[:width])), tuple(actions.split(", ")), None, None)


def affine(interrupt: Interrupt, root: str = PROC) -> Interrupt:
    """The interrupt with the CPUs that it may go to, and those that it does go to."""
    folder = f"{root}/irq/{interrupt.irq}"
    return interrupt._replace(
        affinity=_mask(f"{folder}/smp_affinity_list"), effective=_mask(f"{folder}/effective_affinity_list")
    )


def serving(device: Device, found: Collection[Interrupt]) -> dict[tuple[Direction, int], list[Interrupt]]:
    """Which interrupts serve which queue of the device, by what the driver calls them.

    An interrupt belongs to a device by its hardware, else by the device's name in its own.  One that
    serves both directions is listed for both; a device with one queue each way and one interrupt
    of its very name has that one.  What cannot be told (gve, hv_netvsc ...) is left out.
    """
    present = {(queue.direction, queue.number) for queue in device.queues}
    serves: dict[tuple[Direction, int], list[Interrupt]] = {}
    for interrupt in found:
        places = {place for action in interrupt.actions for place in _places(device, interrupt.irq, action)}
        for place in sorted(places & present):
            serves.setdefault(place, []).append(interrupt)
    return serves


def _places(device: Device, irq: int, action: str) -> list[tuple[Direction, int]]:
    if not _is_of(device, irq, action):
        return []
    if action == device.name:
        return [("rx", 0), ("tx", 0)] if len(device.queues) == 2 else []
    if alone := re.fullmatch(rf"{re.escape(device.name)}-(\d+)", action):
        return [("rx", int(alone[1])), ("tx", int(alone[1]))]
    for pattern, direction in _NAMES:
        if named := pattern.search(action.lower()):
            place = int(next(filter(None, named.groups())))
            return [(direction, place)] if direction else [("rx", place), ("tx", place)]
    return []


def _is_of(device: Device, irq: int, action: str) -> bool:
    """By number where the bus tells the numbers: a device of the same name may be in another namespace."""
    if device.irqs:
        return irq in device.irqs
    return device.irqs is not None and re.search(rf"(?<!\w){re.escape(device.name)}(?!\w)", action) is not None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
