# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleutan.errors import NotSupported
from fleutan.linux import queues
from fleutan.linux.queues import Device, Interrupt, Queue

RX, TX = Queue("rx", 0), Queue("tx", 0)
FOUR = (*(Queue("rx", number) for number in range(4)), *(Queue("tx", number) for number in range(4)))


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process without privilege for a while: another effective user, so no capabilities."""
    if os.geteuid():
        pytest.skip("needs root, to become another user and back")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which the change took away


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def sys_tree(tmp_path: Path) -> Path:
    """eth0 on PCI with message-signalled interrupts, eth1 on virtio, lo without hardware."""
    write(
        tmp_path,
        {
            "class/net/bonding_masters": "\n",
            "class/net/lo/ifindex": "1\n",
            "class/net/lo/queues/rx-0/rps_cpus": "0\n",
            "class/net/eth0/ifindex": "2\n",
            "class/net/eth0/queues/rx-10/rps_cpus": "00000000,0000000c\n",
            "class/net/eth0/queues/rx-2/rps_flow_cnt": "4096\n",
            "class/net/eth0/queues/tx-0/xps_cpus": "3\n",
            "class/net/eth0/queues/tx-0/xps_rxqs": "1\n",
            "class/net/eth0/queues/tx-0/byte_queue_limits/limit": "2193\n",
            "class/net/eth0/queues/tx-0/byte_queue_limits/limit_min": "0\n",
            "class/net/eth0/queues/tx-0/byte_queue_limits/limit_max": "1879048192\n",
            "class/net/eth0/queues/tx-0/byte_queue_limits/inflight": "66\n",
            "class/net/eth0/queues/other/file": "\n",
            "class/net/eth1/ifindex": "3\n",
            "pci/a/msi_irqs/40": "",
            "pci/a/msi_irqs/41": "",
            "pci/a/numa_node": "1\n",
            "pci/b/virtio2/uevent": "",
            "pci/b/msi_irqs/50": "",
            "pci/b/numa_node": "-1\n",
            "bus/virtio/uevent": "",
            "bus/pci/uevent": "",
            "platform/c/irq": "77\n",
            "class/net/end0/ifindex": "4\n",
        },
    )
    (tmp_path / "class/net/eth0/device").symlink_to("../../../pci/a")
    (tmp_path / "class/net/eth1/device").symlink_to("../../../pci/b/virtio2")
    (tmp_path / "class/net/end0/device").symlink_to("../../../platform/c")
    (tmp_path / "pci/a/subsystem").symlink_to("../../bus/pci")
    (tmp_path / "pci/b/virtio2/subsystem").symlink_to("../../../bus/virtio")
    return tmp_path


def test_devices_with_their_queues_and_hardware(sys_tree: Path) -> None:
    lo, eth0, eth1, end0 = queues.devices(str(sys_tree))
    assert lo == Device("lo", 1, None, None, (Queue("rx", 0, "0"),))
    assert eth0 == Device(
        "eth0",
        2,
        1,
        frozenset({40, 41}),
        (
            Queue("rx", 2, None, 4096),
            Queue("rx", 10, "00000000,0000000c"),
            Queue("tx", 0, None, None, "3", "1", 2193, 0, 1879048192, 66),
        ),
    )
    assert eth1 == Device("eth1", 3, None, frozenset({50}), ())
    assert end0 == Device("end0", 4, None, frozenset({77}), ())


def test_a_device_that_went_while_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "class/net/gone").mkdir(parents=True)
    assert queues.devices(str(tmp_path)) == []
    assert queues.devices(str(tmp_path / "missing")) == []


INTERRUPTS = """           CPU0       CPU1
  1:         10          0   IO-APIC   1-edge      i8042
 41:          3          4  PCI-MSIX-0000:00:03.0   1-edge      eth0-TxRx-1
 42:          5          0  GICv3  27 Level     eth1, other device
 43:          0          0  PCI-MSIX   1-edge
 44:          1
