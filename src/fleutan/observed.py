# SPDX-License-Identifier: Apache-2.0
"""What an agent observes of its host: the counters of a data source, in the words of sFlow's structures.

Values are whole and in the units of the structures, but not cut to the width that they have on the
wire; None is unknown.  What becomes of them on a wire is known in ``exports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Classes of data sources (sFlow Version 5, section 4.2.1): interfaces by their ifIndex, the host itself, and what
#: runs on it and has counters of its own (units, containers, virtual machines, applications).
INTERFACE, HOST, ENTITY = 0, 2, 3


class Source(NamedTuple):
    """A data source: its class, and its number there."""

    ds_class: int
    ds_index: int


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of a data source at one time.

    ``structures`` are fields by name, by the name of their structure (``protocols.sflow.layouts``),
    in the order in which they are to be told.  ``labels`` say what the source is called: ``dev``,
    ``netns``, ``unit``, ``container``, ``pod``, ``app`` …
    """

    source: Source
    structures: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, str] = field(default_factory=dict)
