# SPDX-License-Identifier: Apache-2.0
"""What is recorded, as values; options and configuration files are other rooms' business."""

from __future__ import annotations

from dataclasses import dataclass

from fleutan.sources.capture import Choice


@dataclass(frozen=True)
class Settings:
    """What is recorded: an interval's length in seconds, how many intervals (None: without end).

    ``netns`` is a name, a process id, ``all`` or None for the current namespace.  With ``aligned``
    intervals begin at whole multiples of their length, and the first differs by up to half of it.
    ``paths`` is how often new peers are traced, in minutes (None: never), ``packets`` how many
    octets are kept of one in ``one_in`` packets (None: none).
    """

    seconds: float = 10.0
    netns: str | None = "all"
    source: Choice = "auto"
    count: int | None = None
    aligned: bool = True
    paths: float | None = None
    packets: int | None = None
    one_in: int = 1_000
