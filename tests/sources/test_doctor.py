# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from dataclasses import replace

import pytest

from fleutan.errors import FleutanError, NotSupported
from fleutan.linux.capabilities import Library
from fleutan.sources import doctor
from fleutan.sources.doctor import PRIVILEGES, PROTOCOLS, Facts, Finding, Terminal, colours, diagnose, facts, findings

ALL_WELL = Facts(
    release="6.1.0-18-amd64",
    has_btf=True,
    library=Library("/usr/lib/libbpf.so.1.1.2", "v1.1"),
    bpf=None,
    sockets=dict.fromkeys(PROTOCOLS),
    present=frozenset(name for _, name in PROTOCOLS.values()),
    uid=0,
    capabilities=frozenset(PRIVILEGES),
    interpreter="/opt/fleutan/bin/python3",
    file_capabilities=frozenset(),
    processes=120,
    unreadable=0,
    hidden=False,
    namespaces=1,
    namespace_notes=(),
    cgroups="v2",
    packages={"numpy": "2.4.0", "rich": "14.0"},
    terminal=Terminal(is_terminal=True, columns=100, colours=256),
)
NO_MODULE = NotSupported("sctp", "this kernel does not offer it", "modprobe inet_diag sctp_diag")
NO_PRIVILEGE = NotSupported("BPF", "it takes root, or CAP_BPF and CAP_PERFMON", "run it as root")


def judged(topic: str, found: Facts) -> Finding:
    (finding,) = [finding for finding in findings(found) if finding.topic == topic]
    return finding


def test_where_all_is_well_nothing_is_to_be_done() -> None:
    assert {(finding.status, finding.remedy) for finding in findings(ALL_WELL)} == {("ok", "")}
    details = {finding.topic: finding.detail for finding in findings(ALL_WELL)}
    assert details["kernel"] == "6.1.0-18-amd64"
    assert details["libbpf"] == "v1.1 /usr/lib/libbpf.so.1.1.2"
    assert details["sock_diag"] == "lists tcp, udp, udplite, raw, mptcp, sctp, dccp"
    assert details["owners"] == "of all 120 processes"
    assert details["namespaces"] == "one network namespace"
    assert details["privileges"] == "root, with all that is needed"
    assert details["control groups"] == "v2"
    assert details["python"].endswith(", numpy 2.4.0, rich 14.0")
    assert details["terminal"] == "100 columns, 256 colours"


def test_what_bpf_needs() -> None:
    found = replace(ALL_WELL, has_btf=False, library=None, bpf=NO_PRIVILEGE)
    assert judged("BTF", found).status == "missing"
    assert "apt install libbpf1" in judged("libbpf", found).remedy
    assert judged("BPF iterators", found) == Finding(
        "BPF iterators", "missing", NO_PRIVILEGE.reason, NO_PRIVILEGE.remedy
    )


def test_a_protocol_that_the_kernel_lacks_is_not_missed() -> None:
    found = replace(ALL_WELL, sockets={"tcp": None, "sctp": NO_MODULE}, present=frozenset({"TCP"}))
    assert judged("sock_diag", found) == Finding("sock_diag", "ok", "lists tcp; this kernel has no sctp")
    assert "sock_diag sctp" not in [finding.topic for finding in findings(found)]


def test_a_protocol_in_use_that_cannot_be_listed_is_missing() -> None:
    found = replace(ALL_WELL, sockets={"tcp": None, "sctp": NO_MODULE}, present=frozenset({"TCP", "SCTP"}))
    assert judged("sock_diag sctp", found).remedy == "modprobe inet_diag sctp_diag"
    refused = NotSupported("tcp", "no netlink", "allow AF_NETLINK")
    found = replace(ALL_WELL, sockets={"tcp": refused})
    assert judged("sock_diag", found).status == "missing"
    assert judged("sock_diag", found).detail == "lists nothing"
    assert judged("sock_diag tcp", found).remedy == "allow AF_NETLINK"


def test_owners_that_are_kept_secret() -> None:
    found = replace(ALL_WELL, unreadable=100, capabilities=frozenset({"CAP_SYS_PTRACE"}), bpf=NO_PRIVILEGE)
    assert judged("owners", found) == Finding(
        "owners", "degraded", "100 of 120 processes keep their descriptors to themselves", "see 'privileges'"
    )
    assert "BPF knows the owners" in judged("owners", replace(found, bpf=None)).detail
    assert "security module" in judged("owners", replace(ALL_WELL, unreadable=1)).remedy
    assert "hidepid=0" in judged("owners", replace(ALL_WELL, hidden=True)).remedy


