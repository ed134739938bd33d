# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fleutan.errors import FleutanError, Gone, NotSupported
from fleutan.linux.namespaces import Namespace
from fleutan.linux.qdiscs import TC_H_ROOT, Dump, Qdisc
from fleutan.linux.queues import Channels, Device, Interrupt, Queue
from fleutan.sources import queues
from fleutan.sources.queues import Kernel, Snapshot, Space

HOST, WEB = Namespace(7, "host", "/proc/1/ns/net"), Namespace(8, "web", "/run/netns/web")
QUEUES = (Queue("rx", 0, "3", 4096), Queue("rx", 1, "0", 0), Queue("tx", 0, None, None, "1", "0", 9, 0, 99, 5))
ETH0 = Device("eth0", 2, 1, frozenset({41}), (*QUEUES, Queue("tx", 1, None, None, "broken")))
LO = Device("lo", 1, None, None, (Queue("tx", 0),))
TAKEN = Interrupt(41, 70, ("eth0-TxRx-0",), "0-3", "2")


def qdisc(ifindex: int, kind: str, handle: int, parent: int, sent: int = 0) -> Qdisc:
    return Qdisc(ifindex, "qdisc", kind, handle, parent, sent, 1, 0, 0, 0, 0, 0, {})


MQ = [
    qdisc(2, "mq", 0x80010000, TC_H_ROOT, 30),
    qdisc(2, "fq", 0, 0x80010001, 10),
    qdisc(2, "fq_codel", 0x20000, 0x80010002, 20),
    qdisc(2, "fq_codel", 0x20001, 0x80010002)._replace(layer="class"),
]


def look(*spaces: Space, notes: tuple[str, ...] = ()) -> Snapshot:
    return Snapshot(5, 6, spaces, [TAKEN], notes)


def space(qdiscs: list[Qdisc], *devices: Device, channels: Channels | None = None) -> Space:
    return Space(HOST, {1: "lo", 2: "eth0"}, qdiscs, devices, {device.name: channels for device in devices})


def test_queues_with_their_settings_interrupts_and_disciplines() -> None:
    channels = Channels(max_rx=0, max_tx=0, max_other=1, max_combined=8, rx=0, tx=0, other=1, combined=2)
    table = queues.queues(look(space(MQ, ETH0, channels=channels), notes=("a note",)), "mine")
    rx0, rx1, tx0, tx1 = table.rows()
    assert rx0 == {
        **dict.fromkeys(rx0),
        "netns": "host",
        "netns_inode": 7,
        "dev": "eth0",
        "numa_node": 1,
        "direction": "rx",
        "queue": 0,
        "rps_cpus": "0-1",
        "rps_flow_cnt": 4096,
        "irqs": (41,),
        "irq_cpus": "0-3",
        "irq_effective_cpus": "2",
        "interrupts": 70,
        "channels": "combined",
        "channels_max": 8,
    }
    assert (rx1["rps_cpus"], rx1["irqs"], rx1["interrupts"], rx1["irq_cpus"]) == ("", None, None, None)
    assert (tx0["qdisc"], tx0["handle"], tx0["qdisc_bytes"], tx0["irqs"]) == ("fq", "0:", 10, (41,))
    assert (tx0["bql_limit"], tx0["bql_limit_min"], tx0["bql_limit_max"], tx0["bql_inflight"]) == (9, 0, 99, 5)
    assert (tx0["xps_cpus"], tx0["xps_rxqs"]) == ("0", "")
    assert (tx1["qdisc"], tx1["handle"], tx1["qdisc_bytes"], tx1["xps_cpus"]) == ("fq_codel", "2:", 20, None)
    reading = table.reading
    assert (reading.host, reading.netns, reading.at_ns, reading.notes) == ("mine", "host", 5, ("a note",))


def tx(table: Any) -> list[tuple[Any, ...]]:
    return [(row["qdisc"], row["qdisc_bytes"]) for row in table.rows() if row["direction"] == "tx"]


def test_a_discipline_of_several_queues_counts_for_none_of_them() -> None:
    root = [qdisc(2, "htb", 0x10000, TC_H_ROOT, 30), qdisc(2, "fq", 0x20000, 0x10001, 10)]
    assert tx(queues.queues(look(space(root, ETH0)))) == [("htb", None), ("htb", None)]
    assert tx(queues.queues(look(space([root[0]._replace(ifindex=1)], LO)))) == [("htb", 30)]
    assert tx(queues.queues(look(space([], LO)))) == [(None, None)]
    assert tx(queues.queues(look(space(MQ[:2], ETH0)))) == [("fq", 10), ("mq", None)]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (Channels(4, 2, 0, 0, 2, 2, 0, 0), [("rx", 4), ("rx", 4), ("tx", 2), ("tx", 2)]),
        (Channels(1, 1, 0, 3, 1, 0, 0, 1), [("rx", 1), ("combined", 3), ("combined", 3), ("combined", 3)]),
        (None, [(None, None)] * 4),
    ],
)
def test_what_ethtool_calls_the_queues(channels: Channels | None, expected: list[Any]) -> None:
    rows = queues.queues(look(space([], ETH0, channels=channels))).rows()
    assert [(row["channels"], row["channels_max"]) for row in rows] == expected


