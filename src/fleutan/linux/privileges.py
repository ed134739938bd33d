# SPDX-License-Identifier: Apache-2.0
"""Giving up what a process may do, for good: its capabilities but some, and its user (capabilities(7), prctl(2)).

Capabilities are a thread's own and threads begin with those of the one that began them: who gives them up does so
before others begin.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NamedTuple

from fleutan.errors import FleutanError, UsageError
from fleutan.linux.capabilities import NAMES, permitted

#: include/uapi/linux/prctl.h
_KEEPCAPS, _CAPBSET_READ, _CAPBSET_DROP, _NO_NEW_PRIVS = 8, 23, 24, 38
_CAP_AMBIENT, _CLEAR_ALL = 47, 4
#: include/uapi/linux/capability.h: _LINUX_CAPABILITY_VERSION_3, whose sets are of two words each.
_VERSION = 0x20080522
_LAST = 63


class User(NamedTuple):
    """A user of this host, with all groups that are its."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class _Head(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def user(said: str) -> User:
    """The user of this name or number.  Raises UsageError where there is none of this name."""
    try:
        found = pwd.getpwuid(int(said)) if said.isdecimal() else pwd.getpwnam(said)
    except (KeyError, OverflowError):
        if said.isdecimal() and int(said) < 0xFFFF_FFFF:
            return User(said, int(said), int(said))
        raise UsageError(f"there is no user {said} on this host") from None
    groups = os.getgrouplist(found.pw_name, found.pw_gid)
    return User(found.pw_name, found.pw_uid, found.pw_gid, tuple(groups))


def _change(become: User) -> None:
    """Of all threads."""
    os.setgroups(become.groups or (become.gid,))
    os.setresgid(become.gid, become.gid, become.gid)
    os.setresuid(become.uid, become.uid, become.uid)


def keep(
    names: Collection[str], become: User | None = None, change: Callable[[User], None] = _change
) -> frozenset[str]:
    """Gives up all capabilities but these, and the user for another; which of these the thread has after that.

    Nothing that is executed later gets more.  Memory is locked without bound from now on where that may be, since older
    kernels have BPF programs use it.  Raises FleutanError where the user cannot be changed, or something is left.
    """
    kept = permitted() & frozenset(names)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    _bound(libc, kept)
    if become is not None:
        _become(libc, become, change)
    _set(libc, kept)
    if left := permitted() - kept:
        raise FleutanError(f"privileges cannot be given up: {', '.join(sorted(left))}")
    return kept


def _bound(libc: ctypes.CDLL, kept: frozenset[str]) -> None:
    """The bounding set; who may not change it has nothing that he could get by it either, with no_new_privs."""
    for number in range(_LAST + 1):
        name = NAMES[number] if number < len(NAMES) else ""
        if name not in kept and libc.prctl(_CAPBSET_READ, number, 0, 0, 0) == 1:
            libc.prctl(_CAPBSET_DROP, number, 0, 0, 0)


def _become(libc: ctypes.CDLL, become: User, change: Callable[[User], None]) -> None:
    if become.uid == os.getuid() == os.geteuid():
        return
    libc.prctl(_KEEPCAPS, 1, 0, 0, 0)
    try:
        change(become)
    except OSError as error:
        raise FleutanError(
            f"this process cannot become user {become.name}: {(error.strerror or '').lower()}; it takes root, or"
            " CAP_SETUID and CAP_SETGID"
        ) from None


def _set(libc: ctypes.CDLL, kept: frozenset[str]) -> None:
    mask = sum(1 << NAMES.index(name) for name in kept)
    words = [_Sets(part, part, 0) for part in (mask & 0xFFFF_FFFF, mask >> 32)]
    if libc.capset(ctypes.byref(_Head(_VERSION, 0)), (_Sets * 2)(*words)):
        raise FleutanError(f"privileges cannot be given up: {os.strerror(ctypes.get_errno()).lower()}")
