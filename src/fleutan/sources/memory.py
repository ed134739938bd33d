# SPDX-License-Identifier: Apache-2.0
"""Memory of processes that work for days: on much now and then, or on little again and again."""

from __future__ import annotations

from fleutan.linux import allocation

#: What one that works on little keeps: enough for some thousand packets.
LITTLE = 8 << 20


def spare() -> bool:
    """Has this process hold little between two readings; False where the C library cannot."""
    return allocation.give_back()


def keep() -> bool:
    """Has this process keep LITTLE of what it frees for the next batch; False where the C library cannot.

    The kernel clears each page that it is given back, which takes as long as a third of the work on the batch.
    """
    return allocation.keep_freed(octets=LITTLE)
