# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.bpf import FOLDER, same_object_again

from fleutan.errors import NotSupported
from fleutan.linux import capabilities, libbpf
from fleutan.linux.libbpf import BpfObject, decisive_line, refusal

ELF = (FOLDER / "sockets.bpf.o").read_bytes()
TRAFFIC = (FOLDER / "traffic.bpf.o").read_bytes()
TICKS = (250).to_bytes(4, sys.byteorder)

needs_bpf = pytest.mark.skipif(
    bool(capabilities.missing(libbpf.CAPABILITIES)) or not capabilities.has_btf() or not capabilities.find_library(),
    reason="needs CAP_BPF and CAP_PERFMON, the kernel's BTF and libbpf.so.1",
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give privileges up")

#: A child that keeps only the capabilities of the mask that is its argument, and no privilege else.
WITH_CAPABILITIES = """
import ctypes, os, struct, sys
from fleutan.linux.iterators import SocketIterators
libc = ctypes.CDLL(None, use_errno=True)
low, high = int(sys.argv[1]) & 0xFFFFFFFF, int(sys.argv[1]) >> 32
libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
head = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
if libc.capset(head, struct.pack("=6I", low, low, 0, high, high, 0)):
    raise OSError(ctypes.get_errno(), "capset")
with SocketIterators() as kernel:
    print(len(kernel.read_tcp()) % 480, len(kernel.read_holders()) % 12)
"""


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process as another effective user, and so without capabilities, for a while."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which the change took away


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def reason(elf: bytes, constants: bytes = TICKS) -> str:
    """Why an object does not load; nothing may be left open behind it."""
    before = descriptors()
    with pytest.raises(NotSupported) as caught, BpfObject("sockets", elf, constants):
        pass
    assert descriptors() == before
    return str(caught.value)


@needs_bpf
def test_an_iterator_is_read_as_often_as_it_is_made_and_nothing_stays_open() -> None:
    before = descriptors()
    programs = BpfObject("sockets", ELF, TICKS)
    with programs:
        for _ in range(2):
            made = programs.iterate("task_file")
            assert os.get_inheritable(made) is False
            assert len(os.read(made, 1 << 16)) % 12 == 0
            os.close(made)
        assert descriptors() > before
    assert descriptors() == before
    programs.close()
    with pytest.raises(ValueError, match="sockets: the programs are not loaded"):
        programs.iterate("task_file")


@needs_bpf
def test_an_error_in_the_context_closes_everything() -> None:
    before = descriptors()
    with suppress(KeyError), BpfObject("sockets", ELF, TICKS) as programs:
        os.close(programs.iterate("tcp"))
        raise KeyError
    assert descriptors() == before


@needs_bpf
def test_a_program_that_is_not_wanted_is_not_loaded() -> None:
    with BpfObject("sockets", ELF, TICKS, unused=("tcp", "udp")) as programs:
        os.close(programs.iterate("task_file"))
        with pytest.raises(NotSupported, match="bpf_program__attach_iter"):
            programs.iterate("tcp")


@needs_bpf
def test_a_program_that_is_not_there_is_named_as_such() -> None:
    with BpfObject("sockets", ELF, TICKS) as programs, pytest.raises(NotSupported, match="No such file"):
        programs.iterate("sctp")


@needs_bpf
def test_a_program_has_a_descriptor() -> None:
    with BpfObject("sockets", ELF, TICKS) as programs:
        assert "bpf-prog" in os.readlink(f"/proc/self/fd/{programs.descriptor('tcp')}")
        with pytest.raises(NotSupported, match="No such file"):
            programs.descriptor("sctp")


@needs_bpf
def test_the_verifiers_own_words_say_why_it_refuses() -> None:
    proprietary = ELF.replace(b"Dual BSD/GPL", b"Proprietary\0")
    assert re.search("from non-GPL compatible program|GPL-restricted function", reason(proprietary))


@needs_bpf
def test_a_program_that_divides_by_ticks_it_was_not_told_is_still_taken() -> None:
    with BpfObject("sockets", ELF) as programs:
        os.close(programs.iterate("udp"))


@needs_bpf
def test_constants_of_another_size_are_refused() -> None:
    assert "bpf_map__set_initial_value" in reason(ELF, b"\0" * 8)


@needs_bpf
@pytest.mark.parametrize("length", [0, 1, 64, 4096, 40_000])
def test_a_broken_object_is_refused_with_a_line(length: int) -> None:
    message = reason(ELF[:length])
    assert message.startswith("BPF: sockets: ")
    assert "\n" not in message


def test_a_missing_library_says_what_to_install() -> None:
    with pytest.raises(NotSupported, match=r"there is no libbpf\.so\.0x; install libbpf1"):
        libbpf.load_library("libbpf.so.0x")


@pytest.mark.skipif(not capabilities.find_library(), reason="needs libbpf.so.1")
def test_a_kernel_without_btf_says_what_builds_it(tmp_path: Path) -> None:
    lacking = BpfObject("sockets", ELF, btf=str(tmp_path / "vmlinux"))
    with pytest.raises(NotSupported, match=r"this kernel has no .*/vmlinux; .*CONFIG_DEBUG_INFO_BTF"), lacking:
        pass


@needs_bpf
def test_a_program_runs_from_when_it_is_attached_until_the_object_is_closed() -> None:
    before = descriptors()
    with BpfObject("traffic", TRAFFIC, sizes={"flows_0": 16, "flows_1": 16}) as programs, libbpf.counting_runs():
        assert programs.runs("sent").run_cnt == 0
        programs.attach("sent")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(10):
                sender.sendto(b"x", ("127.0.0.1", 9))
        runs = programs.runs("sent")
        assert runs.run_cnt >= 10
        assert runs.run_time_ns > 0
        assert runs.recursion_misses == 0
        assert programs.runs("received").run_cnt == 0
        programs.detach("sent", "received")
        before_again = programs.runs("sent").run_cnt
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))
            assert programs.runs("sent").run_cnt == before_again
            programs.attach("sent")
            sender.sendto(b"x", ("127.0.0.1", 9))
            assert programs.runs("sent").run_cnt > before_again
    assert descriptors() == before


