# SPDX-License-Identifier: Apache-2.0
"""hsflowd.conf, the configuration of Host sFlow, as the agent's settings.

Text becomes ``words``, a ``tree`` of options and blocks, values by the ``grammar`` (``checked``), and
``settings`` of the agent, in this order; each knows nothing of those behind it.
"""

from __future__ import annotations

from pathlib import Path

from fleutan.config import LARGEST
from fleutan.config.hsflowd.checked import check
from fleutan.config.hsflowd.settings import Settings, settings
from fleutan.config.hsflowd.tree import parse
from fleutan.errors import UsageError

__all__ = ["SYSTEM", "Settings", "load", "read"]

#: Where hsflowd has it.
SYSTEM = Path("/etc/hsflowd.conf")


def load(path: Path = SYSTEM) -> Settings:
    """What a file says.  Raises UsageError with file, line and what was expected."""
    try:
        with path.open("rb") as file:
            octets = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(octets) > LARGEST:
        raise UsageError(f"{path} is no configuration: it has more than {LARGEST} bytes")
    return read(octets.decode(errors="replace"), str(path))


def read(text: str, path: str) -> Settings:
    """The same of a text; ``path`` names it in errors, remarks and origins."""
    return settings(check(parse(text, path), path))
