# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleutan.linux import cgroups
from fleutan.linux.cgroups import Membership, membership, of_path, paths_by_id, unescape

ID = "3f4e5d6c7b8a99887766554433221100ffeeddccbbaa00112233445566778899"
OTHER = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
SHORT = ID[:12]
POD = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
POD_ = POD.replace("-", "_")
STATIC = "f0123456789abcdef0123456789abcde"
USER = "/user.slice/user-1000.slice/user@1000.service"

UNITS = {
    "/": None,
    "/system.slice/nginx.service": "nginx.service",
    "/system.slice/nginx.service/worker": "nginx.service",
    "/system.slice/system-getty.slice/getty@tty1.service": "getty@tty1.service",
    "/system.slice/system-postgresql.slice/postgresql@15-main.service": "postgresql@15-main.service",
    "/system.slice/system-systemd\\x2dfsck.slice/systemd-fsck@dev-disk-by\\x2duuid-1.service": (
        "systemd-fsck@dev-disk-by\\x2duuid-1.service"
    ),
    "/user.slice": None,
    "/user.slice/user-1000.slice/session-2.scope": "session-2.scope",
    f"{USER}/app.slice/app-foo.scope": "app-foo.scope",
    f"{USER}/session.slice/dbus-:1.2-org.a11y.atspi.Registry@0.service": "dbus-:1.2-org.a11y.atspi.Registry@0.service",
    f"{USER}/app.slice": "user@1000.service",
    f"{USER}/init.scope": "user@1000.service",
    "/init.scope": "init.scope",
    "/system.slice/_cpu.service": "cpu.service",
    "/system.slice/mnt-far.mount": "mnt-far.mount",
    "/system.slice/sshd.socket": "sshd.socket",
    "/../../system.slice/cron.service": "cron.service",
}

#: Path -> container, runtime, pod.
CONTAINERS = {
    f"/docker/{ID}": (SHORT, "docker", None),
    f"/docker/{OTHER}/docker/{ID}": (SHORT, "docker", None),
    f"/docker/{ID}/system.slice/nginx.service": (SHORT, "docker", None),
    f"/system.slice/docker-{ID}.scope": (SHORT, "docker", None),
    f"{USER}/user.slice/docker-{ID}.scope": (SHORT, "docker", None),
    f"/moby/{ID}": (SHORT, "docker", None),
    f"/actions_job/{ID}": (SHORT, None, None),
    f"/../{ID}": (SHORT, None, None),
    f"/k8s.io/{ID}": (SHORT, "containerd", None),
    f"/default/{ID}": (SHORT, "containerd", None),
    "/default/redis": (None, None, None),
    f"/system.slice/nerdctl-{ID}.scope": (SHORT, "containerd", None),
    f"/machine.slice/libpod-{ID}.scope": (SHORT, "podman", None),
    f"/machine.slice/libpod-{ID}.scope/container": (SHORT, "podman", None),
    f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{ID}.scope": (SHORT, "podman", None),
    f"/machine.slice/libpod-conmon-{ID}.scope": (None, None, None),
    f"/libpod_parent/libpod-{ID}": (SHORT, "podman", None),
    f"/libpod_parent/libpod-conmon-{ID}": (None, None, None),
    f"/system.slice/web.service/libpod-payload-{ID}": (SHORT, "podman", None),
    "/system.slice/web.service/runtime": (None, None, None),
    f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice/cri-containerd-{ID}.scope": (
        SHORT,
        "containerd",
        POD,
    ),
    f"/kubepods.slice/kubepods-pod{POD_}.slice/crio-{ID}.scope/container": (SHORT, "cri-o", POD),
    f"/kubepods.slice/kubepods-pod{POD_}.slice/crio-conmon-{ID}.scope": (None, None, POD),
    f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD_}.slice/docker-{ID}.scope": (
        SHORT,
        "docker",
        POD,
    ),
    f"/kubepods.slice/kubepods-pod{STATIC}.slice/cri-containerd-{ID}.scope": (SHORT, "containerd", STATIC),
    f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_}.slice": (None, None, POD),
    f"/kubepods/burstable/pod{POD}/{ID}": (SHORT, None, POD),
    f"/kubepods/pod{POD}/crio-{ID}": (SHORT, "cri-o", POD),
    f"/system.slice/containerd.service/kubepods-burstable-pod{POD_}.slice:cri-containerd:{ID}": (
        SHORT,
        "containerd",
        POD,
    ),
    "/lxc.payload.web-1": ("web-1", "lxc", None),
    "/lxc.payload.web-1/system.slice/nginx.service": ("web-1", "lxc", None),
    "/lxc.payload/web": ("web", "lxc", None),
    "/lxc.monitor.web-1": (None, None, None),
    "/lxc/101/ns/init.scope": ("101", "lxc", None),
    "/machine.slice/machine-my\\x2dbox.scope/payload": ("my-box", "systemd-nspawn", None),
    "/machine.slice/systemd-nspawn@my\\x2dbox.service/payload/system.slice/a.service": (
        "my-box",
        "systemd-nspawn",
        None,
    ),
    "/machine.slice/machine-qemu\\x2d1\\x2dguest.scope/libvirt/emulator": (None, None, None),
    "/machine.slice/machine-lxc\\x2d77\\x2dguest.scope": ("77-guest", "libvirt-lxc", None),
    "/garden/4b2d6b4e-98c1-4d0c-6b3b": ("4b2d6b4e-98c1-4d0c-6b3b", "garden", None),
    "/system.slice/docker.service/buildkit/x0p4q2r8s6t1u3v5w7y9z2a4b": ("x0p4q2r8s6t1u3v5w7y9z2a4b", "buildkit", None),
    f"/ecs/{STATIC}/{ID}": (SHORT, "ecs", None),
    f"/ecs/{STATIC}/{STATIC}-2495160603": (f"{STATIC}-2495160603", "ecs", None),
    f"/ecstasks.slice/ecstasks-{STATIC}.slice/docker-{ID}.scope": (SHORT, "docker", None),
    "/process_api/929f48a76c37f7cf91320573fa9ffde6": (None, None, None),
    "/user.slice/user-1000.slice/session-2.scope": (None, None, None),
}