NMI:          0          0   Non-maskable interrupts
ERR:          0
"""


def test_interrupts_are_summed_over_cpus(tmp_path: Path) -> None:
    write(tmp_path, {"interrupts": INTERRUPTS})
    assert queues.interrupts(str(tmp_path)) == [
        Interrupt(1, 10, ("i8042",), None, None),
        Interrupt(41, 7, ("eth0-TxRx-1",), None, None),
        Interrupt(42, 5, ("eth1", "other device"), None, None),
    ]
    write(tmp_path, {"interrupts": ""})
    assert queues.interrupts(str(tmp_path)) == []


def test_affinities_are_read_for_one_interrupt(tmp_path: Path) -> None:
    write(tmp_path, {"irq/41/smp_affinity_list": "0-3\n", "irq/41/effective_affinity_list": "2\n"})
    plain = Interrupt(41, 7, ("eth0",), None, None)
    assert queues.affine(plain, str(tmp_path)) == plain._replace(affinity="0-3", effective="2")
    assert queues.affine(plain._replace(irq=9), str(tmp_path)).affinity is None


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("eth0-TxRx-3", {("rx", 3), ("tx", 3)}),
        ("i40e-eth0-TxRx-2", {("rx", 2), ("tx", 2)}),
        ("eth0-Tx-Rx-1", {("rx", 1), ("tx", 1)}),
        ("eth0-rxtx-1", {("rx", 1), ("tx", 1)}),
        ("eth0-rx-2", {("rx", 2)}),
        ("eth0-tx-2", {("tx", 2)}),
        ("eth0-q1-rx", {("rx", 1)}),
        ("eth0-q1-tx", {("tx", 1)}),
        ("eth0-fp-3", {("rx", 3), ("tx", 3)}),
        ("eth0-1", {("rx", 1), ("tx", 1)}),
        ("eth0 (queue 2)", {("rx", 2), ("tx", 2)}),
        ("mlx5_comp3@pci:0000:03:00.0", {("rx", 3), ("tx", 3)}),
        ("virtio2-input.1", {("rx", 1)}),
        ("virtio2-output.1", {("tx", 1)}),
        ("virtio2-config", set()),
        ("eth0-TxRx-9", set()),
        ("eth0", set()),
    ],
)
def test_the_queue_is_told_by_what_the_driver_calls_the_interrupt(action: str, expected: set[tuple[str, int]]) -> None:
    device = Device("eth0", 2, None, frozenset({41}), FOUR)
    assert set(queues.serving(device, [Interrupt(41, 1, (action,), None, None)])) == expected


def test_an_interrupt_of_the_devices_very_name_serves_its_only_queues() -> None:
    found = Interrupt(7, 1, ("eth0",), None, None)
    assert set(queues.serving(Device("eth0", 2, None, frozenset(), (RX, TX)), [found])) == {("rx", 0), ("tx", 0)}


def test_a_name_is_taken_where_the_bus_tells_no_numbers() -> None:
    named = Interrupt(9, 1, ("eth0-rx-0",), None, None)
    longer = Interrupt(10, 1, ("weth0-rx-0",), None, None)
    on_bus = Device("eth0", 2, None, frozenset(), (RX, TX))
    assert queues.serving(on_bus, [named, longer]) == {("rx", 0): [named]}
    assert queues.serving(on_bus._replace(irqs=frozenset({8})), [named]) == {}
    assert queues.serving(on_bus._replace(irqs=None), [named]) == {}


def test_sysfs_shows_the_threads_own_namespace() -> None:
    with queues.sysfs() as root:
        assert {device.name for device in queues.devices(root)} == {name for _, name in socket.if_nameindex()}
        descriptor = root.rpartition("/")[2]
    if root != "/sys":
        assert not os.path.exists(f"/proc/self/fd/{descriptor}")


def test_without_privilege_a_mounted_sysfs_is_taken_if_it_shows_the_namespace(tmp_path: Path) -> None:
    for index, name in socket.if_nameindex():
        write(tmp_path, {f"class/net/{name}/ifindex": f"{index}\n"})
    for folder in (tmp_path, *tmp_path.parents[:2]):  # pytest keeps its folders to itself
        folder.chmod(0o755)
    with as_nobody():
        with queues.sysfs(str(tmp_path)) as root:
            assert root == str(tmp_path)
        with pytest.raises(NotSupported, match="another network namespace"), queues.sysfs(str(tmp_path / "class")):
            pass


def test_channels_of_a_device_that_has_none() -> None:
    assert queues.channels("lo") is None
    assert queues.channels("no-such-dev") is None
