# SPDX-License-Identifier: Apache-2.0
"""Memory of a process that works for a moment now and then, for days."""

from __future__ import annotations

from fleutan.linux import allocation


def spare() -> bool:
    """Has this process hold little between two readings; False where the C library cannot."""
    return allocation.give_back()
