# SPDX-License-Identifier: Apache-2.0
"""What the C library does with memory that is freed: mallopt(3) of glibc.

Who works on one batch after the other frees arrays of megabytes and asks for the same again.  By
default each is given back to the kernel, which has to clear its pages for the next one.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
#: The greatest that glibc takes: half of a heap of its own.
_LARGEST = 32 << 20
#: What may lie free at the heap's end before the kernel gets it back.
KEPT = 64 << 20


def keep_freed(library: object = None) -> bool:
    """Has this process keep up to KEPT octets of what it frees; False where the C library cannot."""
    mallopt = getattr(library or ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl has none
        return False
    return all(mallopt(which, octets) for which, octets in ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, KEPT)))
