# SPDX-License-Identifier: Apache-2.0
"""What ``/status`` says: the node, the packets of its last times, and the modules with their first record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from fleutan import __version__
from fleutan.exports import forms, json
from fleutan.exports.como import status as como
from fleutan.faces.web.desk import Work
from fleutan.lake.kinds import KINDS
from fleutan.lake.layout import HOUR
from fleutan.lake.listing import EVER, hours
from fleutan.past.engine import Lake
from fleutan.past.modules import MODULES, planned
from fleutan.past.relations import TRAFFIC
from fleutan.past.request import MINUTE, Request
from fleutan.query.plan import Listing, Plan

#: How long each of ``como.LOADS`` is.
LOADS_NS = tuple(minutes * MINUTE for minutes in (15, 60, 360, 1440))
#: The kinds that a module is answered from, where those are not all of traffic.
_KINDS = {
    "trace": ("samples",),
    "owners": ("flows",),
    "limits": ("flows",),
    **{name: (name,) for name in ("drops", "counters", "paths", "exporters")},
}


@dataclass(frozen=True)
class Status:
    """What is said."""

    node: como.Node
    modules: tuple[como.Module, ...]


def text(work: Work) -> Iterator[bytes]:
    """As Metroflux wrote it."""
    work.media_type = "text/plain; charset=utf-8"
    found = read(work)
    yield como.text(found.node, found.modules).encode()


def document(work: Work) -> Iterator[bytes]:
    """As JSON."""
    found = read(work)
    node = asdict(found.node)
    node["loads"] = dict(zip(como.LOADS, node.pop("loads"), strict=True))
    modules: list[Any] = [module_of(one.name) | {"since_ns": one.since_ns} for one in found.modules]
    yield from json.plain_document({"schema": "fleutan/status/1", **node}, {"modules": modules})


def module_of(name: str) -> dict[str, Any]:
    """A module as JSON."""
    module = MODULES[name]
    return {
        "module": name,
        "filter": module.filter,
        "formats": list(forms.forms_of(name)),
        "description": module.help,
    }


def read(work: Work) -> Status:
    """Asks the lake; one that is not there has no records."""
    service = work.service
    now_ns = service.now_ns()
    with work.lake() as lake:
        since = {kind: _since(lake, kind) for kind in sorted(KINDS)}
        loads = [_load(lake, now_ns, length) for length in LOADS_NS]
    node = como.Node(
        service.node.name,
        service.node.location,
        service.node.type,
        service.started_ns,
        now_ns,
        loads,
        __version__,
        comment=service.node.comment,
    )
    modules = [
        como.Module(name, module.filter, _first(name, since), forms.forms_of(name), module.help)
        for name, module in MODULES.items()
    ]
    return Status(node, tuple(modules))


def _first(module: str, since: dict[str, int | None]) -> int | None:
    found = [since.get(kind) for kind in _KINDS.get(module, TRAFFIC)]
    return min((at for at in found if at is not None), default=None)


def _since(lake: Lake, kind: str) -> int | None:
    """When the first row of a kind was; None where there is none."""
    if not lake.has(kind):
        return None
    begins = next((hour for _, hour in hours(lake.root, kind)), None)
    window = EVER if begins is None else (begins, begins + HOUR)
    for table in lake.rows(Listing(kind, *window, ("time",), limit=1), kind):
        if len(table):
            return int(table.columns["time"].values[0])
    return None


def _load(lake: Lake, now_ns: int, length_ns: int) -> int | None:
    """Packets of the last time, to the minute; None where there is no traffic."""
    if not any(lake.has(kind) for kind in TRAFFIC):
        return None
    end_ns = now_ns // MINUTE * MINUTE
    request = Request("traffic", end_ns - length_ns, end_ns)
    chosen = planned(lake, request, Plan(request.start_ns, end_ns, (), ("packets",)))
    found = [table.columns["packets"].objects() for table in lake.groups(chosen.plan, chosen.kinds, "load")]
    return sum(packets or 0 for column in found for packets in column)
