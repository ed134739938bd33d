# SPDX-License-Identifier: Apache-2.0
"""Every control group of a hierarchy, one after the other, so that looking for them can be spread over time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

#: Groups after which a walk ends: more than a kernel can run processes in would be a mistake.
MOST = 200_000


class Group(NamedTuple):
    """A group: its path in the hierarchy, its folder, its inode (the id of a group of v2)."""

    path: str
    folder: str
    inode: int


def groups(mount: str, most: int = MOST) -> Iterator[Group]:
    """The groups below the root, each before those below itself; what is gone meanwhile is passed over."""
    unread = [mount]
    seen = 0
    while unread and seen < most:
        folder = unread.pop()
        try:
            with os.scandir(folder) as entries:
                folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:  # removed meanwhile, or not ours to read
            continue
        for entry in folders:
            seen += 1
            yield Group(entry.path[len(mount) :], entry.path, entry.inode())
            if _has_subfolders(entry):
                unread.append(entry.path)


def _has_subfolders(entry: os.DirEntry[str]) -> bool:
    """Two links are a leaf's: its own name and ``.`` (see ``groups.subfolders``); to list it costs six times more."""
    try:
        return entry.stat(follow_symlinks=False).st_nlink != 2
    except OSError:
        return False
