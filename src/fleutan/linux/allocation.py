# SPDX-License-Identifier: Apache-2.0
"""What the C library does with memory that is freed: mallopt(3) of glibc.

Who works on one batch after the other frees arrays of megabytes and asks for the same again.  By
default each is given back to the kernel, which has to clear its pages for the next one.
"""

from __future__ import annotations

import ctypes

# M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX of malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
#: The greatest that glibc takes: half of a heap of its own.
_LARGEST = 32 << 20
#: What may lie free at the heap's end before the kernel gets it back.
KEPT = 64 << 20
#: By itself glibc puts pieces of up to 32 MiB into the heap once it has seen one freed, where they leave holes.
LARGE = 1 << 20


def keep_freed(library: object = None, octets: int = KEPT) -> bool:
    """Has this process keep up to so many octets of what it frees; False where the C library cannot."""
    mallopt = getattr(library or ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl has none
        return False
    largest = min(octets, _LARGEST)
    return all(mallopt(which, size) for which, size in ((_MMAP_THRESHOLD, largest), (_TRIM_THRESHOLD, octets)))


def give_back(library: object = None) -> bool:
    """Has this process give back at once what it frees in pieces from LARGE on, and keep all memory in one heap.

    For one that needs much for a moment, now and then.  False where the C library cannot.
    """
    mallopt = getattr(library or ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(which, number) for which, number in ((_MMAP_THRESHOLD, LARGE), (_ARENA_MAX, 1)))
