# SPDX-License-Identifier: Apache-2.0
"""What this host offers fleutan, what is missing, what that costs, and the line that helps.

``facts`` asks the host, ``findings`` judges what it said: the judgement knows no host.  Nothing
is changed here, and nothing is printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux import capabilities, cgroups, namespaces, proc
from fleutan.linux.capabilities import Library

Status = Literal["ok", "degraded", "missing"]

#: Every capability that gives something, and what it gives.
PRIVILEGES = {
    "CAP_BPF": "BPF iterators",
    "CAP_PERFMON": "BPF iterators",
    "CAP_SYS_PTRACE": "owners of other users' sockets",
    "CAP_DAC_READ_SEARCH": "owners of other users' sockets",
    "CAP_SYS_ADMIN": "other network namespaces",
    "CAP_NET_ADMIN": "marks of sockets",
}
#: Protocols by their names in /proc/net/protocols; where a kernel lacks one, nothing is missed.
PROTOCOLS = {
    "tcp": (6, "TCP"),
    "udp": (17, "UDP"),
    "udplite": (136, "UDP-Lite"),
    "raw": (255, "RAW"),
    "mptcp": (262, "MPTCP"),
    "sctp": (132, "SCTP"),
    "dccp": (33, "DCCP"),
}
PACKAGES = ("numpy", "duckdb", "nanoarrow", "click", "rich", "textual", "pyroute2")
_SEE = "see 'privileges'"
_LISTENING = 1 << 10  # 1 << TCP_LISTEN: the shortest answer; a refusal does not depend on it


class Finding(NamedTuple):
    """One line of the diagnosis; ``remedy`` is what to do, where something can be done."""

    topic: str
    status: Status
    detail: str
    remedy: str = ""


class Terminal(NamedTuple):
    """Where text goes: whether it is a terminal, its width in columns, its number of colours."""

    is_terminal: bool
    columns: int
    colours: int


@dataclass(frozen=True)
class Facts:
    """What the host said.

    ``bpf`` is why the BPF iterators do not load (None: they do); ``sockets`` has by protocol why
    sock_diag does not list it; ``present`` are the names in /proc/net/protocols; ``packages`` have
    a version, or None where they are missing.
    """

    release: str
    has_btf: bool
    library: Library | None
    bpf: NotSupported | None
    sockets: Mapping[str, NotSupported | None]
    present: frozenset[str]
    uid: int
    capabilities: frozenset[str]
    interpreter: str
    file_capabilities: frozenset[str]
    processes: int
    unreadable: int
    hidden: bool
    namespaces: int
    namespace_notes: tuple[str, ...]
    cgroups: str
    packages: Mapping[str, str | None]
    terminal: Terminal


def restricted(missing: Callable[[Collection[str]], Collection[str]] = capabilities.missing) -> list[str]:
    """What of other users and other namespaces stays hidden from this process, and what would show it."""
    found = []
    if missing(("CAP_SYS_PTRACE",)):
        found.append("owners of own processes only (CAP_SYS_PTRACE shows all)")
    if missing(("CAP_SYS_ADMIN",)):
        found.append("this network namespace only (CAP_SYS_ADMIN enters others)")
    return found


def load_iterators() -> None:
    """Loads the BPF iterators and unloads them.  Raises NotSupported with the reason."""
    from fleutan.linux.iterators import SocketIterators

    with SocketIterators():
        pass


def list_sockets(protocol: int) -> None:
    """Asks sock_diag about a protocol (IPPROTO_*).  Raises NotSupported with the reason."""
    from fleutan.linux.sockdiag import dump

    dump(protocol, _LISTENING)


def diagnose(load: Callable[[], object] = load_iterators, ask: Callable[[int], object] = list_sockets) -> list[Finding]:
    """What this host offers and what is missing, in the order in which it is used."""
    return findings(facts(load, ask))


def facts(load: Callable[[], object] = load_iterators, ask: Callable[[int], object] = list_sockets) -> Facts:
    """Asks the host; ``load`` and ``ask`` raise what stands against BPF and against a protocol."""
    found = proc.holders()
    spaces, notes = namespaces.every()
    return Facts(
        release=capabilities.kernel_release(),
        has_btf=capabilities.has_btf(),
        library=capabilities.find_library(),
        bpf=_refusal("BPF", load),
        sockets={name: _refusal(name, partial(ask, number)) for name, (number, _) in PROTOCOLS.items()},
        present=frozenset(proc.protocols()),
        uid=os.geteuid(),
        capabilities=frozenset(name for name in PRIVILEGES if capabilities.has(name)),
        interpreter=sys.executable,
        file_capabilities=capabilities.of_file(sys.executable),
        processes=len(proc.pids()),
        unreadable=found.unreadable,
        hidden=found.hidden,
        namespaces=len(spaces),
        namespace_notes=tuple(notes),
        cgroups=cgroups.version(),
        packages={name: _version(name) for name in PACKAGES},
        terminal=_terminal(),
    )


def _refusal(what: str, attempt: Callable[[], object]) -> NotSupported | None:
    try:
        attempt()
    except NotSupported as refused:
        return refused
    except (FleutanError, OSError) as failed:
        return NotSupported(what, str(failed))
    return None


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _terminal() -> Terminal:
    import shutil

    return Terminal(sys.stdout.isatty(), shutil.get_terminal_size().columns, colours(os.environ))


def colours(environment: Mapping[str, str]) -> int:
    """How many colours the terminal shows by what the environment says of it (no-color.org)."""
    kind = environment.get("TERM", "")
    if environment.get("NO_COLOR") or kind in {"", "dumb"}:
        return 0
    if environment.get("COLORTERM", "") in {"truecolor", "24bit"}:
        return 1 << 24
    return 256 if "256color" in kind else 8


def findings(found: Facts) -> list[Finding]:
    """The judgement of what the host said."""
    return [finding for judge in _JUDGES for finding in judge(found)]


def _kernel(found: Facts) -> list[Finding]:
    btf = (
        Finding("BTF", "ok", capabilities.BTF)
        if found.has_btf
        else Finding("BTF", "missing", f"no {capabilities.BTF}", "a kernel built with CONFIG_DEBUG_INFO_BTF=y has it")
    )
    return [Finding("kernel", "ok", found.release), btf]


def _libbpf(found: Facts) -> list[Finding]:
    if found.library is None:
        remedy = "apt install libbpf1 (Debian, Ubuntu); dnf install libbpf (Fedora)"
        return [Finding("libbpf", "missing", f"no {capabilities.LIBBPF}", remedy)]
    return [Finding("libbpf", "ok", f"{found.library.version} {found.library.path}".strip())]


def _bpf(found: Facts) -> list[Finding]:
    if found.bpf is None:
        return [Finding("BPF iterators", "ok", "load: CPUs and queues of sockets, owners without /proc")]
    return [Finding("BPF iterators", "missing", found.bpf.reason, found.bpf.remedy)]


def _sockets(found: Facts) -> list[Finding]:
    listed = [name for name, refused in found.sockets.items() if refused is None]
    refused = {name: why for name, why in found.sockets.items() if why is not None}
    absent = [name for name in refused if PROTOCOLS[name][1] not in found.present]
    detail = f"lists {', '.join(listed) or 'nothing'}"
    if absent:
        detail += f"; this kernel has no {', '.join(absent)}"
    status: Status = "ok" if "tcp" in listed else "missing"
    hidden = [
        Finding(f"sock_diag {name}", "missing", why.reason, why.remedy)
        for name, why in refused.items()
        if name not in absent
    ]
    return [Finding("sock_diag", status, detail), *hidden]


def _owners(found: Facts) -> list[Finding]:
    if found.hidden:
        detail = "/proc shows own processes only (hidepid)"
        return [Finding("owners", "degraded", detail, "mount -o remount,hidepid=0 /proc, or run as root")]
    if found.unreadable:
        detail = f"{found.unreadable} of {found.processes} processes keep their descriptors to themselves"
        remedy = "a security module or a namespace protects them" if _may_read_all(found) else _SEE
        return [Finding("owners", "degraded", detail + _owners_by_bpf(found), remedy)]
    return [Finding("owners", "ok", f"of all {found.processes} processes")]


def _may_read_all(found: Facts) -> bool:
    return {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} <= found.capabilities


def _owners_by_bpf(found: Facts) -> str:
    return "; BPF knows the owners, but not their executables" if found.bpf is None else ""


def _namespaces(found: Facts) -> list[Finding]:
    detail = f"{found.namespaces} network namespaces" if found.namespaces > 1 else "one network namespace"
    alone = found.namespaces == 1 and not found.namespace_notes
    if alone or "CAP_SYS_ADMIN" in found.capabilities:
        return [Finding("namespaces", "ok", "; ".join([detail, *found.namespace_notes]))]
    return [Finding("namespaces", "degraded", f"{detail}; only the current one can be entered", _SEE)]


def _privileges(found: Facts) -> list[Finding]:
    user = "root" if found.uid == 0 else f"user {found.uid}"
    missing = [name for name in PRIVILEGES if name not in found.capabilities]
    given = f"; {found.interpreter} gives capabilities to every script" if found.file_capabilities else ""
    if not missing:
        return [Finding("privileges", "ok", f"{user}, with all that is needed{given}")]
    lost = ", ".join(dict.fromkeys(PRIVILEGES[name] for name in missing))
    # One line with all: setcap puts the new set in the place of the old one.
    line = capabilities.setcap_line(PRIVILEGES, found.interpreter)
    warning = "gives them to every script that this interpreter runs, whoever runs it"
    detail = f"{user} lacks {', '.join(missing)}: {lost}{given}"
    if found.uid == 0:
        remedy = "what starts it, a container or a service, must leave it these capabilities"
        return [Finding("privileges", "degraded", detail, remedy)]
    return [Finding("privileges", "degraded", detail, f"run as root, or once: {line} ({warning})")]


def _cgroups(found: Facts) -> list[Finding]:
    if not found.cgroups:
        remedy = "mount -t cgroup2 none /sys/fs/cgroup"
        return [Finding("control groups", "missing", "none is mounted: no units, no containers", remedy)]
    what = {"v1": "v1: no control groups of sockets", "hybrid": "v1 and v2"}.get(found.cgroups, found.cgroups)
    return [Finding("control groups", "ok", what)]


def _packages(found: Facts) -> list[Finding]:
    missing = [name for name, version in found.packages.items() if version is None]
    listed = [f"{name} {version}" for name, version in found.packages.items() if version is not None]
    python = ".".join(map(str, sys.version_info[:3]))
    ok = Finding("python", "ok", ", ".join([python, *listed]))
    remedy = f"{found.interpreter} -m pip install {' '.join(missing)}"
    return [ok, Finding("packages", "missing", ", ".join(missing), remedy)] if missing else [ok]


def _terminal_of(found: Facts) -> list[Finding]:
    terminal = found.terminal
    if not terminal.is_terminal:
        return [Finding("terminal", "ok", "none: plain text")]
    detail = f"{terminal.columns} columns, {terminal.colours or 'no'} colours"
    if terminal.columns < 80:
        return [Finding("terminal", "degraded", detail, "80 columns show the common views in full")]
    if not terminal.colours:
        return [Finding("terminal", "degraded", detail, "unset NO_COLOR; export TERM=xterm-256color")]
    return [Finding("terminal", "ok", detail)]


_JUDGES: tuple[Callable[[Facts], list[Finding]], ...] = (
    _kernel,
    _libbpf,
    _bpf,
    _sockets,
    _owners,
    _namespaces,
    _privileges,
    _cgroups,
    _packages,
    _terminal_of,
)
