# SPDX-License-Identifier: Apache-2.0
"""Packets that no process is known for: forwarded, the kernel's own, of sockets whose process is gone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleutan.analysis.figures import numbers
from fleutan.analysis.queues import keys_of
from fleutan.analysis.totals import totals
from fleutan.faces.cli import figures
from fleutan.faces.cli.layout import wrapped
from fleutan.faces.cli.pages import Look
from fleutan.faces.cli.pages.abreast import Amounts, Host, by_cpu
from fleutan.table import Table


def without_owner(traffic: Table | None) -> Table | None:
    """The packets that no process is known for."""
    if not traffic:
        return None
    owner = next((name for name in ("pids", "pid") if name in traffic), None)
    found = traffic if owner is None else traffic.take(~traffic.columns[owner].mask())
    return found if len(found) else None


def _carried(traffic: Table, direction: str) -> Amounts:
    sums = totals(traffic, ("direction", "cpu"), ("packets",))
    packets = np.nan_to_num(numbers(sums, "packets")).tolist()
    rows = zip(keys_of(sums, ("direction", "cpu")), packets, strict=True)
    return {cpu: amount for (way, cpu), amount in rows if way == direction}


def packets(traffic: Table | None, direction: str) -> float:
    """How many packets they are in a direction."""
    return sum(_carried(traffic, direction).values()) if traffic else 0.0


def block(traffic: Table, host: Host, look: Look, most: int | None) -> Iterator[str]:
    """One block of two bars, and of which protocols it is."""
    yield look.title(look.cut("~>without owner"))
    yield from wrapped(_kinds(traffic), look.screen.width)
    amounts = {f"{direction}_packets": _carried(traffic, direction) for direction in ("rx", "tx")}
    yield from by_cpu(amounts, host, look, most)
    yield look.screen.rule()


def _kinds(traffic: Table) -> Iterator[str]:
    """``tcp 8k forwarded``, ``icmp 120``: packets both ways, the most first."""
    sums = totals(traffic, ("proto", "forwarded"), ("packets",))
    packets = np.nan_to_num(numbers(sums, "packets"))
    unknown = [None] * len(sums)
    protos, forwarded = (sums.columns[name].objects() if name in sums else unknown for name in ("proto", "forwarded"))
    for row in np.argsort(-packets, kind="stable").tolist():
        said = f"{figures.printable(protos[row] or figures.UNKNOWN)} {figures.count(float(packets[row]))}"
        yield f"{said} forwarded" if forwarded[row] else said