def test_the_qdiscs_of_every_namespace() -> None:
    other = Space(WEB, {}, [qdisc(9, "fq", 0x10000, TC_H_ROOT, 4)])
    table = queues.qdiscs(look(space(MQ, ETH0), other))
    assert [(row["netns"], row["dev"], row["qdisc"]) for row in table.rows()] == [
        ("host", "eth0", "mq"),
        ("host", "eth0", "fq"),
        ("host", "eth0", "fq_codel"),
        ("host", "eth0", "fq_codel"),
        ("web", "if9", "fq"),
    ]
    assert table.reading.netns == "all"


class Linux:
    """A kernel of two namespaces; what is in ``broken`` cannot be read."""

    def __init__(self, *broken: str, interrupted: bool = False) -> None:
        self.broken = broken
        self.interrupted = interrupted
        self.inside = [""]

    def may(self, what: str, error: Exception | None = None) -> None:
        if what in self.broken:
            raise error or NotSupported(what, "not here")

    @contextmanager
    def entered(self, target: Namespace) -> Iterator[None]:
        self.may(target.name, Gone(f"{target.name} is gone"))
        self.inside.append(target.name)
        yield
        self.inside.pop()

    @contextmanager
    def sysfs(self) -> Iterator[str]:
        self.may("sysfs")
        yield f"/sys of {self.inside[-1]}"

    def devices(self, root: str) -> list[Device]:
        assert root == f"/sys of {self.inside[-1]}"
        return [ETH0] if self.inside[-1] == "host" else [LO]

    def qdiscs(self) -> Dump:
        self.may("tc")
        return Dump(MQ if self.inside[-1] == "host" else [], self.interrupted)

    def interrupts(self) -> list[Interrupt]:
        self.may("interrupts", PermissionError("denied"))
        bare = TAKEN._replace(affinity=None, effective=None)
        return [bare, bare._replace(irq=9, actions=("disk",))]

    def kernel(self) -> Kernel:
        return Kernel(
            qdiscs=self.qdiscs,
            sysfs=self.sysfs,
            devices=self.devices,
            channels=lambda _: None,
            interrupts=self.interrupts,
            affine=lambda interrupt: interrupt._replace(affinity="0-3", effective="2"),
            current=lambda: HOST,
            find=lambda name: {"web": WEB}[name],
            every=lambda: ([HOST, WEB], ["one more may not be looked at"]),
            entered=self.entered,
            interfaces=lambda: {1: "lo", 2: "eth0"},
        )


def test_take_enters_each_namespace() -> None:
    found = queues.take("all", Linux().kernel())
    assert [(space.namespace.name, [device.name for device in space.devices]) for space in found.spaces] == [
        ("host", ["eth0"]),
        ("web", ["lo"]),
    ]
    assert found.interrupts == [TAKEN]
    assert found.notes == ("one more may not be looked at",)


def test_take_reads_the_current_namespace_or_the_named_one() -> None:
    assert [space.namespace for space in queues.take(None, Linux().kernel()).spaces] == [HOST]
    found = queues.take("web", Linux("interrupts").kernel())
    assert [space.namespace for space in found.spaces] == [WEB]
    assert (found.interrupts, found.notes) == ([], ())  # nothing there has hardware


def test_what_cannot_be_read_is_missing_and_said() -> None:
    found = queues.take(None, Linux("tc", "sysfs").kernel())
    assert (found.spaces[0].qdiscs, found.spaces[0].devices) == ([], [])
    assert found.notes == ("tc: not here", "sysfs: not here")
    found = queues.take(None, Linux("interrupts", interrupted=True).kernel())
    assert [note.partition(":")[0] for note in found.notes] == [
        "queueing disciplines changed while they were read, again and again",
        "interrupts of the queues are unknown",
    ]


def test_a_namespace_that_went_is_said_and_the_only_one_raises() -> None:
    found = queues.take("all", Linux("web").kernel())
    assert [space.namespace for space in found.spaces] == [HOST]
    assert found.notes[-1] == "web is gone"
    with pytest.raises(FleutanError, match="web is gone"):
        queues.take("web", Linux("web").kernel())