@needs_bpf
def test_what_cannot_be_attached_or_asked_says_so() -> None:
    with BpfObject("traffic", TRAFFIC, unused=("received",), sizes={"flows_0": 16, "flows_1": 16}) as programs:
        with pytest.raises(NotSupported, match="bpf_program__attach:"):
            programs.attach("received")
        with pytest.raises(NotSupported, match="bpf_program__fd"):
            programs.runs("received")


@needs_bpf
def test_a_size_that_no_map_can_have_is_refused_with_a_line() -> None:
    with pytest.raises(NotSupported, match="BPF: traffic: "), BpfObject("traffic", TRAFFIC, sizes={"flows_0": 0}):
        pass


@needs_root
@needs_bpf
def test_nobody_may_count_runs() -> None:
    refused = pytest.raises(NotSupported, match="BPF statistics: operation not permitted; run as root")
    with as_nobody(), refused, libbpf.counting_runs():
        pass


@needs_root
@needs_bpf
def test_nobody_is_told_which_capabilities_it_takes() -> None:
    wanted = "BPF: it takes root, or CAP_BPF and CAP_PERFMON; run it as root, or once: setcap cap_bpf,cap_perfmon"
    with as_nobody(), pytest.raises(NotSupported, match=wanted), BpfObject("sockets", ELF, TICKS):
        pass


@needs_root
@needs_bpf
def test_the_two_capabilities_are_enough() -> None:
    mask = sum(1 << capabilities.NAMES.index(name) for name in libbpf.CAPABILITIES)
    child = [sys.executable, "-c", WITH_CAPABILITIES, str(mask)]
    assert subprocess.run(child, check=True, capture_output=True, text=True).stdout == "0 0\n"


def test_a_refusal_despite_the_capabilities_points_elsewhere() -> None:
    assert "lockdown" in refusal([])[1]
    assert "setcap" in refusal(["CAP_BPF"])[1]


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", ""),
        ("libbpf: elf: not a bpf object\nlibbpf: failed to open\n", "elf: not a bpf object"),
        ("libbpf: load failed\n0: R1=ctx()\nR1 invalid mem access\nprocessed 9 insns\n", "R1 invalid mem access"),
    ],
)
def test_the_decisive_line(log: str, line: str) -> None:
    assert decisive_line(log) == line


def test_the_object_is_what_its_source_compiles_to(tmp_path: Path) -> None:
    same_object_again("sockets", tmp_path)
