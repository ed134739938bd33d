# SPDX-License-Identifier: Apache-2.0
"""Where captures of real exporters lie, if they do: beside the repository, or where FLEUTAN_SHARED says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("FLEUTAN_SHARED", Path(__file__).parents[2] / "shared"))
CAPTURES = SHARED / "captures"

needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"needs the captures in {CAPTURES}")
