# SPDX-License-Identifier: Apache-2.0
"""Where the hierarchies of control groups are: v2, v1's by controller, or both."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from fleutan.linux.cgroups import MOUNT

#: v1's hierarchies that have a folder for whatever has processes of its own somewhere, the fullest first.
_TELLING = ("systemd", "cpuacct", "memory", "pids", "blkio")


class Hierarchies(NamedTuple):
    """Folders in which the paths of control groups begin: of v2 (None where there is none), of v1 by controller.

    v1's named hierarchy of systemd stands under ``systemd``.
    """

    v2: str | None = None
    v1: Mapping[str, str] = {}  # a default of a NamedTuple, never written to

    def walked(self) -> list[str]:
        """Where to look for groups, each folder once: controllers may share one."""
        mounts = [self.v2] if self.v2 else []
        mounts += [self.v1[name] for name in _TELLING if name in self.v1]
        found: dict[str, str] = {}
        for mount in mounts:
            found.setdefault(os.path.realpath(mount), mount)
        return list(found.values())


def hierarchies(root: str = MOUNT) -> Hierarchies:
    """What is mounted at ``root`` as systemd and the distributions do: v2 itself, or a folder for each."""
    if os.path.exists(f"{root}/cgroup.controllers"):
        return Hierarchies(root)
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return Hierarchies()
    unified = f"{root}/unified"
    v2 = unified if os.path.exists(f"{unified}/cgroup.controllers") else None
    folders = [name for name in names if name != "unified" and os.path.isdir(f"{root}/{name}")]
    return Hierarchies(v2, {one: f"{root}/{name}" for name in folders for one in name.split(",")})
