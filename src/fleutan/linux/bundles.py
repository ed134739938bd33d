# SPDX-License-Identifier: Apache-2.0
"""What container runtimes leave on disk of a container, for where no engine can be asked.

The bundle of the OCI's runtime specification (config.json): its host name and the annotations of
containerd, CRI-O and nerdctl; Docker's and Podman's own files; the folders of logs that the kubelet makes.
Only root may read most of them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from fleutan.linux.engines import Container
from fleutan.linux.jsonfields import at, items, read, text

_MOST = 4 << 20
_SHIMS = "run/containerd/io.containerd.runtime.v2.task"
_STORAGE = ("run/containers/storage/overlay-containers", "var/lib/containers/storage/overlay-containers")
_DOCKER = "var/lib/docker/containers"
_PODMAN = "var/lib/containers/storage/overlay-containers/containers.json"
_POD_LOGS = "var/log/pods"
#: Annotations by what they tell: of containerd's CRI, CRI-O, nerdctl.
_NAMES = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name")
_PODS = ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
_NAMESPACES = ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
_IMAGES = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName")


class Pod(NamedTuple):
    """A pod: its uid, name and namespace."""

    uid: str
    name: str
    namespace: str


def container(number: str, root: str = "") -> Container | None:
    """What the files of a container say, by its whole id; None where there are none that may be read."""
    docker = _object(f"{root}/{_DOCKER}/{number}/config.v2.json")
    if name := text(at(docker, "Name")):
        about = (text(at(docker, "Config", key)) for key in ("Image", "Hostname"))
        return Container(number, name.removeprefix("/"), *about)
    for folder in _bundles(number, root):
        if spec := _object(f"{folder}/config.json"):
            return _of_bundle(number, spec)
    return None


def _bundles(number: str, root: str) -> Iterator[str]:
    shims = f"{root}/{_SHIMS}"
    for space in _names_in(shims):
        yield f"{shims}/{space}/{number}"
    for storage in _STORAGE:
        yield f"{root}/{storage}/{number}/userdata"


def _of_bundle(number: str, spec: Any) -> Container:
    said = at(spec, "annotations")

    def first(names: tuple[str, ...]) -> str | None:
        return next((word for name in names if (word := text(at(said, name)))), None)

    hostname = text(at(spec, "hostname"))
    return Container(number, first(_NAMES), first(_IMAGES), hostname, first(_PODS), first(_NAMESPACES))


def podman_names(root: str = "") -> dict[str, str]:
    """Names of Podman's containers by their ids."""
    told = _object(f"{root}/{_PODMAN}")
    found: dict[str, str] = {}
    for one in items(told):
        number, names = text(at(one, "id")), items(at(one, "names"))
        name = text(names[0]) if names else None
        if number and name:
            found[number] = name
    return found


def pods(root: str = "") -> list[Pod]:
    """Pods of this node: the kubelet names their folders of logs ``NAMESPACE_NAME_UID``."""
    parts = (name.split("_") for name in _names_in(f"{root}/{_POD_LOGS}"))
    return [Pod(words[2], words[1], words[0]) for words in parts if len(words) == 3 and all(words)]


def hostname(pid: int, proc: str = "/proc") -> str | None:
    """What /etc/hostname says inside of the process's root; None where it says nothing that can be read.

    What is inside may be hostile: no link of its is followed, and only a plain file is opened.
    """
    try:
        folder = os.open(f"{proc}/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _inside(folder)
    except OSError:
        return None
    finally:
        os.close(folder)


def _inside(folder: int) -> str | None:
    etc = os.open("etc", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        file = os.open("hostname", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=etc)
    finally:
        os.close(etc)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        with open(f"/proc/self/fd/{file}", "rb") as plain:
            line = plain.read(256).split(b"\n")[0].strip()
    finally:
        os.close(file)
    return line.decode() if re.fullmatch(rb"[A-Za-z0-9._-]{1,64}", line) else None


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _object(path: str) -> Any:
    """What JSON says; None for what cannot be read."""
    try:
        with open(path, "rb") as file:
            return read(file.read(_MOST))
    except (OSError, ValueError):
        return None
