# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleutan.linux import capabilities
from fleutan.linux.capabilities import Library


def make_status(root: Path, line: str) -> str:
    folder = root / "thread-self"
    folder.mkdir()
    (folder / "status").write_text(f"Name:\tpython3\nCapPrm:\t000001ffffffffff\n{line}")
    return str(root)


def test_effective_names_every_bit(tmp_path: Path) -> None:
    root = make_status(tmp_path, "CapEff:\t000002c000080004\n")
    assert capabilities.effective(root) == {"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_PERFMON", "CAP_BPF", "CAP_41"}


def test_effective_of_a_kernel_that_does_not_say(tmp_path: Path) -> None:
    assert capabilities.effective(make_status(tmp_path, "")) == frozenset()


def test_the_numbers_are_those_of_the_kernel() -> None:
    # include/uapi/linux/capability.h: the first, some in the middle, the last.
    numbers = {0: "CAP_CHOWN", 12: "CAP_NET_ADMIN", 19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN", 39: "CAP_BPF"}
    assert {number: capabilities.NAMES[number] for number in numbers} == numbers
    last = Path("/proc/sys/kernel/cap_last_cap")
    assert len(capabilities.NAMES) >= 41
    assert int(last.read_text()) >= 37


def test_a_part_of_sys_admin_is_had_with_the_whole(tmp_path: Path) -> None:
    root = make_status(tmp_path, "CapEff:\t0000000000200000\n")
    assert capabilities.has("CAP_SYS_ADMIN", root)
    assert capabilities.has("CAP_BPF", root)
    assert not capabilities.has("CAP_NET_ADMIN", root)
    assert capabilities.missing(("CAP_NET_ADMIN", "CAP_PERFMON", "CAP_SYS_PTRACE"), root) == [
        "CAP_NET_ADMIN",
        "CAP_SYS_PTRACE",
    ]


def test_effective_of_this_process() -> None:
    text = Path("/proc/thread-self/status").read_text()
    mask = int(next(line for line in text.splitlines() if line.startswith("CapEff")).split()[1], 16)
    assert len(capabilities.effective()) == mask.bit_count()


def test_setcap_line_names_the_file_behind_the_link(tmp_path: Path) -> None:
    program = tmp_path / "my python"
    program.touch()
    (tmp_path / "python3").symlink_to(program)
    line = capabilities.setcap_line(("CAP_BPF", "CAP_PERFMON"), str(tmp_path / "python3"))
    assert line == f"setcap cap_bpf,cap_perfmon+ep '{os.path.realpath(program)}'"


def test_of_file_reads_what_setcap_wrote(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.touch()
    assert capabilities.of_file(str(program)) == frozenset()
    if not shutil.which("setcap"):
        pytest.skip("needs setcap (Debian: libcap2-bin)")
    wanted = ("CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_PERFMON", "CAP_BPF")
    line = capabilities.setcap_line(wanted, str(program))
    if subprocess.run(line, shell=True, capture_output=True, check=False).returncode:  # noqa: S602
        pytest.skip("needs CAP_SETFCAP, and a file system that has extended attributes")
    assert capabilities.of_file(str(program)) == set(wanted)


def test_kernel_release_is_that_of_proc() -> None:
    assert capabilities.kernel_release() == Path("/proc/sys/kernel/osrelease").read_text().strip()


def test_has_btf(tmp_path: Path) -> None:
    assert not capabilities.has_btf(str(tmp_path / "vmlinux"))
    (tmp_path / "vmlinux").touch()
    assert capabilities.has_btf(str(tmp_path / "vmlinux"))


def test_find_library() -> None:
    found = capabilities.find_library()
    if found is None:
        pytest.skip("needs libbpf.so.1 (Debian: libbpf1)")
    assert os.path.basename(found.path).startswith("libbpf.so.1")
    assert os.path.exists(found.path)
    assert found.version.startswith("v1")


def test_find_library_that_is_missing_or_has_no_version(tmp_path: Path) -> None:
    assert capabilities.find_library("libfleutan-is-not-there.so.1") is None
    found = capabilities.find_library("libc.so.6")
    assert found is not None
    assert found.version == ""
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "maps").write_text("7f00-7f01 r--p 00000000 fe:00 1 /lib/other.so\n7f02-7f03 rw-p 0 00:00 0\n")
    assert capabilities.find_library("libc.so.6", str(tmp_path)) == Library("libc.so.6", "")
