# SPDX-License-Identifier: Apache-2.0
"""What one look at the host gives: values that pass from the one who reads to the one who shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fleutan.errors import FleutanError
from fleutan.faces.tui.identity import Ints
from fleutan.table import Table


class Cost(NamedTuple):
    """What fleutan itself took: a share of one CPU, and of BPF programs nanoseconds an event."""

    cpu: float | None = None
    bpf_ns: float | None = None


NO_COST = Cost()


@dataclass(frozen=True)
class Round:
    """The flows that are meant, with what they did since the look before.

    ``open`` are the identities of all flows that still exist, where a filter leaves some out;
    ``detail`` is the one flow that is watched, at most a row.  ``others`` are tables by their
    kind.  ``filter`` is the one that was in force.
    """

    flows: Table
    open: Ints | None = None
    detail: Table | None = None
    others: Mapping[str, Table] = field(default_factory=dict)
    cost: Cost = NO_COST
    filter: str = ""


class Failed(NamedTuple):
    """A round that could not be made, and why."""

    error: FleutanError
