# SPDX-License-Identifier: Apache-2.0
"""Memory between two readings: who reads for days needs it for a moment only."""

from __future__ import annotations

from fleutan.linux.allocation import give_back

__all__ = ["give_back"]
