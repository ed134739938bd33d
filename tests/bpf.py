# SPDX-License-Identifier: Apache-2.0
"""What tests of BPF programs ask of this machine: whether they load, and what its kernel keeps from them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fleutan.linux import capabilities, libbpf

#: Where the sources of the programs are, and what they were compiled to.
FOLDER = Path(libbpf.__file__).with_name("bpf")


def _missing() -> str:
    if lacking := capabilities.missing(libbpf.CAPABILITIES):
        return f"needs {' and '.join(lacking)}"
    if not capabilities.has_btf():
        return f"needs {capabilities.BTF}"
    return "" if capabilities.find_library() else f"needs {capabilities.LIBBPF}"


#: What is missing, in words for a test that is skipped; "" for nothing.
MISSING = _missing()
needs_bpf = pytest.mark.skipif(bool(MISSING), reason=MISSING)

#: How often something is looked at, at most.
LOOKS = 5


def agrees(look: Callable[[], None]) -> None:
    """Looks until the numbers agree, but again only where the kernel may have kept events from the programs.

    Some kernels run no tracing program on a CPU whose current task is process 1, and what a
    softirq handles that interrupts it is seen by nobody; nothing counts that.  So a look that
    disagrees is no proof where process 1 ran meanwhile.  Where it did not, or did in so many
    looks, the disagreement stands.
    """
    for _ in range(LOOKS - 1):
        before = _runs_of_process_1()
        try:
            return look()
        except (AssertionError, ValueError):  # the latter from a row that is not there to unpack
            if _runs_of_process_1() == before:
                raise
    return look()


def _runs_of_process_1() -> list[str]:
    """How long each of its threads ran, and how often it was put on a CPU: another list after it ran.

    Of a thread that ended meanwhile nothing is told, which is another list too.
    """
    said = []
    for thread in sorted(Path("/proc/1/task").glob("*")):
        with suppress(OSError):
            said.append((thread / "schedstat").read_text())
    return said


def same_object_again(name: str, folder: Path) -> None:
    """Compiles a program into ``folder``, where this machine has what it was compiled with: it gives the same bytes."""
    compiler, library = (FOLDER / f"{name}.bpf.o.txt").read_text().splitlines()
    major = compiler.split(".")[0]
    if major not in _version("clang") or not _version("llvm-strip") or not Path("/usr/include/bpf").exists():
        pytest.skip(f"needs {major}, llvm-strip and the headers of {library}")
    made = folder / f"{name}.bpf.o"
    subprocess.run([str(FOLDER / "build.sh"), str(made)], check=True)
    if made.with_name(f"{made.name}.txt").read_text().splitlines()[1] != library:
        pytest.skip(f"needs the headers of {library}")
    assert made.read_bytes() == (FOLDER / made.name).read_bytes()


def _version(command: str) -> str:
    """What ``command --version`` says; empty where there is none."""
    if not shutil.which(command):
        return ""
    return subprocess.run([command, "--version"], check=True, capture_output=True, text=True).stdout
