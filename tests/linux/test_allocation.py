# SPDX-License-Identifier: Apache-2.0
"""Memory that is freed and asked for again."""

from __future__ import annotations

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fleutan.linux.allocation import give_back, keep_freed

#: Page faults of fifty batches of 36 MiB, one after the other.
_FAULTS = """
import resource, sys
import numpy as np
from fleutan.linux.allocation import give_back, keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for _ in range(50):
    arrays = [np.ones(12 << 20, np.uint8) for _ in range(3)]
    del arrays
print(faults() - before)
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@glibc
def test_pages_are_not_asked_for_again() -> None:
    assert 10 * faults("kept") < faults("given back")


@glibc
def test_it_may_be_said_again() -> None:
    assert keep_freed()
    assert keep_freed()


def test_it_keeps_as_much_as_is_said() -> None:
    said: dict[int, int] = {}
    library = SimpleNamespace(mallopt=lambda which, octets: said.update({which: octets}) or 1)
    assert keep_freed(library, octets=1 << 20)
    assert set(said.values()) == {1 << 20}
    assert keep_freed(library, octets=1 << 30)
    assert sorted(said.values()) == [32 << 20, 1 << 30]


def test_another_c_library_has_nothing_to_say() -> None:
    assert keep_freed(object()) is False


def test_a_refusal_is_told() -> None:
    assert keep_freed(SimpleNamespace(mallopt=lambda *_: 0)) is False


#: How much of what was freed in pieces of 4 MiB is still there, between others that are held.
_HOLES = """
import sys
from fleutan.linux.allocation import give_back
if sys.argv[1] == "given back":
    assert give_back()
def resident():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1])
del [bytearray(b"x") * (8 << 20)][0]  # from here on glibc would put such pieces into the heap
before = resident()
pieces = [bytearray(b"x") * (4 << 20 if place % 2 else 8192) for place in range(40)]
held = pieces[::2]
del pieces
print(resident() - before)
"""


@glibc
def test_large_pieces_leave_no_holes() -> None:
    left = {
        how: int(subprocess.run([sys.executable, "-c", _HOLES, how], capture_output=True, text=True, check=True).stdout)
        for how in ("given back", "as it is")
    }
    assert left["given back"] < 1024, left
    assert left["as it is"] > 5 * left["given back"], left


def test_what_another_c_library_does_with_it_is_told() -> None:
    assert give_back(object()) is False
    assert give_back(SimpleNamespace(mallopt=lambda *_: 0)) is False
    assert give_back(SimpleNamespace(mallopt=lambda *_: 1)) is True
