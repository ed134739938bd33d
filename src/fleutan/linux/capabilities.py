# SPDX-License-Identifier: Apache-2.0
"""What this process may do and what this kernel offers: capabilities, BTF, libbpf, its release.

Facts only: what each is needed for, and what to do where it is missing, is said in
``sources.doctor``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable
from typing import NamedTuple

from fleutan.linux.proc import PROC

BTF = "/sys/kernel/btf/vmlinux"
LIBBPF = "libbpf.so.1"

#: Capabilities by bit number (include/uapi/linux/capability.h, capabilities(7)).
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)


class Library(NamedTuple):
    """A shared library as the dynamic linker finds it; ``version`` as it calls itself."""

    path: str
    version: str


def effective(root: str = PROC) -> frozenset[str]:
    """The capabilities in effect in the calling thread, by name (CapEff in /proc/thread-self/status)."""
    return _set("CapEff", root)


def permitted(root: str = PROC) -> frozenset[str]:
    """Those that the calling thread has, in effect or not, by name (CapPrm)."""
    return _set("CapPrm", root)


def _set(which: str, root: str) -> frozenset[str]:
    with open(f"{root}/thread-self/status") as lines:
        for line in lines:
            if line.startswith(f"{which}:"):
                return names_of(int(line.split()[1], 16))
    return frozenset()


def has(name: str, root: str = PROC) -> bool:
    """Whether the capability is in effect.

    What newer kernels have split off counts as had by who has the old whole: CAP_SYS_ADMIN has
    CAP_BPF and CAP_PERFMON (``bpf_capable``, ``perfmon_capable``).
    """
    held = effective(root)
    return name in held or (name in _PARTS_OF_SYS_ADMIN and "CAP_SYS_ADMIN" in held)


_PARTS_OF_SYS_ADMIN = frozenset({"CAP_BPF", "CAP_PERFMON", "CAP_CHECKPOINT_RESTORE"})


def names_of(mask: int) -> frozenset[str]:
    """The names of the bits of a mask; a bit without a name is called CAP_ and its number."""
    bits = (bit for bit in range(mask.bit_length()) if mask >> bit & 1)
    return frozenset(NAMES[bit] if bit < len(NAMES) else f"CAP_{bit}" for bit in bits)


def of_file(path: str) -> frozenset[str]:
    """The capabilities that a program file gives whoever runs it; empty where it has none.

    From its ``security.capability`` (struct vfs_cap_data): flags, then the lower permitted and
    inheritable words, then the higher ones, little-endian.
    """
    try:
        raw = os.getxattr(path, "security.capability")
    except OSError:
        return frozenset()
    low, high = (int.from_bytes(raw[at : at + 4], "little") for at in (4, 12))
    return names_of(high << 32 | low)


def setcap_line(names: Iterable[str], program: str) -> str:
    """The command that gives a program file these capabilities (setcap(8))."""
    return f"setcap {','.join(name.lower() for name in names)}+ep {shlex.quote(os.path.realpath(program))}"


def missing(names: Collection[str], root: str = PROC) -> list[str]:
    """Which of these capabilities are not in effect, in that order."""
    return [name for name in names if not has(name, root)]


def kernel_release() -> str:
    """The running kernel's release, such as ``6.1.0-18-amd64`` (uname(2))."""
    return os.uname().release


def has_btf(path: str = BTF) -> bool:
    """Whether the kernel describes its own types, which compile-once BPF programs need."""
    return os.access(path, os.R_OK)


def find_library(name: str = LIBBPF, root: str = PROC) -> Library | None:
    """The library that the dynamic linker loads under that name, or None.

    ``version`` is what ``libbpf_version_string`` says; empty in libraries that lack it.
    """
    import ctypes

    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    say = getattr(library, "libbpf_version_string", None)
    if say is not None:
        say.restype = ctypes.c_char_p
    return Library(_mapped(name, root), say().decode() if say else "")


def _mapped(name: str, root: str) -> str:
    """Where a loaded library comes from: the file that is mapped under its name."""
    with open(f"{root}/self/maps") as lines:
        for line in lines:
            path = line.rstrip("\n").partition("/")
            if path[2].rpartition("/")[2].startswith(name):
                return f"/{path[2]}"
    return name
