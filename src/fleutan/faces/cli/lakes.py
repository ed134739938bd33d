# SPDX-License-Identifier: Apache-2.0
"""Where the lake is that a command writes or asks, if nobody names one.  Imports next to nothing."""

from __future__ import annotations

import os
from pathlib import Path

#: Names the lake's directory.
VARIABLE = "FLEUTAN_LAKE"
#: Where root's lake is.
SYSTEM = Path("/var/lib/fleutan/lake")


def lake_of(directory: str | None) -> Path:
    """The lake's directory: as it is named, else as the environment says, else root's or the user's own."""
    if named := directory or os.environ.get(VARIABLE):
        return Path(named)
    if os.geteuid() == 0:
        return SYSTEM
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "fleutan/lake"