def test_namespaces_that_cannot_be_entered() -> None:
    nobody = replace(ALL_WELL, capabilities=frozenset())
    assert judged("namespaces", nobody).status == "ok"
    assert judged("namespaces", replace(nobody, namespaces=3)) == Finding(
        "namespaces", "degraded", "3 network namespaces; only the current one can be entered", "see 'privileges'"
    )
    assert judged("namespaces", replace(nobody, namespace_notes=("2 more",))).status == "degraded"
    assert judged("namespaces", replace(ALL_WELL, namespace_notes=("2 more",))).detail.endswith("; 2 more")


def test_privileges_names_the_line_with_every_capability() -> None:
    found = replace(ALL_WELL, uid=1000, capabilities=frozenset(PRIVILEGES) - {"CAP_BPF", "CAP_PERFMON"})
    finding = judged("privileges", found)
    assert finding.status == "degraded"
    assert finding.detail == "user 1000 lacks CAP_BPF, CAP_PERFMON: BPF iterators"
    line = "setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search,cap_sys_admin,cap_net_admin+ep "
    assert line + "/opt/fleutan/bin/python3" in finding.remedy
    assert "every script" in finding.remedy


def test_privileges_of_root_in_a_container_and_of_an_interpreter_with_capabilities() -> None:
    finding = judged("privileges", replace(ALL_WELL, capabilities=frozenset({"CAP_NET_ADMIN"})))
    assert finding.detail.startswith("root lacks CAP_BPF")
    assert "setcap" not in finding.remedy
    finding = judged("privileges", replace(ALL_WELL, uid=1000, file_capabilities=frozenset({"CAP_BPF"})))
    assert finding.status == "ok"
    assert finding.detail.endswith("; /opt/fleutan/bin/python3 gives capabilities to every script")


@pytest.mark.parametrize(
    ("version", "status", "detail"),
    [
        ("", "missing", "none is mounted: no units, no containers"),
        ("v1", "ok", "v1: no control groups of sockets"),
        ("hybrid", "ok", "v1 and v2"),
    ],
)
def test_control_groups(version: str, status: str, detail: str) -> None:
    finding = judged("control groups", replace(ALL_WELL, cgroups=version))
    assert (finding.status, finding.detail) == (status, detail)


def test_packages_that_are_missing() -> None:
    found = replace(ALL_WELL, packages={"numpy": "2.4.0", "rich": None, "click": None})
    assert judged("packages", found) == Finding(
        "packages", "missing", "rich, click", "/opt/fleutan/bin/python3 -m pip install rich click"
    )
    assert judged("python", found).detail.endswith(", numpy 2.4.0")
    assert doctor._version("fleutan-is-not-called-so") is None


@pytest.mark.parametrize(
    ("terminal", "status", "detail"),
    [
        (Terminal(False, 80, 0), "ok", "none: plain text"),
        (Terminal(True, 60, 256), "degraded", "60 columns, 256 colours"),
        (Terminal(True, 80, 0), "degraded", "80 columns, no colours"),
    ],
)
def test_terminal(terminal: Terminal, status: str, detail: str) -> None:
    finding = judged("terminal", replace(ALL_WELL, terminal=terminal))
    assert (finding.status, finding.detail) == (status, detail)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0),
        ({"TERM": "dumb"}, 0),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, 0),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, 1 << 24),
        ({"TERM": "screen-256color", "NO_COLOR": ""}, 256),
        ({"TERM": "linux"}, 8),
    ],
)
def test_colours(environment: dict[str, str], expected: int) -> None:
    assert colours(environment) == expected


def test_facts_keep_why_something_is_refused() -> None:
    def refuse() -> None:
        raise NO_PRIVILEGE

    def ask(protocol: int) -> None:
        if protocol == 132:
            raise FleutanError("netlink is closed")
        if protocol == 33:
            raise PermissionError(13, "denied")

    found = facts(refuse, ask)
    assert found.bpf is NO_PRIVILEGE
    assert found.sockets["tcp"] is None
    assert str(found.sockets["sctp"]) == "sctp: netlink is closed"
    assert str(found.sockets["dccp"]) == "dccp: [Errno 13] denied"


def test_facts_of_this_host() -> None:
    found = facts(lambda: None, lambda _: None)
    assert found.release == os.uname().release
    assert found.uid == os.geteuid()
    assert found.interpreter == sys.executable
    assert found.processes > 0
    assert found.namespaces > 0
    assert found.packages["numpy"]
    assert found.cgroups in {"", "v1", "v2", "hybrid"}


def test_diagnose_asks_the_kernel() -> None:
    found = {finding.topic: finding for finding in diagnose()}
    assert found["sock_diag"].status == "ok"
    assert "tcp" in found["sock_diag"].detail
    assert found["BPF iterators"].status in {"ok", "missing"}
    assert found["BPF iterators"].detail


def test_what_stays_hidden_is_said_with_what_would_show_it() -> None:
    assert doctor.restricted(lambda _: []) == []
    owners, spaces = doctor.restricted(lambda names: names)
    assert "CAP_SYS_PTRACE" in owners
    assert "CAP_SYS_ADMIN" in spaces