@pytest.mark.parametrize(("path", "unit"), UNITS.items())
def test_unit(path: str, unit: str | None) -> None:
    assert of_path(path).unit == unit


@pytest.mark.parametrize(("path", "expected"), CONTAINERS.items())
def test_container(path: str, expected: tuple[str | None, str | None, str | None]) -> None:
    found = of_path(path)
    assert (found.container, found.runtime, found.pod) == expected
    assert found.path == path


def test_every_row_of_the_tables_has_an_example() -> None:
    paths = list(CONTAINERS)
    patterns = [*cgroups.BY_ID, *cgroups.BY_NAME]
    assert [row.prefix for row in patterns if not any(f"/{row.prefix}" in path for path in paths)] == []
    folders = {*cgroups.ID_FOLDERS, *cgroups.NAME_FOLDERS} - {"crio"}
    parts = [set(path.replace(":", "/").split("/")) for path in paths]
    assert [folder for folder in folders if not any(folder in part for part in parts)] == []


def test_a_unit_inside_a_container_is_the_innermost() -> None:
    assert of_path(f"/system.slice/docker-{ID}.scope/system.slice/nginx.service").unit == "nginx.service"
    assert of_path(f"/system.slice/docker-{ID}.scope/init.scope").unit == f"docker-{ID}.scope"


V1 = """12:pids:/system.slice/ssh.service
11:cpu,cpuacct:/system.slice/ssh.service
3:devices:/system.slice/ssh.service
1:name=systemd:/system.slice/ssh.service
"""
HYBRID = "4:memory:/user.slice\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n0::/\n"
DOCKER_ON_V1 = f"""10:net_cls,net_prio:/docker/{ID}
5:memory:/docker/{ID}
1:name=systemd:/docker/{ID}
0::/system.slice/containerd.service
"""
#: This one is of a virtual machine's own init, which uses one v1 hierarchy only.
BARE = "9:name=systemd:/\n8:pids:/\n4:memory:/process_api/929f48a76c37f7cf\n1:cpu:/\n0::/\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0::/system.slice/nginx.service\n", Membership("/system.slice/nginx.service", "nginx.service")),
        ("0::/system.slice/old.service (deleted)\n", Membership("/system.slice/old.service", "old.service")),
        (V1, Membership("/system.slice/ssh.service", "ssh.service")),
        (HYBRID, Membership("/user.slice/user-0.slice/session-1.scope", "session-1.scope")),
        (DOCKER_ON_V1, Membership(f"/docker/{ID}", None, SHORT, "docker")),
        (BARE, Membership("/process_api/929f48a76c37f7cf")),
        ("3:freezer:/a\n2:cpu,cpuacct:/b\n1:perf_event:/c\n", Membership("/b")),
        ("0::/a:b\n", Membership("/a:b")),
        ("0::/\n", Membership("/")),
        ("", Membership("/")),
        ("broken\n0:broken\n", Membership("/")),
    ],
)
def test_membership_takes_the_path_that_tells_most(text: str, expected: Membership) -> None:
    assert membership(text) == expected


def test_membership_of_this_process() -> None:
    text = Path("/proc/self/cgroup").read_text()
    assert membership(text).path in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "plain"),
        ("my\\x2dbox", "my-box"),
        ("caf\\xc3\\xa9", "café"),
        ("\\xff", "\\xff"),
        ("not\\xzz", "not\\xzz"),
        ("cut\\x2", "cut\\x2"),
    ],
)
def test_unescape(name: str, expected: str) -> None:
    assert unescape(name) == expected


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [((), ""), (("cgroup2",), "v2"), (("cgroup", "cgroup"), "v1"), (("tmpfs", "cgroup", "cgroup2"), "hybrid")],
)
def test_version(tmp_path: Path, kinds: tuple[str, ...], expected: str) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mounts").write_text("".join(f"none /{kind} {kind} rw 0 0\n" for kind in kinds))
    assert cgroups.version(str(tmp_path)) == expected


def make_cgroup2(mount: Path) -> None:
    (mount / "system.slice" / "a.service").mkdir(parents=True)
    (mount / "cgroup.controllers").touch()
    (mount / "link").symlink_to(mount)


@pytest.mark.parametrize("place", [".", "unified"])
def test_paths_by_id_walks_cgroup2_wherever_it_is_mounted(tmp_path: Path, place: str) -> None:
    mount = tmp_path / place
    make_cgroup2(mount)
    assert paths_by_id(str(tmp_path)) == {
        mount.stat().st_ino: "/",
        (mount / "system.slice").stat().st_ino: "/system.slice",
        (mount / "system.slice" / "a.service").stat().st_ino: "/system.slice/a.service",
    }


def test_paths_by_id_is_empty_without_cgroup2(tmp_path: Path) -> None:
    assert paths_by_id(str(tmp_path)) == {}
    assert paths_by_id(str(tmp_path / "missing")) == {}


def test_a_control_group_that_vanishes_is_skipped(tmp_path: Path) -> None:
    assert cgroups._walk(str(tmp_path / "missing")) == {}


def test_paths_by_id_agrees_with_the_kernel() -> None:
    found = paths_by_id()
    if not found:
        pytest.skip("no cgroup2 is mounted")
    mount = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
    assert all(os.stat(mount + path).st_ino == inode for inode, path in found.items() if os.path.exists(mount + path))
