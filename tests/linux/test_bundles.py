# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from pathlib import Path

from tests import cgroups

from fleutan.linux.bundles import Pod, container, hostname, podman_names, pods
from fleutan.linux.engines import Container

ID = "8dfafdbc3a40fd16bc1e53be0d9f1e36d3f8c1a9c2be1a7a1c0e9a1f3c1d2e3f"
STORAGE = "var/lib/containers/storage/overlay-containers"


def test_docker_without_its_daemon(tmp_path: Path) -> None:
    said = {"Name": "/web", "Config": {"Image": "nginx:1", "Hostname": "8dfafdbc3a40"}}
    cgroups.tree(tmp_path, {f"var/lib/docker/containers/{ID}/config.v2.json": json.dumps(said)})
    assert container(ID, str(tmp_path)) == Container(ID, "web", "nginx:1", "8dfafdbc3a40")


def test_containerd_of_kubernetes(tmp_path: Path) -> None:
    said = {
        "ociVersion": "1.1.0",
        "hostname": "web-0",
        "annotations": {
            "io.kubernetes.cri.container-name": "nginx",
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.image-name": "docker.io/library/nginx:1",
            "io.kubernetes.cri.sandbox-name": "web-0",
            "io.kubernetes.cri.sandbox-namespace": "shop",
        },
    }
    cgroups.tree(tmp_path, {f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json": json.dumps(said)})
    expected = Container(ID, "nginx", "docker.io/library/nginx:1", "web-0", "web-0", "shop")
    assert container(ID, str(tmp_path)) == expected


def test_cri_o(tmp_path: Path) -> None:
    said = {"annotations": {"io.kubernetes.container.name": "nginx", "io.kubernetes.pod.name": "web-0"}}
    cgroups.tree(tmp_path, {f"run/containers/storage/overlay-containers/{ID}/userdata/config.json": json.dumps(said)})
    assert container(ID, str(tmp_path)) == Container(ID, "nginx", pod="web-0")


def test_podman(tmp_path: Path) -> None:
    listed = [{"id": ID, "names": ["db"]}, {"id": ID[::-1], "names": []}, {"names": ["x"]}, 7]
    cgroups.tree(tmp_path, {f"{STORAGE}/containers.json": json.dumps(listed)})
    assert podman_names(str(tmp_path)) == {ID: "db"}
    assert podman_names(str(tmp_path / "nowhere")) == {}


def test_nothing_and_what_is_broken(tmp_path: Path) -> None:
    assert container(ID, str(tmp_path)) is None
    cgroups.tree(
        tmp_path,
        {
            f"var/lib/docker/containers/{ID}/config.v2.json": "[]",
            f"run/containerd/io.containerd.runtime.v2.task/moby/{ID}/config.json": "{",
            f"{STORAGE}/containers.json": "{}",
        },
    )
    assert container(ID, str(tmp_path)) is None
    assert podman_names(str(tmp_path)) == {}


def test_pods_of_the_kubelet(tmp_path: Path) -> None:
    uid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
    for name in (f"shop_web-0_{uid}", "odd", "a__b", "kube-system_etcd_f0123456789abcdef0123456789abcde"):
        (tmp_path / "var/log/pods" / name).mkdir(parents=True)
    assert pods(str(tmp_path)) == [
        Pod("f0123456789abcdef0123456789abcde", "etcd", "kube-system"),
        Pod(uid, "web-0", "shop"),
    ]
    assert pods(str(tmp_path / "nowhere")) == []


def test_the_host_name_inside(tmp_path: Path) -> None:
    cgroups.tree(tmp_path, {"7/root/etc/hostname": "web-0\n"})
    assert hostname(7, str(tmp_path)) == "web-0"
    assert hostname(8, str(tmp_path)) is None


def test_a_hostile_inside_leads_nowhere(tmp_path: Path) -> None:
    cgroups.tree(tmp_path, {"secret": "secret\n", "6/root/hostname": "secret\n", "5/root/etc/hostname": "a b\x1b\n"})
    for pid in (1, 2):
        (tmp_path / f"{pid}/root/etc").mkdir(parents=True)
    (tmp_path / "1/root/etc/hostname").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "2/root/etc/hostname")
    (tmp_path / "6/root/etc").symlink_to(tmp_path / "6/root")
    (tmp_path / "3/root").mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    assert [hostname(pid, str(tmp_path)) for pid in (1, 2, 3, 5, 6)] == [None] * 5
    assert len(os.listdir("/proc/self/fd")) == before
