# SPDX-License-Identifier: Apache-2.0
"""Control groups: what the path of one tells about a process.

Unit, container, runtime and pod are read from the path alone, by the naming of systemd and of
the container runtimes, so no runtime is asked and none needs to run.  Which process is in
which control group is read in ``proc``.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from fleutan.linux.proc import PROC, mounts

MOUNT = "/sys/fs/cgroup"
_VERSIONS = {"cgroup": "v1", "cgroup2": "v2"}


class Membership(NamedTuple):
    """What a control group says; None where it says nothing.

    ``unit`` is the systemd unit as systemctl spells it, ``container`` the first 12 digits of an
    id, or a name where the runtime knows names, ``pod`` the uid of a Kubernetes pod.
    """

    path: str
    unit: str | None = None
    container: str | None = None
    runtime: str | None = None
    pod: str | None = None


class Pattern(NamedTuple):
    """A segment of a path: ``prefix`` + container + ``suffix``, made by ``runtime``."""

    prefix: str
    suffix: str
    runtime: str | None


#: Segments whose middle is a container's id of hexadecimal digits.
BY_ID = (
    Pattern("docker-", ".scope", "docker"),
    Pattern("cri-containerd-", ".scope", "containerd"),
    Pattern("nerdctl-", ".scope", "containerd"),
    Pattern("libpod-payload-", "", "podman"),
    Pattern("libpod-", ".scope", "podman"),
    Pattern("libpod-", "", "podman"),
    Pattern("crio-", ".scope", "cri-o"),
    Pattern("crio-", "", "cri-o"),
)

#: Segments whose middle is a container's name.  No runtime: a virtual machine, no container.
BY_NAME = (
    Pattern("lxc.payload.", "", "lxc"),
    Pattern("machine-qemu\\x2d", ".scope", None),
    Pattern("machine-lxc\\x2d", ".scope", "libvirt-lxc"),
    Pattern("machine-", ".scope", "systemd-nspawn"),
    Pattern("systemd-nspawn@", ".service", "systemd-nspawn"),
)

#: Folders of containers by the runtime that made them; only whole ids count.
ID_FOLDERS = {
    "docker": "docker",
    "moby": "docker",
    "k8s.io": "containerd",
    "default": "containerd",
    "cri-containerd": "containerd",
    "crio": "cri-o",
}

#: Folders of containers by the runtime that made them; any name counts.
NAME_FOLDERS = {"lxc": "lxc", "lxc.payload": "lxc", "garden": "garden", "buildkit": "buildkit"}

#: Of the v1 hierarchies, those that tell most, best first; "" is v2.
HIERARCHIES = ("", "name=systemd", "pids", "memory", "cpu", "cpuacct", "devices")

#: Units that can have processes of their own (systemd.unit(5)).
_UNITS = (".service", ".scope", ".socket", ".mount", ".swap")
_HEX = frozenset(string.hexdigits)
_ID_DIGITS = 12
_WHOLE_ID = 64
_POD_DIGITS = 32


@lru_cache(maxsize=4096)
def membership(text: str) -> Membership:
    """What the text of /proc/PID/cgroup (v1, v2 or both) says, by the path that tells most.

    On hosts with both, the v2 path is often ``/`` or the unit of the runtime's daemon, while a
    v1 hierarchy has the container: a container tells more than a unit, a unit more than a path.
    """
    found = [of_path(path) for path in _paths(text)]
    return max(found, key=_telling, default=Membership("/"))


def _paths(text: str) -> list[str]:
    """The distinct paths, best hierarchy first; lines are ``id:controllers:path`` (cgroups(7))."""
    ranked: dict[str, int] = {}
    for line in text.split("\n"):
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon:
            path = path.removesuffix(" (deleted)")
            rank = min(_rank(name) for name in controllers.split(","))
            ranked[path] = min(rank, ranked.get(path, rank))
    return sorted(ranked, key=ranked.__getitem__)


def _rank(hierarchy: str) -> int:
    return HIERARCHIES.index(hierarchy) if hierarchy in HIERARCHIES else len(HIERARCHIES)


def _telling(found: Membership) -> int:
    if found.container or found.pod:
        return 3
    return 2 if found.unit else int(found.path != "/")


def of_path(path: str) -> Membership:
    """What the path of a control group says."""
    segments = list(_segments(path))
    container, runtime = _container(segments)
    return Membership(path, _unit(segments), container, runtime, _pod(segments))


def _segments(path: str) -> Iterator[str]:
    for segment in path.split("/"):
        parts = segment.split(":")
        # "SLICE:cri-containerd:ID": a name meant for systemd that was taken for a folder's.
        yield from parts if len(parts) == 3 and _is_id(parts[2]) else [segment]


def _unit(segments: list[str]) -> str | None:
    """The innermost unit.  ``init.scope`` is systemd itself: where a unit is around it, that is the one."""
    # systemd puts "_" before names that the kernel would take for its own (cg_escape).
    units = [segment.removeprefix("_") for segment in segments if segment.endswith(_UNITS)]
    around = [unit for unit in units if unit != "init.scope"]
    return next(reversed(around or units), None)


def _container(segments: list[str]) -> tuple[str | None, str | None]:
    """The innermost container and its runtime; a bare id tells no runtime."""
    outward = reversed(list(zip(["", "", *segments], ["", *segments], segments, strict=False)))
    for grandparent, parent, segment in outward:
        found = _by_pattern(segment) or _by_folder(grandparent, parent, segment)
        if found:
            return found
    return None, None


def _by_pattern(segment: str) -> tuple[str, str] | None:
    for prefix, suffix, runtime in BY_ID:
        name = _middle(segment, prefix, suffix)
        if runtime and _is_id(name):
            return name[:_ID_DIGITS], runtime
    for prefix, suffix, runtime in BY_NAME:
        name = _middle(segment, prefix, suffix)
        if name:
            return (unescape(name), runtime) if runtime else None
    return None


def _by_folder(grandparent: str, parent: str, segment: str) -> tuple[str, str | None] | None:
    if segment and parent in NAME_FOLDERS:
        return segment, NAME_FOLDERS[parent]
    whole = len(segment) == _WHOLE_ID and _is_id(segment)
    if segment and grandparent == "ecs":  # /ecs/TASK/ID with Docker, /ecs/TASK/TASK-NUMBER on Fargate
        return segment[:_ID_DIGITS] if whole else segment, "ecs"
    return (segment[:_ID_DIGITS], ID_FOLDERS.get(parent)) if whole else None


def _middle(segment: str, prefix: str, suffix: str) -> str:
    if segment.startswith(prefix) and segment.endswith(suffix):
        return segment[len(prefix) : len(segment) - len(suffix)]
    return ""


def _is_id(text: str) -> bool:
    return len(text) >= _ID_DIGITS and _HEX.issuperset(text)


def _pod(segments: list[str]) -> str | None:
    """The innermost pod's uid: a UUID, or the 32 digits that a static pod has.

    ``podUID`` under cgroupfs; systemd's slices have ``_`` for ``-``, which stands for ``/`` there.
    """
    for segment in reversed(segments):
        uid = segment.removesuffix(".slice").rpartition("pod")[2].replace("_", "-")
        digits = uid.replace("-", "")
        if len(digits) == _POD_DIGITS and _HEX.issuperset(digits) and uid != segment:
            return uid
    return None


def unescape(name: str) -> str:
    """A unit's name without systemd's ``\\xNN`` (systemd.unit(5)); what is no escape stays."""
    head, *parts = name.split("\\x")
    raw = head.encode()
    for part in parts:
        try:
            raw += bytes.fromhex(part[:2]) + part[2:].encode()
        except ValueError:
            raw += b"\\x" + part.encode()
    return raw.decode("utf-8", "backslashreplace")


def version(root: str = PROC) -> str:
    """Which hierarchies are mounted: ``v2``, ``v1``, ``hybrid`` (both), or "" for none."""
    kinds = {mount.kind for mount in mounts(root)} & set(_VERSIONS)
    return "hybrid" if len(kinds) == 2 else "".join(_VERSIONS[kind] for kind in kinds)


def paths_by_id(root: str = MOUNT) -> dict[int, str]:
    """The path of every cgroup2 control group by its id, which is the inode of its directory.

    The id is that of INET_DIAG_CGROUP_ID (``sock_cgroup_id``).  Looks at ``root`` and, where v1
    is mounted too, at ``root/unified``; empty where there is no cgroup2.  Paths are those of the
    mount: within a cgroup namespace they begin at its root.
    """
    for mount in (root, f"{root}/unified"):
        if os.path.exists(f"{mount}/cgroup.controllers"):
            return {os.stat(mount).st_ino: "/", **_walk(mount)}
    return {}


def _walk(mount: str) -> dict[int, str]:
    found: dict[int, str] = {}
    unread = [mount]
    while unread:
        folder = unread.pop()
        try:
            with os.scandir(folder) as entries:
                folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:  # removed meanwhile, or not ours to read
            continue
        unread += [entry.path for entry in folders]
        found |= {entry.inode(): entry.path[len(mount) :] for entry in folders}
    return found
