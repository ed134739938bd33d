# SPDX-License-Identifier: Apache-2.0
"""The layouts against the types that the running kernel describes itself (BTF)."""

from __future__ import annotations

import struct
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fleutan.linux import tcpinfo
from fleutan.linux.tcpinfo import Member

BTF = Path("/sys/kernel/btf/vmlinux")
STRUCT = 4
#: Bytes after a type's own twelve, by kind (Documentation/bpf/btf.rst): fixed, and for each member.
TAILS = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12), 17: (4, 0)}
TAILS[19] = (0, 12)
STRUCTS = {
    "tcp_info": tcpinfo.TCP_INFO,
    "mptcp_info": tcpinfo.MPTCP_INFO,
    "tcpvegas_info": tcpinfo.TCPVEGAS_INFO,
    "tcp_dctcp_info": tcpinfo.TCP_DCTCP_INFO,
    "tcp_bbr_info": tcpinfo.TCP_BBR_INFO,
}


@cache
def kernel_structs() -> dict[str, dict[str, tuple[int, int]]]:
    """The structs by name: of every member its first bit, and its width where it is a bit field."""
    data = BTF.read_bytes()
    header, type_at, type_size, text_at, _ = struct.unpack_from("=5I", data, 4)

    def text(at: int) -> str:
        first = header + text_at + at
        return data[first : data.index(0, first)].decode()

    found = {}
    at, end = header + type_at, header + type_at + type_size
    while at < end:
        name, kinds, _ = struct.unpack_from("=3I", data, at)
        kind, count = kinds >> 24 & 31, kinds & 0xFFFF
        if kind == STRUCT and (title := text(name)) in STRUCTS:
            members = [struct.unpack_from("=3I", data, at + 12 + 12 * place) for place in range(count)]
            found[title] = {text(part): (place & 0xFFFFFF, place >> 24) for part, _, place in members}
        fixed, each = TAILS.get(kind, (0, 0))
        at += 12 + fixed + each * count
    return found


def first_bit(member: Member) -> tuple[int, int]:
    first, width = member.bits or (0, 0)
    return 8 * member.offset + first, width


@pytest.mark.skipif(not BTF.exists(), reason="needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)")
@pytest.mark.parametrize("name", STRUCTS)
def test_members_stand_where_the_kernel_has_them(name: str) -> None:
    if name not in kernel_structs():
        pytest.skip(f"this kernel has no struct {name}")
    theirs = kernel_structs()[name]
    ours = {member.name.replace("bbr_bw", "bbr_bw_lo"): first_bit(member) for member in STRUCTS[name]}
    common = ours.keys() & theirs.keys()
    assert {part: ours[part] for part in common} == {part: theirs[part] for part in common}
    assert len(common) >= 0.7 * len(ours), "an older kernel lacks members, but not so many"


@pytest.mark.parametrize("members", STRUCTS.values(), ids=STRUCTS)
def test_members_do_not_overlap(members: tuple[Member, ...]) -> None:
    spans = []
    for member in members:
        first, width = first_bit(member)
        spans.append((first, first + (width or 8 * np.dtype(member.format).itemsize)))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_names_are_unique() -> None:
    names = [member.name for members in STRUCTS.values() for member in members]
    assert len(names) == len(set(names))


def test_dccp_has_what_its_congestion_controls_always_fill() -> None:
    assert [member.name for member in tcpinfo.DCCP_INFO] == [
        "tcpi_state",
        "tcpi_retransmits",
        "tcpi_probes",
        "tcpi_backoff",
        "tcpi_pmtu",
    ]
    assert set(tcpinfo.DCCP_INFO) <= set(tcpinfo.TCP_INFO)
