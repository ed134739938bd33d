# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from fleutan.linux.cgroupstats.hierarchies import Hierarchies, hierarchies


def test_v2_alone(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "system.slice").mkdir()
    found = hierarchies(str(tmp_path))
    assert found == Hierarchies(str(tmp_path))
    assert found.walked() == [str(tmp_path)]


def test_v1_with_controllers_that_share_a_hierarchy(tmp_path: Path) -> None:
    for name in ("cpu,cpuacct", "memory", "systemd", "net_cls,net_prio", "unified"):
        (tmp_path / name).mkdir()
    for name in ("cpu", "cpuacct"):
        (tmp_path / name).symlink_to("cpu,cpuacct")
    (tmp_path / "file").touch()
    found = hierarchies(str(tmp_path))
    assert found.v2 is None
    assert set(found.v1) == {"cpu", "cpuacct", "memory", "systemd", "net_cls", "net_prio"}
    assert [Path(mount).resolve().name for mount in found.walked()] == ["systemd", "cpu,cpuacct", "memory"]


def test_both(tmp_path: Path) -> None:
    for name in ("memory", "unified"):
        (tmp_path / name).mkdir()
    (tmp_path / "unified/cgroup.controllers").touch()
    found = hierarchies(str(tmp_path))
    assert found == Hierarchies(f"{tmp_path}/unified", {"memory": f"{tmp_path}/memory"})
    assert found.walked() == [f"{tmp_path}/unified", f"{tmp_path}/memory"]


def test_none(tmp_path: Path) -> None:
    assert hierarchies(str(tmp_path / "nowhere")) == Hierarchies()
